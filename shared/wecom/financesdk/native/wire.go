package native

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// Kind says what a frame holds.
//
// What parent and child say to each other, over a pipe in each direction: frames
// of a length (4 bytes, of what follows), a kind (1 byte) and a body. Numbers are
// little-endian. A string is its length (4 bytes), its bytes, and a NUL byte that
// the length does not count, so that the child can hand it to the library where it
// stands. Parent and child are the same executable, so there are no versions.
//
//	open     path, then what the mode needs  → opened
//	opened   what is wrong as string, empty if nothing
//	result   code i32, content to the end of the frame
//
// All other kinds are the modes' own.
type Kind byte

// Kinds of frames that all modes have. A mode numbers its own from KindOwn on.
const (
	kindOpen Kind = iota + 1
	kindOpened
	KindResult

	KindOwn Kind = 16
)

const (
	headerLen = 5         // of a frame
	maxFrame  = 256 << 20 // bytes; a reply of 1,000 messages has 1 to 4 MB as a rule
	// readStep bounds what is allocated on the word of a length alone.
	readStep = 1 << 20
)

// Writer builds a frame in a buffer that is used again.
type Writer struct{ buf []byte }

func (w *Writer) start(k Kind) {
	w.buf = append(w.buf[:0], 0, 0, 0, 0, byte(k))
}

// U32 appends a number.
func (w *Writer) U32(v uint32) { w.buf = binary.LittleEndian.AppendUint32(w.buf, v) }

// U64 appends a number.
func (w *Writer) U64(v uint64) { w.buf = binary.LittleEndian.AppendUint64(w.buf, v) }

// Str appends a string.
func (w *Writer) Str(s string) {
	w.U32(uint32(len(s)))
	w.buf = append(w.buf, s...)
	w.buf = append(w.buf, 0)
}

// finish returns the frame; it is valid until the next start.
func (w *Writer) finish() ([]byte, error) {
	if len(w.buf)-4 > maxFrame {
		return nil, fmt.Errorf("a request of %d bytes is too large", len(w.buf))
	}
	binary.LittleEndian.PutUint32(w.buf, uint32(len(w.buf)-4))
	return w.buf, nil
}

// readFrame reads a frame; body is buf, grown where it must be.
func readFrame(r *bufio.Reader, buf []byte) (k Kind, body []byte, err error) {
	var head [headerLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := int(binary.LittleEndian.Uint32(head[:4])) - 1
	if size < 0 || size > maxFrame {
		return 0, nil, fmt.Errorf("frame of %d bytes: %w", size, ErrReply)
	}
	body = buf[:0]
	for len(body) < size {
		n := len(body)
		step := min(size-n, max(readStep, n)) // at most doubles on what has arrived
		if cap(body) < n+step {
			body = append(make([]byte, 0, n+step), body...)
		}
		body = body[:n+step]
		if _, err := io.ReadFull(r, body[n:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, nil, err
		}
	}
	return Kind(head[4]), body, nil
}

// Fields reads a body. After the first failure all reads fail, and Bad says so.
type Fields struct {
	rest []byte
	bad  bool
}

// NewFields reads a body from its beginning.
func NewFields(body []byte) *Fields { return &Fields{rest: body} }

// Bad says whether something was not there.
func (f *Fields) Bad() bool { return f.bad }

// Rest is what has not been read yet. It stays in the body.
func (f *Fields) Rest() []byte { return f.rest }

func (f *Fields) take(n int) []byte {
	if f.bad || n < 0 || n > len(f.rest) {
		f.bad = true
		return nil
	}
	out := f.rest[:n]
	f.rest = f.rest[n:]
	return out
}

// U8 returns a byte.
func (f *Fields) U8() byte {
	if b := f.take(1); b != nil {
		return b[0]
	}
	return 0
}

// U32 returns a number.
func (f *Fields) U32() uint32 {
	if b := f.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// U64 returns a number.
func (f *Fields) U64() uint64 {
	if b := f.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// CStr returns a string with its NUL byte, without copying it.
func (f *Fields) CStr() CString {
	n := f.U32()
	if n > maxFrame {
		f.bad = true
		return nil
	}
	b := f.take(int(n) + 1)
	if b == nil || b[n] != 0 {
		f.bad = true
		return nil
	}
	return CString(b[:len(b):len(b)])
}

// CString is bytes that end with a NUL byte.
type CString []byte

// NewCString appends the NUL byte.
func NewCString(s string) CString { return append(append(make(CString, 0, len(s)+1), s...), 0) }

// String is it without the NUL byte.
func (c CString) String() string {
	if len(c) == 0 {
		return ""
	}
	return string(c[:len(c)-1])
}

// Result reads the body of a result. content stays in the body.
func (f *Fields) Result() (code int32, content []byte, err error) {
	code = int32(f.U32())
	if f.bad {
		return 0, nil, fmt.Errorf("result: %w", ErrReply)
	}
	return code, f.rest, nil
}
