package financesdk_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"wecom-archive/shared/wecom/financesdk"
)

func TestCannotOpen(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "text.so")
	if err := os.WriteFile(text, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]financesdk.Config{
		"no path":       {},
		"no file":       {Path: filepath.Join(folder, "none.so")},
		"no library":    {Path: text},
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
		var load *financesdk.LoadError
		if want := strings.HasPrefix(name, "no ") && name != "no path"; errors.As(err, &load) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left := children(t); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

func TestInspectOtherFiles(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "text.so")
	if err := os.WriteFile(text, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(folder, "none.so"), text, program} {
		if info, err := financesdk.Inspect(path); err == nil {
			t.Errorf("%s: %+v", path, info)
		}
	}
}

// TestSecretsStayOut: neither formatting nor logging a Config shows its secrets.
func TestSecretsStayOut(t *testing.T) {
	c := financesdk.Config{Path: "/lib.so", Corp: "ww1", Secret: "s3cret", ProxyPassword: "user:passw0rd"}
	log := &journal{}
	slog.New(slog.NewJSONHandler(log, nil)).Info("config", "config", c)
	for _, text := range []string{log.String(), fmt.Sprintf("%v %+v %#v %s", c, c, c, c)} {
		if strings.Contains(text, "s3cret") || strings.Contains(text, "passw0rd") || !strings.Contains(text, "/lib.so") {
			t.Errorf("%s", text)
		}
	}
}

func TestDeath(t *testing.T) {
	for _, test := range []struct {
		death  financesdk.Death
		blames bool
		says   string
	}{
		{financesdk.Death{Op: "DecryptData", PID: 7, Signal: syscall.SIGABRT, Status: -1}, true, "pid 7) died in DecryptData: signal 6 (aborted)"},
		{financesdk.Death{Signal: syscall.SIGSEGV, Status: -1}, true, "signal 11"},
		{financesdk.Death{Status: 0}, true, "exit status 0"},
		{financesdk.Death{Signal: syscall.SIGKILL, Status: -1, Cause: financesdk.CauseDeadline}, true, "took too long"},
		{financesdk.Death{Signal: syscall.SIGKILL, Status: -1, Cause: financesdk.CauseMemory}, true, "memory"},
		{financesdk.Death{Signal: syscall.SIGKILL, Status: -1}, false, "signal 9"},
		{financesdk.Death{Signal: syscall.SIGTERM, Status: -1}, false, "signal 15"},
	} {
		if test.death.Blames() != test.blames || !strings.Contains(test.death.Error(), test.says) {
			t.Errorf("%v blames %v", &test.death, test.death.Blames())
		}
	}
}
