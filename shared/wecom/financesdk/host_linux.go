//go:build linux && (amd64 || arm64)

package financesdk

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

// RunHost runs the calling process as a child of a Pool, if args (os.Args) say so.
// A program that opens a Pool calls it first thing in main, and tests in TestMain:
//
//	if status, host := financesdk.RunHost(os.Args); host {
//		os.Exit(status)
//	}
func RunHost(args []string) (status int, host bool) {
	if len(args) < 2 || args[1] != hostMode {
		return 0, false
	}
	if len(args) < 3 || args[2] != confinedMode {
		_ = confine() // its stderr goes nowhere; the status tells
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
	s := server{in: in, out: bufio.NewWriterSize(out, 64<<10)}
	if err := s.serve(); err != nil {
		return statusProtocol, true
	}
	return statusEOF, true
}

// server is the child's side of the conversation.
type server struct {
	in     io.Reader
	out    *bufio.Writer
	lib    *Library
	handle *Handle
}

type request struct {
	kind kind
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
	if s.handle != nil {
		s.handle.Destroy()
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
	f := &fields{rest: r.body}
	if r.kind != kindOpen && s.lib == nil {
		return errors.New("asked before the library was opened")
	}
	switch r.kind {
	case kindOpen:
		return s.open(f)
	case kindDecrypt:
		return s.decrypt(f)
	case kindChats:
		seq, limit := f.u64(), f.u32()
		if f.bad || s.handle == nil {
			return errors.New("cannot fetch chats")
		}
		code, err := s.handle.chats(seq, limit, s.content)
		return s.refusal(code, err)
	case kindMedia:
		index, fileID := f.cstr(), f.cstr()
		if f.bad || s.handle == nil {
			return errors.New("cannot fetch media")
		}
		return s.media(index, fileID)
	}
	return fmt.Errorf("request of kind %d", r.kind)
}

// open loads the library, and shows with a harmless call that it works at all:
// without that, a library that dies of everything would have each message blamed.
func (s *server) open(f *fields) error {
	corp, secret, proxy, password := f.cstr(), f.cstr(), f.cstr(), f.cstr()
	timeout, path := f.u32(), f.cstr()
	if f.bad || s.lib != nil {
		return errors.New("cannot open")
	}
	said := ""
	lib, err := Load(path.String())
	var load *LoadError
	switch {
	case errors.As(err, &load):
		said = load.Reason
	case err != nil:
		said = err.Error()
	default:
		s.lib = lib
		if _, err := lib.decrypt(newCString(harmlessKey), newCString(harmlessMessage), func([]byte) error { return nil }); err != nil {
			said = err.Error()
		}
	}
	if said == "" && corp.String() != "" {
		if s.handle, err = s.lib.NewHandle(corp.String(), secret.String(), proxy.String(), password.String(), time.Duration(timeout)*time.Second); err != nil {
			said = err.Error()
		}
	}
	var w frameWriter
	w.start(kindOpened)
	w.str(said)
	frame, err := w.finish()
	if err != nil {
		return err
	}
	_, err = s.out.Write(frame)
	return err
}

// The vendor's library answers 10008 to these (wecom-facts §11).
const (
	harmlessKey     = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	harmlessMessage = "AAAAAAAAAAAAAAAAAAAAAA=="
)

func (s *server) decrypt(f *fields) error {
	for n := f.u32(); n > 0; n-- {
		key, message := f.cstr(), f.cstr()
		if f.bad {
			return errors.New("cannot read a batch")
		}
		code, err := s.lib.decrypt(key, message, s.content)
		if err := s.refusal(code, err); err != nil {
			return err
		}
	}
	return nil
}

// content writes a result that succeeded.
func (s *server) content(content []byte) error {
	if len(content) > maxFrame-headerLen-4 {
		return fmt.Errorf("content of %d bytes: %w", len(content), ErrReply)
	}
	s.head(kindResult, 4+len(content), 0)
	_, err := s.out.Write(content)
	return err
}

// refusal writes a result that is only a code, unless the content is written.
func (s *server) refusal(code int32, err error) error {
	if err != nil || code == 0 {
		return err
	}
	s.head(kindResult, 4, code)
	return nil
}

// head writes length, kind and code. A failure shows at the next Flush.
func (s *server) head(k kind, size int, code int32) {
	var b [headerLen + 4]byte
	binary.LittleEndian.PutUint32(b[:], uint32(1+size))
	b[4] = byte(k)
	binary.LittleEndian.PutUint32(b[headerLen:], uint32(code))
	_, _ = s.out.Write(b[:])
}

func (s *server) media(index, fileID cstring) error {
	code, err := s.handle.media(index, fileID, func(data, next []byte, last bool) error {
		return s.mediaSlice(0, data, trimNUL(next), last)
	})
	if err != nil || code == 0 {
		return err
	}
	return s.mediaSlice(code, nil, nil, false)
}

func (s *server) mediaSlice(code int32, data, next []byte, last bool) error {
	if len(data)+len(next) > maxFrame-headerLen-16 {
		return fmt.Errorf("slice of %d bytes: %w", len(data), ErrReply)
	}
	s.head(kindMediaSlice, 4+1+4+len(next)+1+len(data), code)
	flag := byte(0)
	if last {
		flag = 1
	}
	head := binary.LittleEndian.AppendUint32([]byte{flag}, uint32(len(next)))
	for _, part := range [][]byte{head, next, {0}, data} {
		if _, err := s.out.Write(part); err != nil {
			return err
		}
	}
	return nil
}
