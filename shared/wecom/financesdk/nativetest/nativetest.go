// Package nativetest is what tests of package native's users share: a log that tells
// of deaths, the processes that were started, and where the vendor's library is.
package nativetest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"

	"wecom-archive/shared/wecom/financesdk/native"
)

// Journal keeps log records, which tell of deaths and replacements.
type Journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write keeps a record.
func (j *Journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

// String is all of it.
func (j *Journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// Deaths is how many processes died at work.
func (j *Journal) Deaths() int { return strings.Count(j.String(), "library died") }

// Replaced is how many processes were replaced, since they had grown.
func (j *Journal) Replaced() int { return strings.Count(j.String(), "is replaced") }

// Children are the processes that this one has started and that still run.
func Children(t testing.TB) []int {
	t.Helper()
	return ChildrenOf(t, os.Getpid())
}

// ChildrenOf are those of another process.
func ChildrenOf(t testing.TB, parent int) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // gone meanwhile
		}
		// Behind the name, which is in parentheses: state, parent.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if fields[1] == strconv.Itoa(parent) && fields[0] != "Z" {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Child is the one process that this one has started.
func Child(t testing.TB) int {
	t.Helper()
	pids := Children(t)
	if len(pids) != 1 {
		t.Fatalf("processes %v, want one", pids)
	}
	return pids[0]
}

// Resident is the resident memory of a process, in bytes.
func Resident(t testing.TB, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// VendorLibrary is the path of the vendor's own library, of 2020.
func VendorLibrary(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/silenceper/wechat/v2").Output()
	if err != nil {
		t.Fatalf("finding the module with the vendor's library: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "work", "msgaudit", "lib", native.FileName)
}

// MemoryIsFlat makes calls to warm up, then more, and looks at the memory of child and
// parent: neither may grow by them.
func MemoryIsFlat(t *testing.T, log *Journal, warmUp, calls int, call func() error) {
	t.Helper()
	pid := Child(t)
	work := func(n int) (child, parent int64) {
		for range n {
			if err := call(); err != nil {
				t.Fatal(err)
			}
		}
		debug.FreeOSMemory()
		return Resident(t, pid), Resident(t, os.Getpid())
	}
	childBefore, parentBefore := work(warmUp)
	childAfter, parentAfter := work(calls)
	t.Logf("child %d to %d KiB, parent %d to %d KiB", childBefore>>10, childAfter>>10, parentBefore>>10, parentAfter>>10)
	const most = 4 << 20
	if childAfter-childBefore > most || parentAfter-parentBefore > most || log.Deaths() > 0 || log.Replaced() > 0 {
		t.Errorf("child %d to %d bytes, parent %d to %d bytes, log: %s", childBefore, childAfter, parentBefore, parentAfter, log)
	}
}
