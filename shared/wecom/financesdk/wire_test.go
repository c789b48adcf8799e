package financesdk

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"wecom-archive/shared/wecom"
)

// TestRequests: what the parent writes the child reads, whatever it is.
func TestRequests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batch := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) wecom.Sealed {
			return wecom.Sealed{Key: string(rapid.SliceOf(rapid.Byte()).Draw(t, "key")), Message: string(rapid.SliceOf(rapid.Byte()).Draw(t, "message"))}
		}), 0, 5).Draw(t, "batch")
		var w frameWriter
		frame, err := w.decrypt(batch)
		if err != nil {
			t.Fatal(err)
		}
		k, body, err := readFrame(bufio.NewReader(bytes.NewReader(frame)), nil)
		if err != nil || k != kindDecrypt {
			t.Fatalf("kind %d, %v", k, err)
		}
		f := fields{rest: body}
		if n := f.u32(); int(n) != len(batch) {
			t.Fatalf("%d messages, want %d", n, len(batch))
		}
		for _, want := range batch {
			key, message := f.cstr(), f.cstr()
			if key.String() != want.Key || message.String() != want.Message || key[len(key)-1] != 0 || message[len(message)-1] != 0 {
				t.Fatalf("%q %q, want %q %q", key, message, want.Key, want.Message)
			}
		}
		if f.bad || len(f.rest) != 0 {
			t.Fatalf("%d bytes are left", len(f.rest))
		}
	})
}

// TestBrokenFrames: what is cut off or too long is an error, and allocates no more
// than has arrived.
func TestBrokenFrames(t *testing.T) {
	var w frameWriter
	frame, err := w.media("index", "file")
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
	var w frameWriter
	frame, err := w.decrypt([]wecom.Sealed{{Key: "k", Message: large}})
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
	var w frameWriter
	for _, make := range []func() ([]byte, error){
		func() ([]byte, error) { return w.decrypt([]wecom.Sealed{{Key: "key", Message: "message"}}) },
		func() ([]byte, error) { return w.chats(1<<63, 1000) },
		func() ([]byte, error) { return w.media("", "file") },
		func() ([]byte, error) { return w.open(Config{Corp: "ww1", Secret: "s", Path: "/lib.so"}) },
	} {
		frame, err := make()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Clone(frame))
	}
	f.Add([]byte("\x09\x00\x00\x00\x06\x00\x00\x00\x00text"))
	f.Add([]byte("\x0e\x00\x00\x00\x07\x00\x00\x00\x00\x01\x02\x00\x00\x00ab\x00data"))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, body, err := readFrame(bufio.NewReader(bytes.NewReader(data)), nil)
		if err != nil {
			return
		}
		if len(body) > len(data)-headerLen {
			t.Fatalf("%d bytes of %d", len(body), len(data))
		}
		if _, content, err := result(body); err == nil && len(content) != len(body)-4 {
			t.Fatalf("content of %d bytes in %d", len(content), len(body))
		}
		if _, s, err := mediaSlice(body); err == nil && len(s.Data)+len(s.Next)+4+1+4+1 != len(body) {
			t.Fatalf("media of %d and %d bytes in %d", len(s.Data), len(s.Next), len(body))
		}
		fuzzRequest(t, k, body)
	})
}

// fuzzRequest reads a body as the child does: strings must end with a NUL byte
// inside of it, since the library reads up to one.
func fuzzRequest(t *testing.T, k kind, body []byte) {
	f := &fields{rest: body}
	strs := 0
	switch k {
	case kindDecrypt:
		strs = int(min(f.u32(), 1<<16)) * 2
	case kindMedia:
		strs = 2
	case kindOpen:
		strs = 4
	}
	for range strs {
		s := f.cstr()
		if f.bad {
			return
		}
		if len(s) == 0 || s[len(s)-1] != 0 {
			t.Fatalf("string %q does not end", s)
		}
	}
}
