package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// folder is for what all tests of the process share.
var folder string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if folder, err = os.MkdirTemp("", "wecom-archive-test"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(folder)
		return m.Run()
	}())
}

// build makes the program once, as it is shipped, but without a version.
var build = sync.OnceValues(func() (program string, err error) {
	program = filepath.Join(folder, "wecom-archive")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", program, ".")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return program, nil
})

// command prepares a start of the real program.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(program, args...)
}

// eventually waits until done, and fails after half a minute.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in time", what)
		}
	}
}

// count is how many files with that end lie below a folder of the data folder,
// and in the folders in it.
func count(t *testing.T, data, below, end string) int {
	t.Helper()
	n := 0
	for _, pattern := range []string{"*" + end, filepath.Join("*", "*"+end)} {
		files, err := filepath.Glob(filepath.Join(data, "objects", below, pattern))
		if err != nil {
			t.Fatal(err)
		}
		n += len(files)
	}
	return n
}

// TestInterruptedUnfinished: Ctrl-C with --once, before all is archived, says so
// in its status and in its summary. Another start finishes.
func TestInterruptedUnfinished(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	args := []string{"local", "--once", "--json", "--messages", "4000", "--limit", "10", "--dir", data}
	cmd := command(t, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	eventually(t, "a segment", func() bool { return count(t, data, "messages", ".parquet") > 0 })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("%v, want exit status 130\n%s", err, errOut.String())
	}
	sum := summaryOf(t, out.Bytes())
	if sum.Complete || sum.Pulled == 0 || sum.Pulled >= 4000 {
		t.Errorf("summary %+v", sum)
	}
	if !strings.Contains(errOut.String(), "interrupted") {
		t.Errorf("it says %q", errOut.String())
	}

	args[6] = "1000" // messages in a page
	cmd = command(t, args...)
	more, err := cmd.Output()
	if sum := summaryOf(t, more); err != nil || !sum.Complete || sum.Pulled != 4000 || sum.Archived+sum.Quarantined != 4000 {
		t.Errorf("summary of the second start %+v, %v", sum, err)
	}
}

type summary struct {
	Pulled, Archived, Quarantined, Pages, Segments int
	Complete                                       bool
}

func summaryOf(t *testing.T, out []byte) (sum summary) {
	t.Helper()
	if err := json.Unmarshal(out, &sum); err != nil {
		t.Fatalf("summary %q: %v", out, err)
	}
	return sum
}
