//go:build linux && (amd64 || arm64)

package native

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

// Exit statuses of a child that ends of itself.
const (
	statusEOF      = 0
	statusOrphan   = 70 // its parent is gone while the library was at work
	statusConfine  = 71 // it could not give up its rights
	statusProtocol = 72 // it did not understand its parent, or could not answer
)

// Host is a mode of child processes: what they use the library for.
type Host struct {
	Mode string
	// Serve makes ready what was loaded; told is what the parent's Config.Tell wrote.
	// An error means that the library cannot be used.
	Serve func(lib *Library, told *Fields) (Handler, error)
}

// Handler makes the calls that a parent asks for, one after the other.
type Handler interface {
	// Answer makes a call. Its error means that parent and child do not understand
	// each other, or the library makes no sense; what the library refuses is an
	// answer.
	Answer(k Kind, f *Fields, to *Answers) error
	// Close ends the use of the library in order.
	Close()
}

// Run runs the calling process as a child of a Pool, if args (os.Args) say so.
func (h Host) Run(args []string) (status int, host bool) {
	if len(args) < hostArgs || args[1] != hostArg || args[2] != h.Mode {
		return 0, false
	}
	if len(args) < confinedArgs || args[3] != confinedArg {
		_ = confine(h.Mode) // its stderr goes nowhere; the status tells
		return statusConfine, true
	}
	if err := settle(); err != nil {
		return statusConfine, true
	}
	in, out, err := takePipes()
	if err != nil {
		return statusConfine, true
	}
	runtime.GOMAXPROCS(2) // one works, one waits for the parent's end
	s := server{host: h, in: in, out: bufio.NewWriterSize(out, 64<<10)}
	if err := s.serve(); err != nil {
		return statusProtocol, true
	}
	return statusEOF, true
}

// server is the child's side of the conversation.
type server struct {
	host    Host
	in      io.Reader
	out     *bufio.Writer
	handler Handler // nil: the library is not open
}

type request struct {
	kind Kind
	body []byte
	err  error
}

// serve answers requests until the parent closes the pipe. All calls of the
// library are made on one thread.
func (s *server) serve() error {
	runtime.LockOSThread()
	requests, free := make(chan request), make(chan []byte, 2)
	free <- nil
	free <- nil
	go s.read(requests, free)
	for r := range requests {
		if r.err != nil {
			return r.err
		}
		if err := s.answer(r); err != nil {
			return err
		}
		if err := s.out.Flush(); err != nil {
			return err
		}
		if cap(r.body) > readStep {
			r.body = nil // do not keep a buffer for the largest request ever
		}
		free <- r.body
	}
	if s.handler != nil {
		s.handler.Close()
	}
	return nil
}

// read reads ahead, so that it notices at once when the parent is gone: the
// library may hang.
func (s *server) read(requests chan<- request, free <-chan []byte) {
	r := bufio.NewReaderSize(s.in, 64<<10)
	for {
		k, body, err := readFrame(r, <-free)
		if errors.Is(err, io.EOF) {
			time.AfterFunc(orphanTime, func() { os.Exit(statusOrphan) })
			close(requests)
			return
		}
		requests <- request{k, body, err}
		if err != nil {
			return
		}
	}
}

func (s *server) answer(r request) error {
	f := NewFields(r.body)
	switch {
	case r.kind == kindOpen:
		return s.open(f)
	case s.handler == nil:
		return errors.New("asked before the library was opened")
	}
	return s.handler.Answer(r.kind, f, &Answers{s.out})
}

// open loads the library for what the parent wants of it.
func (s *server) open(f *Fields) error {
	path := f.CStr()
	if f.bad || s.handler != nil {
		return errors.New("cannot open")
	}
	said := ""
	lib, err := Load(path.String())
	if err == nil {
		s.handler, err = s.host.Serve(lib, f)
	}
	switch {
	case f.bad:
		return errors.New("cannot open")
	case err != nil:
		s.handler, said = nil, err.Error()
	}
	var w Writer
	w.start(kindOpened)
	w.Str(said)
	frame, err := w.finish()
	if err != nil {
		return err
	}
	_, err = s.out.Write(frame)
	return err
}

// Answers is where a Handler writes to.
type Answers struct{ out *bufio.Writer }

// Content writes a result that succeeded.
func (a *Answers) Content(content []byte) error { return a.Frame(KindResult, 0, content) }

// Refusal writes a result that is only a code, unless the content is written.
func (a *Answers) Refusal(code int32, err error) error {
	if err != nil || code == 0 {
		return err
	}
	return a.Frame(KindResult, code)
}

// Frame writes an answer of a code and what follows it.
func (a *Answers) Frame(k Kind, code int32, parts ...[]byte) error {
	size := 4 // of the code
	for _, part := range parts {
		size += len(part)
	}
	if size > maxFrame-headerLen {
		return fmt.Errorf("answer of %d bytes: %w", size, ErrReply)
	}
	var b [headerLen + 4]byte
	binary.LittleEndian.PutUint32(b[:], uint32(1+size))
	b[4] = byte(k)
	binary.LittleEndian.PutUint32(b[headerLen:], uint32(code))
	// A failure of the head shows with what follows, or at the next Flush.
	_, _ = a.out.Write(b[:])
	for _, part := range parts {
		if _, err := a.out.Write(part); err != nil {
			return err
		}
	}
	return nil
}
