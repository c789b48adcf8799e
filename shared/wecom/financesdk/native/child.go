package native

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// child is a child process, seen from the parent. One call at a time.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	pipe   *os.File      // from it
	out    *bufio.Reader // buffers pipe
	config *Config
	exited chan struct{} // closed when cmd.ProcessState is set
	cause  atomic.Value  // Cause: why it was killed
	frame  Writer
}

// startChild starts a child and has it open the library. The error is a
// *LoadError, a *Death, or about the context or the operating system.
func startChild(ctx context.Context, config *Config) (*child, error) {
	c := &child{config: config, exited: make(chan struct{})}
	c.cmd = &exec.Cmd{
		Path: self, Args: []string{argv0, hostArg, config.Mode}, Env: []string{}, Dir: "/",
		SysProcAttr: ownGroup(),
	}
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	// Not StdoutPipe: Wait would close it before what the child said last is read.
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	c.cmd.Stdout = childOut
	err = c.cmd.Start()
	_ = childOut.Close()
	if err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("starting a process for WeCom's library: %w", err)
	}
	c.in, c.pipe, c.out = in, out, bufio.NewReaderSize(out, 64<<10)
	go func() {
		_ = c.cmd.Wait() // ProcessState tells
		close(c.exited)
	}()
	go c.watchMemory()
	if err := c.open(ctx); err != nil {
		c.kill(causeCanceled)
		c.discard()
		return nil, err
	}
	return c, nil
}

func (c *child) open(ctx context.Context) error {
	c.frame.start(kindOpen)
	c.frame.Str(c.config.Path)
	if c.config.Tell != nil {
		c.config.Tell(&c.frame)
	}
	frame, err := c.frame.finish()
	if err != nil {
		return err
	}
	return c.call(ctx, "start", c.config.StartTimeout, frame, func() error {
		f, err := c.next(kindOpened)
		if err != nil {
			return err
		}
		said := f.CStr().String()
		switch {
		case f.bad:
			return fmt.Errorf("opened: %w", ErrReply)
		case said != "":
			return &LoadError{Path: c.config.Path, Reason: said}
		}
		return nil
	})
}

// next reads a frame that must be of this kind.
func (c *child) next(want Kind) (*Fields, error) {
	k, body, err := readFrame(c.out, nil)
	if err == nil && k != want {
		err = fmt.Errorf("frame of kind %d, not %d: %w", k, want, ErrReply)
	}
	return NewFields(body), err
}

// call sends a frame and has read read the answer, within timeout. If the child
// dies of it, or has to be killed, the error is a *Death; if ctx ends, ctx's.
func (c *child) call(ctx context.Context, op string, timeout time.Duration, frame []byte, read func() error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	late := time.AfterFunc(timeout, func() { c.kill(CauseDeadline) })
	defer late.Stop()
	stop := context.AfterFunc(ctx, func() { c.kill(causeCanceled) })
	defer stop()

	_, err := c.in.Write(frame)
	if err == nil {
		err = read()
	}
	var load *LoadError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &load):
		return err
	case errors.Is(err, ErrReply):
		c.kill(CauseReply)
	}
	// A pipe that broke while the child lives: it is on its way out.
	select {
	case <-c.exited:
	case <-time.After(orphanTime):
		c.kill(CauseReply)
		<-c.exited
	}
	death := c.death(op)
	if death.Cause == causeCanceled && ctx.Err() != nil {
		return fmt.Errorf("%s: %w", op, ctx.Err())
	}
	return death
}

// kill ends the child; the first cause counts.
func (c *child) kill(why Cause) {
	c.cause.CompareAndSwap(nil, why)
	_ = c.cmd.Process.Kill() // it may have ended already
}

// death says how the child, which has exited, ended.
func (c *child) death(op string) *Death {
	d := &Death{Op: op, PID: c.cmd.Process.Pid, Status: c.cmd.ProcessState.ExitCode()}
	if status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		d.Signal = status.Signal()
	}
	if d.Signal == syscall.SIGKILL { // else it died before ours came
		d.Cause, _ = c.cause.Load().(Cause)
	}
	return d
}

func (c *child) dead() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// closeTime is how long a child may take to free its handle and exit.
const closeTime = 2 * time.Second

// close ends the child in order: it sees the end of the pipe.
func (c *child) close() {
	_ = c.in.Close()
	select {
	case <-c.exited:
	case <-time.After(closeTime):
		c.kill(causeCanceled)
	}
	c.discard()
}

// discard waits until the child, which was killed or died, is gone.
func (c *child) discard() {
	<-c.exited
	_ = c.in.Close()
	_ = c.pipe.Close()
}

const memoryWatch = 250 * time.Millisecond

// watchMemory kills the child when it grows far beyond what it may have.
func (c *child) watchMemory() {
	ticker := time.NewTicker(memoryWatch)
	defer ticker.Stop()
	for {
		select {
		case <-c.exited:
			return
		case <-ticker.C:
			if c.resident() > 2*c.config.MaxResident {
				c.kill(CauseMemory)
			}
		}
	}
}

// resident is the child's resident memory in bytes; 0: not known.
func (c *child) resident() int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(c.cmd.Process.Pid) + "/statm")
	if err != nil {
		return 0
	}
	parts := strings.Fields(string(text))
	if len(parts) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(parts[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
