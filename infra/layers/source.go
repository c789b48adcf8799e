package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"wecom-archive/shared/wecom/financesdk/native"
)

// maxFile bounds what is unpacked of one file, in bytes. The library has 15 MB.
const maxFile = 128 << 20

// wanted are the files of a download that a layer may need.
var wanted = regexp.MustCompile(`^(lib[A-Za-z0-9_.+-]+\.so(\.[0-9.]+)?|version\.txt)$`)

// take puts the files of a download that are wanted into work. Only their names
// count, not their folders, so nothing is written outside of it.
func take(sdk, work string) error {
	info, err := os.Stat(sdk)
	if err != nil {
		return err
	}
	t := &taker{work: work}
	switch name := strings.ToLower(sdk); {
	case info.IsDir():
		err = t.folder(sdk)
	case strings.HasSuffix(name, ".tgz"), strings.HasSuffix(name, ".tar.gz"):
		err = t.tgz(sdk)
	case strings.HasSuffix(name, ".zip"):
		err = t.zip(sdk)
	default: // the library itself, with its version beside it
		if err = t.file(sdk, native.FileName); err == nil {
			err = t.file(filepath.Join(filepath.Dir(sdk), "version.txt"), "version.txt")
			if errors.Is(err, os.ErrNotExist) {
				err = nil
			}
		}
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(work, native.FileName)); err != nil {
		return fmt.Errorf("there is no %s in it", native.FileName)
	}
	return nil
}

type taker struct{ work string }

// put writes a file that is wanted. Two of one name are a download that holds
// several builds: which one is meant only the operator knows.
func (t *taker) put(name string, r io.Reader) (err error) {
	if !wanted.MatchString(name) {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(t.work, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("there are several %s in it: unpack it, and give the folder of the one that is meant", name)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	n, err := io.Copy(f, io.LimitReader(r, maxFile+1))
	if err == nil && n > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", name, maxFile)
	}
	return err
}

func (t *taker) file(from, name string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return t.put(name, f)
}

// folder takes the files of a folder, not of folders in it.
func (t *taker) folder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err != nil || !info.Mode().IsRegular() || !wanted.MatchString(e.Name()) {
			continue
		}
		if err := t.file(filepath.Join(dir, e.Name()), e.Name()); err != nil {
			return err
		}
	}
	return nil
}

func (t *taker) tgz(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for r := tar.NewReader(unpacked); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if err := t.put(path.Base(header.Name), r); err != nil {
			return err
		}
	}
}

func (t *taker) zip(file string) error {
	r, err := zip.OpenReader(file)
	if err != nil {
		return err
	}
	defer r.Close()
	for _, entry := range r.File {
		if !entry.Mode().IsRegular() {
			continue
		}
		body, err := entry.Open()
		if err != nil {
			return err
		}
		err = t.put(path.Base(entry.Name), body)
		if err := errors.Join(err, body.Close()); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	if from == to {
		return nil
	}
	body, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, body, 0o600)
}
