package native

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// frameOf is a frame of one kind with these strings.
func frameOf(k Kind, strs ...string) ([]byte, error) {
	var w Writer
	w.start(k)
	w.U32(uint32(len(strs)))
	for _, s := range strs {
		w.Str(s)
	}
	w.U64(1 << 63)
	return w.finish()
}

// TestRequests: what the parent writes the child reads, whatever it is.
func TestRequests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		strs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOf(rapid.Byte()).Draw(t, "string")) }), 0, 10).Draw(t, "strings")
		frame, err := frameOf(KindOwn, strs...)
		if err != nil {
			t.Fatal(err)
		}
		k, body, err := readFrame(bufio.NewReader(bytes.NewReader(frame)), nil)
		if err != nil || k != KindOwn {
			t.Fatalf("kind %d, %v", k, err)
		}
		f := NewFields(body)
		if n := f.U32(); int(n) != len(strs) {
			t.Fatalf("%d strings, want %d", n, len(strs))
		}
		for _, want := range strs {
			if s := f.CStr(); s.String() != want || s[len(s)-1] != 0 {
				t.Fatalf("%q, want %q", s, want)
			}
		}
		if n := f.U64(); n != 1<<63 || f.Bad() || len(f.Rest()) != 0 {
			t.Fatalf("number %d, %d bytes are left", n, len(f.Rest()))
		}
	})
}

// TestBrokenFrames: what is cut off or too long is an error, and allocates no more
// than has arrived.
func TestBrokenFrames(t *testing.T) {
	frame, err := frameOf(KindOwn, "index", "file")
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(frame) {
		want := io.ErrUnexpectedEOF
		if n == 0 {
			want = io.EOF
		}
		if _, _, err := readFrame(bufio.NewReader(bytes.NewReader(frame[:n])), nil); !errors.Is(err, want) {
			t.Errorf("%d bytes of it: %v, want %v", n, err, want)
		}
	}
	for _, head := range []string{"\x00\x00\x00\x00\x01", "\xff\xff\xff\xff\x01", "\x02\x00\x00\x10\x01"} {
		if _, _, err := readFrame(bufio.NewReader(strings.NewReader(head)), nil); !errors.Is(err, ErrReply) {
			t.Errorf("length %q: %v", head, err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, err := readFrame(bufio.NewReader(strings.NewReader("\x00\x00\x00\x10\x01abc")), nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("256 MB announced: %v", err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 4*readStep {
		t.Errorf("%d bytes allocated for three", got)
	}
}

func TestLargeFrame(t *testing.T) {
	large := strings.Repeat("0123456789", 1<<20)
	frame, err := frameOf(KindOwn, "k", large)
	if err != nil {
		t.Fatal(err)
	}
	_, body, err := readFrame(bufio.NewReader(bytes.NewReader(frame)), make([]byte, 100))
	if err != nil || !bytes.Equal(body, frame[headerLen:]) {
		t.Errorf("%d bytes, want %d: %v", len(body), len(frame)-headerLen, err)
	}
}

// FuzzFrame reads what a child whose memory is damaged may say.
func FuzzFrame(f *testing.F) {
	for _, strs := range [][]string{{"key", "message"}, {}, {"", "file"}, {"/lib.so", "ww1", "s"}} {
		frame, err := frameOf(KindOwn, strs...)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Add([]byte("\x09\x00\x00\x00\x03\x00\x00\x00\x00text"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, body, err := readFrame(bufio.NewReader(bytes.NewReader(data)), nil)
		if err != nil {
			return
		}
		if len(body) > len(data)-headerLen {
			t.Fatalf("%d bytes of %d", len(body), len(data))
		}
		if _, content, err := NewFields(body).Result(); err == nil && len(content) != len(body)-4 {
			t.Fatalf("content of %d bytes in %d", len(content), len(body))
		}
		// As the child reads it: strings must end with a NUL byte inside of it, since the
		// library reads up to one.
		in := NewFields(body)
		for n := min(in.U32(), 1<<16); n > 0; n-- {
			s := in.CStr()
			if in.Bad() {
				return
			}
			if len(s) == 0 || s[len(s)-1] != 0 {
				t.Fatalf("string %q does not end", s)
			}
		}
	})
}
