package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/decrypt"
	"wecom-archive/shared/wecom/financesdk/native"
)

func TestMain(m *testing.M) {
	if status, host := financesdk.RunHost(os.Args); host {
		os.Exit(status)
	}
	if status, host := decrypt.RunHost(os.Args); host {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// vendorFolder is the vendor's library of 2020.
func vendorFolder(t *testing.T) string {
	t.Helper()
	folder, err := fromModule(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// unpack returns the layer's files and what it says of itself.
func unpack(t *testing.T, path string) (files map[string][]byte, l layer) {
	t.Helper()
	r, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	files = map[string][]byte{}
	for _, entry := range r.File {
		f, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[entry.Name], err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := json.Unmarshal(files["lib/wecom-sdk.json"], &l); err != nil {
		t.Fatal(err)
	}
	return files, l
}

func writeTGZ(t *testing.T, path string, files map[string]string) {
	t.Helper()
	var buf bytes.Buffer
	packed := gzip.NewWriter(&buf)
	archive := tar.NewWriter(packed)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(files[name])), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(archive, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNoLayer(t *testing.T) {
	vendor := vendorFolder(t)
	library, err := os.ReadFile(filepath.Join(vendor, native.FileName))
	if err != nil {
		t.Fatal(err)
	}
	// The same file, said to be for another processor.
	arm := bytes.Clone(library)
	binary.LittleEndian.PutUint16(arm[18:], uint16(elf.EM_AARCH64))
	other := bytes.Clone(library)
	binary.LittleEndian.PutUint16(other[18:], uint16(elf.EM_RISCV))
	lacks := bytes.ReplaceAll(library, []byte("\x00IsMediaDataFinish\x00"), []byte("\x00IsMediaDataFinisH\x00"))
	file := func(name string, body []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	several := filepath.Join(t.TempDir(), "sdk.tgz")
	writeTGZ(t, several, map[string]string{"x86/" + native.FileName: string(library), "arm/" + native.FileName: string(arm)})
	for _, test := range []struct {
		name string
		args []string
		says string
	}{
		{"nothing there", []string{"-sdk", "/nowhere"}, "/nowhere"},
		{"empty folder", []string{"-sdk", t.TempDir()}, "no " + native.FileName},
		{"no library", []string{"-sdk", file("text.so", []byte("text"))}, "not a shared library"},
		{"several", []string{"-sdk", several}, "several"},
		{"no version", []string{"-sdk", file(native.FileName, library)}, "VERSION="},
		{"needs libz of another processor", []string{"-sdk", file(native.FileName, arm), "-version", "20250205"}, "needs libz.so.1 for arm64"},
		{"processor that Lambda has not", []string{"-sdk", file(native.FileName, other), "-version", "20250205"}, "RISCV"},
		{"lacks a function", []string{"-sdk", file(native.FileName, lacks), "-version", "20250205"}, "lacks IsMediaDataFinish"},
		{"bad flag", []string{"-such"}, "such"},
	} {
		to := t.TempDir()
		err := run(t.Context(), append(test.args, "-o", to), io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", test.name, err, test.says)
		}
		if left, _ := filepath.Glob(to + "/*"); len(left) > 0 {
			t.Errorf("%s: it left %v", test.name, left)
		}
	}
}

// TestOtherArchitecture builds a layer for a processor that this machine may not
// have, with a libz that the operator gives.
func TestOtherArchitecture(t *testing.T) {
	vendor := vendorFolder(t)
	library, err := os.ReadFile(filepath.Join(vendor, native.FileName))
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint16(library[18:], uint16(elf.EM_AARCH64))
	folder, libs, to := t.TempDir(), t.TempDir(), t.TempDir()
	sdk := filepath.Join(folder, "sdk_arm_v3_20250205.tgz")
	writeTGZ(t, sdk, map[string]string{native.FileName: string(library)})
	// Any shared library will do for libz that needs none but glibc's; take
	// WeCom's own, and what it needs is then there.
	if err := os.WriteFile(filepath.Join(libs, "libz.so.1"), library, 0o600); err != nil {
		t.Fatal(err)
	}
	err = run(t.Context(), []string{"-sdk", sdk, "-libs", libs, "-o", to}, io.Discard)
	if runtime.GOARCH == "arm64" { // it is no library for ARM, and loading it shows that
		if err == nil {
			t.Error("a library that does not load became a layer")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	_, l := unpack(t, filepath.Join(to, "wecom-sdk-arm64.zip"))
	if l.Version != "20250205" || l.Arch != "arm64" || !strings.Contains(l.Loads, "not tried") || len(l.Files) != 2 || l.Files[1].Name != "libz.so.1" {
		t.Errorf("%+v", l)
	}
}
