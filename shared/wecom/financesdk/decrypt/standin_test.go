//go:build sdk

package decrypt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wecom-archive/infra/sdkstandin"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/financesdk/decrypt"
	"wecom-archive/shared/wecom/financesdk/native"
	"wecom-archive/shared/wecom/financesdk/nativetest"
)

var buildStandin = sync.OnceValues(func() (string, error) {
	return sdkstandin.Build(context.Background(), scratch)
})

// standin is the path of the stand-in for the library, which is built once.
func standin(t testing.TB) string {
	t.Helper()
	path, err := buildStandin()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// order is a message that the stand-in obeys.
func order(s string) wecom.Sealed {
	return wecom.Sealed{Key: strings.Repeat("k", 88), Message: "!" + s}
}

// echoes are messages that the stand-in gives back.
func echoes(n int) []wecom.Sealed {
	batch := make([]wecom.Sealed, n)
	for i := range batch {
		batch[i] = order(fmt.Sprintf("echo:%d", i))
	}
	return batch
}

func decryptOne(t *testing.T, p *decrypt.Pool, s wecom.Sealed) wecom.Opened {
	t.Helper()
	opened, err := p.DecryptData(t.Context(), []wecom.Sealed{s})
	if err != nil {
		t.Fatal(err)
	}
	return opened[0]
}

func TestCodesAndBytes(t *testing.T) {
	p, log := open(t, decrypt.Config{Path: standin(t)})
	for code := 10000; code <= 10011; code++ {
		if o := decryptOne(t, p, order(fmt.Sprintf("code:%d", code))); !isCode(o.Err, code) || o.Raw != nil {
			t.Errorf("code %d: %v", code, o.Err)
		}
	}
	if o := decryptOne(t, p, order("code:-1")); !isCode(o.Err, -1) {
		t.Errorf("code -1: %v", o.Err)
	}
	for text, want := range map[string]string{"nul": "a\x00b\x00", "echo:": "", "echo:{\"a\":\"\x01企微\xff\"}": "{\"a\":\"\x01企微\xff\"}"} {
		if o := decryptOne(t, p, order(text)); o.Err != nil || o.Raw == nil || string(o.Raw) != want {
			t.Errorf("%s: %q, %v", text, o.Raw, o.Err)
		}
	}
	long := strings.Repeat("0123456789", 1<<20)
	if o := decryptOne(t, p, order("echo:"+long)); string(o.Raw) != long {
		t.Errorf("%d bytes came back, %v", len(o.Raw), o.Err)
	}
	if o := decryptOne(t, p, order("print")); string(o.Raw) != "printed" {
		t.Errorf("after printing: %q, %v", o.Raw, o.Err)
	}
	for _, s := range []wecom.Sealed{{Key: "k\x00", Message: "m"}, {Key: strings.Repeat("k", 88), Message: "m\x00"}} {
		if o := decryptOne(t, p, s); !errors.Is(o.Err, native.ErrNUL) {
			t.Errorf("NUL: %v", o.Err)
		}
	}
	if log.Deaths() != 0 || strings.Contains(log.String(), "content") {
		t.Errorf("log: %s", log)
	}
}

func TestDeaths(t *testing.T) {
	p, log := open(t, decrypt.Config{Path: standin(t), Timeout: 300 * time.Millisecond, MaxResident: 64 << 20})
	for text, want := range map[string]native.Death{
		"abort":           {Signal: syscall.SIGABRT, Status: -1},
		"segv":            {Signal: syscall.SIGSEGV, Status: -1},
		"exit:3":          {Status: 3},
		"exit:0":          {Status: 0},
		"negative":        {Status: 72},
		"hang":            {Signal: syscall.SIGKILL, Status: -1, Cause: native.CauseDeadline},
		"leak:2000000000": {Signal: syscall.SIGKILL, Status: -1, Cause: native.CauseMemory},
	} {
		t.Run(text, func(t *testing.T) {
			batch := echoes(5)
			batch[2] = order(text)
			opened, err := p.DecryptData(t.Context(), batch)
			if err != nil {
				t.Fatal(err)
			}
			for i, o := range opened {
				if i != 2 && string(o.Raw) != fmt.Sprint(i) {
					t.Errorf("neighbour %d: %q, %v", i, o.Raw, o.Err)
				}
			}
			var death *native.Death
			if !errors.Is(opened[2].Err, wecom.ErrLibraryCrash) || !errors.As(opened[2].Err, &death) {
				t.Fatalf("culprit: %v", opened[2].Err)
			}
			got := *death
			got.PID, want.Op = 0, "DecryptData"
			if text == "leak:2000000000" && got.Cause == native.CauseDeadline {
				got.Cause = want.Cause // a slow machine: either will do
			}
			if got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
	if log.Deaths() == 0 || strings.Contains(log.String(), "echo") {
		t.Errorf("log: %s", log)
	}
}

// TestPageWithKillers is the measure: 999 of 1,000 messages are decrypted.
func TestPageWithKillers(t *testing.T) {
	path := standin(t)
	for _, killers := range []int{1, 20} {
		t.Run(fmt.Sprint(killers), func(t *testing.T) {
			p, log := open(t, decrypt.Config{Path: path})
			batch := echoes(1000)
			for k := range killers {
				batch[(k*47+617)%1000] = order("abort")
			}
			opened, err := p.DecryptData(t.Context(), batch)
			if err != nil {
				t.Fatal(err)
			}
			good, blamed := 0, 0
			for i, o := range opened {
				switch {
				case o.Err == nil && string(o.Raw) == fmt.Sprint(i):
					good++
				case errors.Is(o.Err, wecom.ErrLibraryCrash) && batch[i].Message == "!abort":
					blamed++
				}
			}
			starts := log.Deaths() + 1
			t.Logf("%d starts", starts)
			if good != 1000-killers || blamed != killers || killers == 1 && starts > 22 {
				t.Errorf("%d good, %d blamed, %d starts", good, blamed, starts)
			}
		})
	}
}

// TestOneDeathIsNoProof: a message that ended a process once, and then does not,
// is not blamed.
func TestOneDeathIsNoProof(t *testing.T) {
	p, log := open(t, decrypt.Config{Path: standin(t)})
	mark := filepath.Join(t.TempDir(), "mark")
	if o := decryptOne(t, p, order("once:"+mark)); o.Err != nil || string(o.Raw) != "again" || log.Deaths() != 1 {
		t.Errorf("%q, %v; log: %s", o.Raw, o.Err, log)
	}
}

// TestKilledFromOutside: what the machine does to a process is no message's fault.
func TestKilledFromOutside(t *testing.T) {
	p, _ := open(t, decrypt.Config{Path: standin(t), Timeout: time.Minute})
	pid, mark := nativetest.Child(t), filepath.Join(t.TempDir(), "mark")
	ready := make(chan error, 1)
	go func() {
		_, err := p.DecryptData(context.Background(), []wecom.Sealed{order("hang:" + mark)})
		ready <- err
	}()
	waitForFile(t, mark)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var death *native.Death
	if err := <-ready; !errors.As(err, &death) || death.Blames() || death.Signal != syscall.SIGKILL {
		t.Errorf("%v", err)
	}
	if o := decryptOne(t, p, order("echo:on")); string(o.Raw) != "on" {
		t.Errorf("after it: %v", o.Err)
	}
}

// waitForFile waits until a process has made a file.
func waitForFile(t *testing.T, path string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not there", path)
		}
	}
}

func TestCancel(t *testing.T) {
	p, _ := open(t, decrypt.Config{Path: standin(t), Timeout: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := p.DecryptData(ctx, []wecom.Sealed{order("hang")}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hanging: %v", err)
	}
	if o := decryptOne(t, p, order("echo:on")); string(o.Raw) != "on" {
		t.Errorf("after it: %v", o.Err)
	}
}

// TestReplaced: a child that has grown is replaced between two calls, and nothing
// is lost by it.
func TestReplaced(t *testing.T) {
	p, log := open(t, decrypt.Config{Path: standin(t), MaxResident: 40 << 20})
	for i := range 20 {
		opened, err := p.DecryptData(t.Context(), []wecom.Sealed{order("leak:8000000"), order(fmt.Sprintf("echo:%d", i))})
		if err != nil || string(opened[0].Raw) != "leaked" || string(opened[1].Raw) != fmt.Sprint(i) {
			t.Fatalf("%d: %v, %v", i, opened, err)
		}
	}
	if log.Replaced() < 2 || log.Deaths() > 0 {
		t.Errorf("replaced %d times; log: %s", log.Replaced(), log)
	}
}

// TestParentIsClosed has the library try to look into the parent.
func TestParentIsClosed(t *testing.T) {
	p, _ := open(t, decrypt.Config{Path: standin(t)})
	if o := decryptOne(t, p, order("spy")); o.Err != nil || len(o.Raw) != 0 {
		t.Errorf("the library %s (%v)", o.Raw, o.Err)
	}
}

// TestOrphan kills a process with a pool: its child, which hangs, must go, too.
func TestOrphan(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	cmd := exec.Command(os.Args[0], "-test.run", "TestOrphansParent$")
	cmd.Env = append(os.Environ(), orphanVariable+"="+standin(t)+" "+mark)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitForFile(t, mark)
	pids := nativetest.ChildrenOf(t, cmd.Process.Pid)
	if len(pids) != 1 {
		t.Fatalf("processes %v, want one", pids)
	}
	hanging := pids[0]
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(20 * time.Second); syscall.Kill(hanging, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if state, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", hanging)); bytes.Contains(state, []byte(") Z ")) {
			return // nobody has looked yet how it ended
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d is left", hanging)
		}
	}
}

const orphanVariable = "WECOM_ARCHIVE_TEST_ORPHAN"

// TestOrphansParent is the process that TestOrphan kills.
func TestOrphansParent(t *testing.T) {
	path, mark, ok := strings.Cut(os.Getenv(orphanVariable), " ")
	if !ok {
		return
	}
	p, err := decrypt.Open(t.Context(), decrypt.Config{Path: path, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = p.DecryptData(t.Context(), []wecom.Sealed{order("hang:" + mark)})
}

func TestClosed(t *testing.T) {
	p, _ := open(t, decrypt.Config{Path: standin(t)})
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.DecryptData(t.Context(), echoes(1)); !errors.Is(err, native.ErrClosed) {
		t.Errorf("%v", err)
	}
	if left := nativetest.Children(t); len(left) != 0 {
		t.Errorf("processes %v are left", left)
	}
}
