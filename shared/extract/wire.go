package extract

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"wecom-archive/shared/store"
)

// errShort is what every read beyond the end of a section comes to.
var errShort = errors.New("it is cut off, or a number in it is too large")

// reader takes numbers and names off bytes; after the first error everything is zero.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail() {
	if r.err == nil {
		r.rest, r.err = nil, errShort
	}
}

func (r *reader) unsigned() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) signed() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// below is a number less than n.
func (r *reader) below(n int) int {
	v := r.unsigned()
	if v >= uint64(max(n, 0)) {
		r.fail()
		return 0
	}
	return int(v)
}

// count is of things that take at least a byte each.
func (r *reader) count() int { return r.below(len(r.rest) + 1) }

func (r *reader) bytes(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.fail()
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes are left at its end", len(r.rest))
	}
	return r.err
}

func appendName(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// Sections are a few MB at most: a row group is cut at some MB of messages, though one
// message alone may be larger.
const maxSection = 1 << 30

// codecs are made once: they hold no state between frames, and both are safe for
// concurrent use.
var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1)) // fails for wrong options
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxSection))
		return d
	})
)

// check verifies the bytes of a section.
func (s Section) check(data []byte) error {
	if int64(len(data)) != s.Length || sumOf(data) != s.Sum {
		return errors.New("differs from its SHA-256")
	}
	return nil
}

// unpack verifies a section and unpacks it into a buffer, which it returns.
func (s Section) unpack(buffer, data []byte) ([]byte, error) {
	if err := s.check(data); err != nil {
		return nil, err
	}
	return decoder().DecodeAll(data, buffer[:0])
}

// unpackedSize is what a packed section says of itself.
func unpackedSize(data []byte) int64 {
	var h zstd.Header
	if h.Decode(data) != nil || !h.HasFCS || h.FrameContentSize > maxSection {
		return maxSection
	}
	return int64(h.FrameContentSize)
}

// streamOf unpacks a section a part at a time. It keeps about 32 MB at most: what the
// encoder looks back.
func streamOf(data []byte) (io.ReadCloser, error) {
	d, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxSection))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

// damaged says what was read.
func (b *Block) damaged(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s of row group %d: %w: %w", what, b.Group, store.ErrDamaged, err)
}
