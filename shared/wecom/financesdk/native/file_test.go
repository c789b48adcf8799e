package native_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"wecom-archive/shared/wecom/financesdk/native"
)

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
		if info, err := native.Inspect(path); err == nil {
			t.Errorf("%s: %+v", path, info)
		}
	}
}

func TestDeath(t *testing.T) {
	for _, test := range []struct {
		death  native.Death
		blames bool
		says   string
	}{
		{native.Death{Op: "DecryptData", PID: 7, Signal: syscall.SIGABRT, Status: -1}, true, "pid 7) died in DecryptData: signal 6 (aborted)"},
		{native.Death{Signal: syscall.SIGSEGV, Status: -1}, true, "signal 11"},
		{native.Death{Status: 0}, true, "exit status 0"},
		{native.Death{Signal: syscall.SIGKILL, Status: -1, Cause: native.CauseDeadline}, true, "took too long"},
		{native.Death{Signal: syscall.SIGKILL, Status: -1, Cause: native.CauseMemory}, true, "memory"},
		{native.Death{Signal: syscall.SIGKILL, Status: -1}, false, "signal 9"},
		{native.Death{Signal: syscall.SIGTERM, Status: -1}, false, "signal 15"},
	} {
		if test.death.Blames() != test.blames || !strings.Contains(test.death.Error(), test.says) {
			t.Errorf("%v blames %v", &test.death, test.death.Blames())
		}
	}
}
