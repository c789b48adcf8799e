package financesdk

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"wecom-archive/shared/wecom"
)

// What parent and child say to each other, over a pipe in each direction: frames
// of a length (4 bytes, of what follows), a kind (1 byte) and a body. Numbers are
// little-endian. A string is its length (4 bytes), its bytes, and a NUL byte that
// the length does not count, so that the child can hand it to the library where it
// stands. Parent and child are the same executable, so there are no versions.
//
//	open     corpid, secret, proxy, password, timeout u32 (s), path          → opened
//	decrypt  count u32, then key and message of each                          → a result for each, in order
//	chats    seq u64, limit u32                                               → result
//	media    index, sdkfileid                                                 → media
//
//	opened   what is wrong as string, empty if nothing
//	result   code i32, content to the end of the frame
//	media    code i32, last u8, next index as string, content to the end of the frame
type kind byte

const (
	kindOpen kind = iota + 1
	kindDecrypt
	kindChats
	kindMedia
	kindOpened
	kindResult
	kindMediaSlice
)

const (
	headerLen = 5         // of a frame
	maxFrame  = 256 << 20 // bytes; a reply of 1,000 messages has 1 to 4 MB as a rule
	// readStep bounds what is allocated on the word of a length alone.
	readStep = 1 << 20
)

// frameWriter builds a frame in a buffer that is used again.
type frameWriter struct{ buf []byte }

func (w *frameWriter) start(k kind) {
	w.buf = append(w.buf[:0], 0, 0, 0, 0, byte(k))
}

func (w *frameWriter) u32(v uint32) { w.buf = binary.LittleEndian.AppendUint32(w.buf, v) }
func (w *frameWriter) u64(v uint64) { w.buf = binary.LittleEndian.AppendUint64(w.buf, v) }

func (w *frameWriter) str(s string) {
	w.u32(uint32(len(s)))
	w.buf = append(w.buf, s...)
	w.buf = append(w.buf, 0)
}

// finish returns the frame; it is valid until the next start.
func (w *frameWriter) finish() ([]byte, error) {
	if len(w.buf)-4 > maxFrame {
		return nil, fmt.Errorf("a request of %d bytes is too large", len(w.buf))
	}
	binary.LittleEndian.PutUint32(w.buf, uint32(len(w.buf)-4))
	return w.buf, nil
}

// readFrame reads a frame; body is buf, grown where it must be.
func readFrame(r *bufio.Reader, buf []byte) (k kind, body []byte, err error) {
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
	return kind(head[4]), body, nil
}

// fields reads a body. After the first failure all reads fail, and bad is set.
type fields struct {
	rest []byte
	bad  bool
}

func (f *fields) take(n int) []byte {
	if f.bad || n < 0 || n > len(f.rest) {
		f.bad = true
		return nil
	}
	out := f.rest[:n]
	f.rest = f.rest[n:]
	return out
}

func (f *fields) u8() byte {
	if b := f.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (f *fields) u32() uint32 {
	if b := f.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (f *fields) u64() uint64 {
	if b := f.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// cstr returns a string with its NUL byte, without copying it.
func (f *fields) cstr() cstring {
	n := f.u32()
	if n > maxFrame {
		f.bad = true
		return nil
	}
	b := f.take(int(n) + 1)
	if b == nil || b[n] != 0 {
		f.bad = true
		return nil
	}
	return cstring(b[:len(b):len(b)])
}

// cstring is bytes that end with a NUL byte.
type cstring []byte

func newCString(s string) cstring { return append(append(make(cstring, 0, len(s)+1), s...), 0) }

func (c cstring) String() string {
	if len(c) == 0 {
		return ""
	}
	return string(c[:len(c)-1])
}

func (w *frameWriter) open(c Config) ([]byte, error) {
	w.start(kindOpen)
	w.str(c.Corp)
	w.str(c.Secret)
	w.str(c.Proxy)
	w.str(c.ProxyPassword)
	w.u32(uint32(seconds(c.NetworkTimeout)))
	w.str(c.Path)
	return w.finish()
}

func (w *frameWriter) decrypt(batch []wecom.Sealed) ([]byte, error) {
	w.start(kindDecrypt)
	w.u32(uint32(len(batch)))
	for _, s := range batch {
		w.str(s.Key)
		w.str(s.Message)
	}
	return w.finish()
}

func (w *frameWriter) chats(seq uint64, limit uint32) ([]byte, error) {
	w.start(kindChats)
	w.u64(seq)
	w.u32(limit)
	return w.finish()
}

func (w *frameWriter) media(index, fileID string) ([]byte, error) {
	w.start(kindMedia)
	w.str(index)
	w.str(fileID)
	return w.finish()
}

// result reads the body of a result frame. content stays in body.
func result(body []byte) (code int32, content []byte, err error) {
	f := fields{rest: body}
	code = int32(f.u32())
	if f.bad {
		return 0, nil, fmt.Errorf("result: %w", ErrReply)
	}
	return code, f.rest, nil
}

// mediaSlice reads the body of a media frame. Data stays in body.
func mediaSlice(body []byte) (code int32, s wecom.MediaSlice, err error) {
	f := fields{rest: body}
	code = int32(f.u32())
	s.Last = f.u8() != 0
	s.Next = f.cstr().String()
	if f.bad {
		return 0, wecom.MediaSlice{}, fmt.Errorf("media: %w", ErrReply)
	}
	s.Data = f.rest
	return code, s, nil
}
