package doctor_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/doctor"
	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/decrypt"
	"wecom-archive/shared/wecom/financesdk/native"
)

// TestVendorLibrary: the vendor's own library is found well, and one that is cut off
// in the middle is not.
func TestVendorLibrary(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/silenceper/wechat/v2").Output()
	if err != nil {
		t.Fatalf("finding the module with the vendor's library: %v", err)
	}
	path := filepath.Join(strings.TrimSpace(string(out)), "work", "msgaudit", "lib", native.FileName)
	fetch, open := doctor.Use{Symbols: financesdk.Symbols(), Try: financesdk.Try}, doctor.Use{Symbols: decrypt.Symbols(), Try: decrypt.Try}
	l := examine(t, doctor.Library(path, fetch, open))
	want(t, l, archive.CheckupOK, "WeCom's library 200215 (amd64")
	want(t, l, archive.CheckupOK, "all 17 functions")
	want(t, l, archive.CheckupOK, "needs glibc 2.7, here is "+native.GLIBC())
	want(t, examine(t, doctor.Library(path, fetch)), archive.CheckupOK, "all 16 functions")
	want(t, examine(t, doctor.Library(path, doctor.Use{Symbols: []string{"NewSdk", "OldSdk"}})), archive.CheckupAct, "does not export OldSdk")
	dead := doctor.Use{Try: func(context.Context, string) error {
		return &native.LoadError{Path: path, Reason: "it is the wrong one"}
	}}
	want(t, examine(t, doctor.Library(path, fetch, dead)), archive.CheckupAct, "it is the wrong one")
	if native.GLIBC() == "" {
		t.Error("glibc's version is not known here, where there is one")
	}
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), native.FileName)
	if err := os.WriteFile(cut, body[:len(body)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, examine(t, doctor.Library(cut, fetch)), archive.CheckupAct, "make layer")
}
