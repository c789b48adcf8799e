package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/decrypt"
	"wecom-archive/shared/wecom/financesdk/native"
)

// lambdaGLIBC is the glibc of Amazon Linux 2023, where Lambda's provided.al2023
// runs the functions.
const lambdaGLIBC = "2.34"

// layer is what is in a layer.
type layer struct {
	Version string `json:"version"` // of WeCom's library, as 20250205
	Arch    string `json:"arch"`    // as GOARCH
	GLIBC   string `json:"glibc"`   // that the files need at least
	Loads   string `json:"loads"`   // whether it was loaded when the layer was built
	Files   []file `json:"files"`
}

type file struct {
	Name   string `json:"name"` // in lib/
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"` // bytes
}

// assemble puts the library, and the shared libraries that it needs, into work.
func assemble(sdk, libs, version, work string) (layer, error) {
	if err := take(sdk, work); err != nil {
		return layer{}, fmt.Errorf("SDK=%s: %w", sdk, err)
	}
	// One layer serves who fetches and who decrypts.
	info, err := native.Inspect(filepath.Join(work, native.FileName), append(financesdk.Symbols(), decrypt.Symbols()...)...)
	if err != nil {
		return layer{}, err
	}
	l := layer{Version: info.Version, Arch: info.Arch}
	if l.Version == "" {
		l.Version = version
	}
	if l.Version == "" {
		l.Version = datedName.FindString(filepath.Base(sdk))
	}
	switch {
	case l.Version == "":
		return l, errors.New("the download does not say which version it is: give VERSION=, the date in its name, as 20250205")
	case info.Arch != "amd64" && info.Arch != "arm64":
		return l, fmt.Errorf("%s is for %s; Lambda has amd64 and arm64", info.Path, info.Arch)
	case len(info.Missing) > 0:
		return l, fmt.Errorf("%s lacks %s", info.Path, strings.Join(info.Missing, ", "))
	}
	if err := os.WriteFile(filepath.Join(work, "version.txt"), []byte(l.Version+"\n"), 0o600); err != nil {
		return l, err
	}
	return l, l.complete(info, libs, work)
}

// datedName is the vendor's date in the name of a download.
var datedName = regexp.MustCompile(`20[0-9]{6}|2[0-9]{5}`)

// complete adds a file and what it needs.
func (l *layer) complete(info native.Info, libs, work string) error {
	if newer(info.GLIBC, lambdaGLIBC) {
		return fmt.Errorf("%s needs glibc %s; Lambda has %s", info.Path, info.GLIBC, lambdaGLIBC)
	}
	if newer(info.GLIBC, l.GLIBC) {
		l.GLIBC = info.GLIBC
	}
	l.Files = append(l.Files, file{filepath.Base(info.Path), info.SHA256, info.Size})
	for _, name := range info.Extra() {
		if name != filepath.Base(name) {
			return fmt.Errorf("%s needs %q, which is no name of a file", info.Path, name)
		}
		if slices.ContainsFunc(l.Files, func(f file) bool { return f.Name == name }) {
			continue
		}
		found, err := find(name, info.Arch, libs, work)
		if err != nil {
			return err
		}
		if err := copyFile(found.Path, filepath.Join(work, name)); err != nil {
			return err
		}
		found.Path = filepath.Join(work, name)
		if err := l.complete(found, libs, work); err != nil {
			return err
		}
	}
	return nil
}

// find looks for a shared library of an architecture.
func find(name, arch, libs, work string) (native.Info, error) {
	folders := []string{work, libs}
	if arch == runtime.GOARCH {
		triple := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[arch]
		folders = append(folders, "/lib/"+triple, "/usr/lib/"+triple, "/lib64", "/usr/lib64", "/lib", "/usr/lib")
	}
	for _, folder := range folders {
		if folder == "" {
			continue
		}
		path := filepath.Join(folder, name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		info, err := native.Inspect(path)
		if err == nil && info.Arch != arch {
			err = fmt.Errorf("%s is for %s, not %s", path, info.Arch, arch)
		}
		return info, err
	}
	return native.Info{}, fmt.Errorf("WeCom's library needs %s for %s, and it is not here: give LIBS=, a folder that has it "+
		"(from Amazon Linux 2023 or Debian 11: packages zlib or zlib1g of that architecture)", name, arch)
}

// newer compares versions as 2.34 and 2.4; an empty one is the oldest.
func newer(a, b string) bool { return slices.Compare(numbers(a), numbers(b)) > 0 }

func numbers(version string) (out []int) {
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil
		}
		out = append(out, n)
	}
	return out
}

// loads loads the library, in processes of its own, where this machine can.
func loads(ctx context.Context, l layer, work string) (string, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != l.Arch {
		return "not tried: built on " + runtime.GOOS + "/" + runtime.GOARCH, nil
	}
	path := filepath.Join(work, native.FileName)
	for _, try := range []func(context.Context, string) error{financesdk.Try, decrypt.Try} {
		if err := try(ctx, path); err != nil {
			return "", err
		}
	}
	return "yes", nil
}

// write writes the layer and returns its path. Lambda unpacks it into /opt.
func (l *layer) write(work, folder string) (path string, err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	manifest, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(work, "wecom-sdk.json"), append(manifest, '\n'), 0o600); err != nil {
		return "", err
	}
	path = filepath.Join(folder, "wecom-sdk-"+l.Arch+".zip")
	out, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	archive := zip.NewWriter(out)
	names := []string{"version.txt", "wecom-sdk.json"}
	for _, f := range l.Files {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	for _, name := range names {
		body, err := os.ReadFile(filepath.Join(work, name))
		if err != nil {
			return "", err
		}
		// A time that is always the same.
		header := &zip.FileHeader{Name: "lib/" + name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		header.SetMode(0o755)
		w, err := archive.CreateHeader(header)
		if err != nil {
			return "", err
		}
		if _, err := w.Write(body); err != nil {
			return "", err
		}
	}
	return path, archive.Close()
}
