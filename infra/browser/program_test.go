package browser

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// archive is the real program, at work on a simulated company.
type archive struct {
	base string // address of the viewer, without slash at its end

	mu     sync.Mutex
	stderr strings.Builder
}

// listens is what the program says of its address.
var listens = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// startArchive starts the program on an empty folder, with so many made-up messages.
func startArchive(t *testing.T, messages int) *archive {
	t.Helper()
	return startLocal(t, "--messages", strconv.Itoa(messages))
}

// startLocal starts the program on an empty folder, waits until it listens, and ends
// it with the test as Ctrl-C does.
func startLocal(t *testing.T, args ...string) *archive {
	t.Helper()
	program := os.Getenv("WECOM_ARCHIVE_TEST_PROGRAM")
	if program == "" {
		t.Fatal("WECOM_ARCHIVE_TEST_PROGRAM is not set: run `make test-browser`, which builds it")
	}
	a := &archive{}
	cmd := exec.Command(program, append([]string{"local", "--dir", t.TempDir(), "--listen", "127.0.0.1:0"}, args...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			a.mu.Lock()
			a.stderr.WriteString(lines.Text() + "\n")
			a.mu.Unlock()
			if address := listens.FindString(lines.Text()); address != "" && a.base == "" {
				a.base = address
				said <- address
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		<-ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program: %v\n%s", err, a.said())
		}
	})
	select {
	case <-said:
	case <-ended:
		t.Fatalf("the program ended: %s", a.said())
	case <-time.After(time.Minute):
		t.Fatalf("the program does not say where it listens: %s", a.said())
	}
	return a
}

// said is what the program has written to its stderr.
func (a *archive) said() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stderr.String()
}
