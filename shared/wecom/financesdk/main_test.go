package financesdk_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"wecom-archive/shared/wecom/financesdk"
)

// TestMain lets the test's executable be the child process, too.
func TestMain(m *testing.M) {
	if status, host := financesdk.RunHost(os.Args); host {
		os.Exit(status)
	}
	var err error
	if scratch, err = os.MkdirTemp("", "financesdk"); err != nil {
		panic(err)
	}
	status := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(status)
}

// scratch is a folder for what several tests use.
var scratch string

// journal keeps log records, which tell of deaths and replacements.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

func (j *journal) deaths() int   { return strings.Count(j.String(), "library died") }
func (j *journal) replaced() int { return strings.Count(j.String(), "is replaced") }

// open opens a pool for the test, whose log is kept.
func open(t testing.TB, c financesdk.Config) (*financesdk.Pool, *journal) {
	t.Helper()
	log := &journal{}
	c.Log = slog.New(slog.NewTextHandler(log, nil))
	p, err := financesdk.Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if left := children(t); len(left) > 0 {
			t.Errorf("processes %v are left", left)
		}
	})
	return p, log
}

// children are the processes that this one has started and that still run.
func children(t testing.TB) []int {
	t.Helper()
	return childrenOf(t, os.Getpid())
}

func childrenOf(t testing.TB, parent int) []int {
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

// child is the one process that this one has started.
func child(t testing.TB) int {
	t.Helper()
	pids := children(t)
	if len(pids) != 1 {
		t.Fatalf("processes %v, want one", pids)
	}
	return pids[0]
}

// resident is the resident memory of a process, in bytes.
func resident(t testing.TB, pid int) int64 {
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
