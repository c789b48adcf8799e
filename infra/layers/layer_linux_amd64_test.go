package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wecom-archive/shared/wecom/financesdk/native"
)

// TestLayer builds a layer of the vendor's library, as a folder, a file and a
// download, and without saying which. libz is this machine's.
func TestLayer(t *testing.T) {
	vendor := vendorFolder(t)
	folder := t.TempDir()
	tgz := filepath.Join(folder, "sdk.tgz")
	library, err := os.ReadFile(filepath.Join(vendor, native.FileName))
	if err != nil {
		t.Fatal(err)
	}
	writeTGZ(t, tgz, map[string]string{
		"sdk/C_sdk/" + native.FileName: string(library), "sdk/C_sdk/version.txt": "200215\n",
		"sdk/../../etc/passwd": "root", "sdk/tool_testSdk.cpp": "int main()",
	})
	var first []byte
	for _, sdk := range []string{"", vendor, filepath.Join(vendor, native.FileName), tgz} {
		to := filepath.Join(folder, "out")
		var said bytes.Buffer
		if err := run(t.Context(), []string{"-sdk", sdk, "-o", to}, &said); err != nil {
			t.Fatalf("SDK=%s: %v", sdk, err)
		}
		path := filepath.Join(to, "wecom-sdk-amd64.zip")
		files, l := unpack(t, path)
		names := slices.Sorted(maps.Keys(files))
		if !slices.Equal(names, []string{"lib/libWeWorkFinanceSdk_C.so", "lib/libz.so.1", "lib/version.txt", "lib/wecom-sdk.json"}) {
			t.Errorf("SDK=%s: %v", sdk, names)
		}
		if !bytes.Equal(files["lib/"+native.FileName], library) || string(files["lib/version.txt"]) != "200215\n" {
			t.Errorf("SDK=%s: the files are not the vendor's", sdk)
		}
		if l.Version != "200215" || l.Arch != "amd64" || l.Loads != "yes" || newer(l.GLIBC, "2.34") ||
			l.Files[0].SHA256 == "" || !strings.Contains(said.String(), l.Files[0].SHA256) {
			t.Errorf("SDK=%s: %+v", sdk, l)
		}
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = body
		}
		if !bytes.Equal(first, body) {
			t.Errorf("SDK=%s: the layer differs from the first one", sdk)
		}
	}
}
