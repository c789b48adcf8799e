//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestInterruptedTwice: a program that cannot stop, since nobody reads its stderr
// and the pipe is full, ends at the second Ctrl-C.
func TestInterruptedTwice(t *testing.T) {
	dir := t.TempDir()
	truth := filepath.Join(dir, "truth.jsonl")
	cmd := command(t, "local", "--messages", "10", "--dir", filepath.Join(dir, "data"), "--truth", truth, "--listen", "127.0.0.1:0")
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		t.Fatal(err)
	}
	read, write := os.NewFile(uintptr(ends[0]), "read"), os.NewFile(uintptr(ends[1]), "write")
	defer read.Close()
	defer write.Close()
	fill(t, ends[1])
	cmd.Stderr = write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer cmd.Process.Kill()
	// The next that it does is to say where it listens.
	eventually(t, "the truth file", func() bool { _, err := os.Stat(truth); return err == nil })

	interrupts := 0
	eventually(t, "the end", func() bool {
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if !errors.As(err, &exit) || !exit.Sys().(syscall.WaitStatus).Signaled() {
				t.Errorf("it ended by itself: %v", err)
			}
			return true
		default:
			interrupts++
			_ = cmd.Process.Signal(os.Interrupt) // fails if it has ended meanwhile
			return false
		}
	})
	if interrupts < 2 {
		t.Errorf("it ended at the first Ctrl-C: it was not waiting for its stderr")
	}
}

// fill writes to a pipe until it is full, and leaves it blocking.
func fill(t *testing.T, pipe int) {
	t.Helper()
	if err := syscall.SetNonblock(pipe, true); err != nil {
		t.Fatal(err)
	}
	var err error
	for block := make([]byte, 4096); err == nil; {
		_, err = syscall.Write(pipe, block)
	}
	if !errors.Is(err, syscall.EAGAIN) {
		t.Fatalf("filling a pipe: %v", err)
	}
	if err := syscall.SetNonblock(pipe, false); err != nil {
		t.Fatal(err)
	}
}
