package financesdk_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/nativetest"
)

// TestConfined looks at a child from outside: what it could reveal, and what it
// could do.
func TestConfined(t *testing.T) {
	const secret = "s3cret-of-the-archive"
	t.Setenv("WECOM_ARCHIVE_TEST_VARIABLE", secret)
	// A descriptor that the next program inherits, as a careless starter leaves one.
	leaked, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer leaked.Close()
	if _, err := unix.FcntlInt(leaked.Fd(), unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
	open(t, financesdk.Config{Path: nativetest.VendorLibrary(t), Corp: "ww5117a9e0c0ffee01", Secret: secret})
	proc := fmt.Sprintf("/proc/%d/", nativetest.Child(t))

	if got := read(t, proc+"cmdline"); got != "wecom-archive\x00sdk-host\x00fetch\x00confined\x00" {
		t.Errorf("arguments %q", got)
	}
	// Nobody but root may even look at the environment; and there is none.
	if environ, err := os.ReadFile(proc + "environ"); err == nil && len(environ) > 0 || err != nil && !errors.Is(err, fs.ErrPermission) {
		t.Errorf("environment of %d bytes, %v", len(environ), err)
	}
	status := read(t, proc+"status")
	for _, want := range []string{
		`NoNewPrivs:\t1`, `CapInh:\t0+`, `CapPrm:\t0+`, `CapEff:\t0+`, `CapAmb:\t0+`,
	} {
		if !regexp.MustCompile(`(?m)^` + want + `$`).MatchString(status) {
			t.Errorf("status has no %s:\n%s", want, status)
		}
	}
	if limits := read(t, proc+"limits"); !regexp.MustCompile(`(?m)^Max core file size +0 +0 `).MatchString(limits) {
		t.Errorf("limits:\n%s", limits)
	}
	checkDescriptors(t, proc)
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 0 {
		t.Errorf("this process, the parent, is dumpable: %d, %v", dumpable, err)
	}
	// Root owns the files below /proc of a process that is not dumpable.
	if info, err := os.Stat(proc + "mem"); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("the child is dumpable: %v", err)
	}
}

// checkDescriptors: the child has its pipes, what Go's runtime needs, and nothing
// else.
func checkDescriptors(t *testing.T, proc string) {
	fds, err := filepath.Glob(proc + "fd/*")
	if err != nil {
		t.Fatal(err)
	}
	if len(fds) == 0 && os.Getuid() != 0 {
		return // not to be seen by others of the same user
	}
	var open []string
	for _, fd := range fds {
		to, err := os.Readlink(fd)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.HasPrefix(to, "pipe:["):
			to = "pipe"
		case strings.HasPrefix(to, "/sys/fs/cgroup/"): // where Go's runtime looks how many cores it has
			continue
		}
		open = append(open, to)
	}
	slices.Sort(open)
	allowed := []string{"/dev/null", "/dev/null", "/dev/null", "anon_inode:[eventfd]", "anon_inode:[eventpoll]", "pipe", "pipe"}
	for _, to := range open {
		if i := slices.Index(allowed, to); i >= 0 {
			allowed = slices.Delete(allowed, i, i+1)
			continue
		}
		t.Errorf("it has %s open, of %v", to, open)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
