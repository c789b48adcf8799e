package native

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Symbols are the functions that every use of the library binds.
func Symbols() []string {
	return []string{"NewSlice", "FreeSlice", "GetContentFromSlice", "GetSliceLen"}
}

// FileName is what the vendor calls the library.
const FileName = "libWeWorkFinanceSdk_C.so"

// LayerPath is where the Lambda layer that infra/layers builds puts it.
const LayerPath = "/opt/lib/" + FileName

// Info is what a library file says about itself.
type Info struct {
	Path    string
	Version string   // of the file version.txt beside it, as 200215; empty: there is none
	SHA256  string   // hex
	Size    int64    // bytes
	Arch    string   // as GOARCH: amd64 or arm64; else as ELF names it
	Missing []string // functions wanted of it that it does not export
	Needed  []string // shared libraries that it wants, as libz.so.1
	GLIBC   string   // highest version of glibc's symbols that it wants, as 2.7; empty: none
}

// Extra are the shared libraries that it needs and that do not belong to glibc.
func (i Info) Extra() []string {
	return slices.DeleteFunc(slices.Clone(i.Needed), func(name string) bool {
		stem, _, _ := strings.Cut(name, ".so")
		switch stem {
		case "libc", "libm", "libdl", "librt", "libpthread", "libresolv", "ld-linux-x86-64", "ld-linux-aarch64":
			return true
		}
		return false
	})
}

// Inspect reads a library file without loading it. It works on every operating
// system and for every architecture. symbols are the functions that are wanted of it.
func Inspect(path string, symbols ...string) (Info, error) {
	info := Info{Path: path}
	body, err := os.ReadFile(path)
	if err != nil {
		return info, fmt.Errorf("reading WeCom's library: %w", err)
	}
	sum := sha256.Sum256(body)
	info.SHA256, info.Size = hex.EncodeToString(sum[:]), int64(len(body))
	if err := info.read(bytes.NewReader(body), symbols); err != nil {
		return info, fmt.Errorf("%s: not a shared library of Linux: %w", path, err)
	}
	version, err := readVersion(filepath.Join(filepath.Dir(path), "version.txt"))
	if err != nil {
		return info, err
	}
	info.Version = version
	return info, nil
}

func (i *Info) read(r io.ReaderAt, wanted []string) error {
	file, err := elf.NewFile(r)
	if err != nil {
		return err
	}
	defer file.Close()
	if file.Type != elf.ET_DYN {
		return fmt.Errorf("its type is %s", file.Type)
	}
	switch file.Machine {
	case elf.EM_X86_64:
		i.Arch = "amd64"
	case elf.EM_AARCH64:
		i.Arch = "arm64"
	default:
		i.Arch = file.Machine.String()
	}
	if i.Needed, err = file.ImportedLibraries(); err != nil {
		return err
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return err
	}
	exported := map[string]bool{}
	for _, s := range symbols {
		if s.Section != elf.SHN_UNDEF && elf.ST_TYPE(s.Info) == elf.STT_FUNC {
			exported[s.Name] = true
		}
		if s.Section == elf.SHN_UNDEF {
			i.GLIBC = laterGLIBC(i.GLIBC, s.Version)
		}
	}
	i.Missing = slices.DeleteFunc(slices.Clone(wanted), func(name string) bool { return exported[name] })
	return nil
}

// laterGLIBC returns the later one of a version as 2.7 and a symbol's version as
// GLIBC_2.4.
func laterGLIBC(have, symbol string) string {
	version, ok := strings.CutPrefix(symbol, "GLIBC_")
	if !ok || slices.Compare(numbers(version), numbers(have)) <= 0 {
		return have
	}
	return version
}

func numbers(version string) []int {
	var out []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil // GLIBC_PRIVATE, or none
		}
		out = append(out, n)
	}
	return out
}

// readVersion reads the vendor's version.txt: a date, as 200215 or 20250205.
func readVersion(path string) (string, error) {
	body, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the library's version: %w", err)
	}
	version := strings.TrimSpace(string(body))
	if len(version) == 0 || len(version) > 32 || strings.ContainsFunc(version, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s: not a version: want a word such as 20250205", path)
	}
	return version, nil
}
