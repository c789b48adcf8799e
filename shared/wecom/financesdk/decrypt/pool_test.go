package decrypt_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"wecom-archive/shared/wecom/financesdk/decrypt"
	"wecom-archive/shared/wecom/financesdk/native"
	"wecom-archive/shared/wecom/financesdk/nativetest"
)

func TestCannotOpen(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(text, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		load bool // the library is to blame
	}{"no path": {"", false}, "NUL": {"/lib\x00.so", false}, "no file": {text + ".none", true}, "no library": {text, true}} {
		p, err := decrypt.Open(t.Context(), decrypt.Config{Path: c.path})
		if err == nil {
			p.Close()
			t.Errorf("%s: no error", name)
			continue
		}
		var load *native.LoadError
		if errors.As(err, &load) != c.load {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left := nativetest.Children(t); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

// TestOtherMode: a program that only decrypts does not become a process that fetches.
func TestOtherMode(t *testing.T) {
	for _, args := range [][]string{{"x"}, {"x", "sdk-host"}, {"x", "sdk-host", "fetch"}, {"x", "sdk-host", "fetch", "confined"}, {"x", "decrypt"}} {
		if status, host := decrypt.RunHost(args); host {
			t.Errorf("%q: status %d", args, status)
		}
	}
}
