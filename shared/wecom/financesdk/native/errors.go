package native

import (
	"errors"
	"fmt"
	"syscall"
)

var (
	// ErrUnsupported: there is no library for this operating system or processor.
	ErrUnsupported = errors.New("WeCom's library exists for Linux on x86-64 and ARM64 only")
	// ErrNUL: a string holds a NUL byte, behind which the library would not read.
	ErrNUL = errors.New("a string for the library holds a NUL byte")
	// ErrClosed: the pool is closed.
	ErrClosed = errors.New("the pool of WeCom's library is closed")
	// ErrReply: the library, or a child, answered something that makes no sense.
	ErrReply = errors.New("senseless answer")
)

// LoadError says that the library cannot be used: trying again does not help.
type LoadError struct {
	Path   string
	Reason string // what the loader or the library said
}

// Error says which file and why.
func (e *LoadError) Error() string {
	return fmt.Sprintf("loading WeCom's library %s: %s", e.Path, e.Reason)
}

// Cause says why a child was ended by its parent.
type Cause string

// Causes. CauseNone: nobody ended it, it died.
const (
	CauseNone     Cause = ""
	CauseDeadline Cause = "call took too long"
	CauseMemory   Cause = "memory grew too large"
	CauseReply    Cause = "senseless answer"
	causeCanceled Cause = "call was cancelled"
)

// Death is the end of a child process that was at work.
type Death struct {
	Op     string         // what it was doing: "DecryptData", "start", ...
	PID    int            // of the child
	Signal syscall.Signal // that ended it; 0: it exited
	Status int            // exit status; -1 if a signal ended it
	Cause  Cause
}

// Error says how it died and in which call.
func (d *Death) Error() string {
	how := fmt.Sprintf("exit status %d", d.Status)
	if d.Signal != 0 {
		how = fmt.Sprintf("signal %d (%s)", int(d.Signal), d.Signal)
	}
	if d.Cause != CauseNone {
		how = fmt.Sprintf("killed: %s", d.Cause)
	}
	return fmt.Sprintf("process of WeCom's library (pid %d) died in %s: %s", d.PID, d.Op, how)
}

// Blames says whether what the child was given can have caused its death. A
// signal that only other processes send, like that of a machine out of memory, is
// no message's fault.
func (d *Death) Blames() bool {
	switch {
	case d.Cause == causeCanceled:
		return false
	case d.Cause != CauseNone:
		return true
	}
	return !fromOutside(d.Signal)
}
