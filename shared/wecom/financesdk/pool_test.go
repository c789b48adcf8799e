package financesdk_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/native"
	"wecom-archive/shared/wecom/financesdk/nativetest"
)

func TestCannotOpen(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "text.so")
	if err := os.WriteFile(text, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]financesdk.Config{
		"no path":       {Corp: "ww1", Secret: "s"},
		"no file":       {Path: filepath.Join(folder, "none.so"), Corp: "ww1", Secret: "s"},
		"no library":    {Path: text, Corp: "ww1", Secret: "s"},
		"neither":       {Path: text},
		"corp only":     {Path: text, Corp: "ww1"},
		"secret only":   {Path: text, Secret: "s"},
		"NUL in secret": {Path: text, Corp: "ww1", Secret: "s\x00"},
	} {
		p, err := financesdk.Open(t.Context(), c)
		if err == nil {
			p.Close()
			t.Errorf("%s: no error", name)
			continue
		}
		var load *native.LoadError
		if want := strings.HasPrefix(name, "no ") && name != "no path"; errors.As(err, &load) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left := nativetest.Children(t); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

// TestSecretsStayOut: neither formatting nor logging a Config shows its secrets.
func TestSecretsStayOut(t *testing.T) {
	c := financesdk.Config{Path: "/lib.so", Corp: "ww1", Secret: "s3cret", ProxyPassword: "user:passw0rd"}
	log := &nativetest.Journal{}
	slog.New(slog.NewJSONHandler(log, nil)).Info("config", "config", c)
	for _, text := range []string{log.String(), fmt.Sprintf("%v %+v %#v %s", c, c, c, c)} {
		if strings.Contains(text, "s3cret") || strings.Contains(text, "passw0rd") || !strings.Contains(text, "/lib.so") {
			t.Errorf("%s", text)
		}
	}
}

// TestOtherMode: a program that only fetches does not become a process that decrypts.
func TestOtherMode(t *testing.T) {
	for _, args := range [][]string{{"x"}, {"x", "sdk-host"}, {"x", "sdk-host", "decrypt"}, {"x", "sdk-host", "decrypt", "confined"}, {"x", "fetch"}} {
		if status, host := financesdk.RunHost(args); host {
			t.Errorf("%q: status %d", args, status)
		}
	}
}
