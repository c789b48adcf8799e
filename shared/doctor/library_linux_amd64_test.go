package doctor_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/doctor"
	"wecom-archive/shared/wecom/financesdk"
)

// TestVendorLibrary: the vendor's own library is found well, and one that is cut off
// in the middle is not.
func TestVendorLibrary(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/silenceper/wechat/v2").Output()
	if err != nil {
		t.Fatalf("finding the module with the vendor's library: %v", err)
	}
	path := filepath.Join(strings.TrimSpace(string(out)), "work", "msgaudit", "lib", financesdk.FileName)
	l := examine(t, doctor.Library(path))
	want(t, l, archive.CheckupOK, "WeCom's library 200215 (amd64")
	want(t, l, archive.CheckupOK, "all 17 functions")
	want(t, l, archive.CheckupOK, "needs glibc 2.7, here is "+financesdk.GLIBC())
	if financesdk.GLIBC() == "" {
		t.Error("glibc's version is not known here, where there is one")
	}
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), financesdk.FileName)
	if err := os.WriteFile(cut, body[:len(body)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, examine(t, doctor.Library(cut)), archive.CheckupAct, "make layer")
}
