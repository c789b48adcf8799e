package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"

	"wecom-archive/shared/store"
)

// PageFormat is the version of the stored page. Whoever changes what a reader
// must know to read a page raises it, keeps reading the older ones for ever (they
// are locked), and describes both in docs/format.md.
const PageFormat = 1

// MaxReplySize bounds what DecodePage unpacks, in bytes. A reply of 1,000
// envelopes has about 1 MB; the library's own slices end at 2 GiB.
const MaxReplySize = 1 << 30

// maxHeaderSize bounds the header frame, in bytes.
const maxHeaderSize = 1 << 20

// headerMagic marks a zstd skippable frame (RFC 8878 §3.1.2): decoders pass it
// over, so any zstd tool yields exactly WeCom's reply.
const headerMagic = 0x184D2A50

// PageHeader holds the facts about a page that its bytes do not show.
type PageHeader struct {
	Format     int       `json:"format"` // PageFormat
	Corp       string    `json:"corp"`   // corpid
	SeqAsked   uint64    `json:"seq_asked"`
	Limit      int       `json:"limit"` // most envelopes asked for
	FirstSeq   uint64    `json:"first_seq"`
	LastSeq    uint64    `json:"last_seq"` // the cursor after this page
	Count      int       `json:"count"`    // envelopes
	Size       int64     `json:"size"`     // bytes of the reply
	SHA256     string    `json:"sha256"`   // of the reply, hex
	PulledAt   time.Time `json:"pulled_at"`
	Run        string    `json:"run"`
	Program    string    `json:"program"`     // our version
	SDKVersion string    `json:"sdk_version"` // of WeCom's library
	SDKSHA256  string    `json:"sdk_sha256"`  // of the library's file, hex; empty for the simulator

	// Gap says that WeCom may have dropped messages before this page: it is the
	// first one after five days without a pull that reached the end.
	Gap bool `json:"gap"`

	// Of an alternate: a page asked for again, since what stood there is missing or
	// cannot be read. Its reply is all that WeCom had of (SeqAsked, Until].
	Alternate int    `json:"alternate,omitempty"` // its number, from 1; 0: a page
	Until     uint64 `json:"until,omitempty"`
	Stem      string `json:"stem,omitempty"` // day of its segment, which may be older than itself

	HeaderSHA256 string `json:"header_sha256"` // of this header; set by EncodePage
}

// Page is one stored page.
type Page struct {
	Header PageHeader
	Reply  []byte // exactly what GetChatData returned
}

// ErrNewFormat: what is stored is of a later version of this program.
var ErrNewFormat = errors.New("format is newer than this program")

// EncodePage packs a reply and the facts about it. Size, the hashes and Format of
// the header are set here. It refuses what DecodePage would not read back: a
// stored page cannot be mended, and the cursor never gets past one.
func EncodePage(h PageHeader, reply []byte) ([]byte, error) {
	sum := sha256.Sum256(reply)
	h.Format, h.Size, h.SHA256, h.HeaderSHA256 = PageFormat, int64(len(reply)), hex.EncodeToString(sum[:]), Unsealed
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("page header: %w", err)
	}
	if h.Size > MaxReplySize {
		return nil, fmt.Errorf("a reply of %d bytes, at most %d fit", h.Size, MaxReplySize)
	}
	return packWithHeader(h, reply, HeaderProbe-8)
}

// check refuses a header that cannot be that of a page.
func (h PageHeader) check() error {
	if h.LastSeq <= h.SeqAsked || h.Count < 1 {
		return fmt.Errorf("asked %d, last %d, count %d", h.SeqAsked, h.LastSeq, h.Count)
	}
	if h.Alternate == 0 {
		if h.Until != 0 || h.Stem != "" {
			return fmt.Errorf("until %d, stem %q, and no alternate", h.Until, h.Stem)
		}
		return nil
	}
	if _, err := time.Parse(time.DateOnly, h.Stem); err != nil || h.Alternate < 0 || h.Alternate > MaxAlternate || h.Until < h.LastSeq {
		return fmt.Errorf("alternate %d, last %d, until %d, stem %q", h.Alternate, h.LastSeq, h.Until, h.Stem)
	}
	return nil
}

// Key is where the page belongs.
func (h PageHeader) Key() string {
	if h.Alternate > 0 {
		return AlternateKey(h.SeqAsked, h.Alternate)
	}
	return PageKey(h.SeqAsked)
}

// End is where the stretch of the stream ends that the page has: all of it after
// SeqAsked up to here.
func (h PageHeader) End() uint64 { return max(h.LastSeq, h.Until) }

// FirstPosition is the position of the page's first envelope: those of a page and of
// its alternates differ, since their rows stand in the same segment.
func (h PageHeader) FirstPosition() int { return h.Alternate << alternateBits }

const alternateBits = 20

// AlternateOf says which alternate a position is of; 0: of the page itself.
func AlternateOf(position int) int { return position >> alternateBits }

// Filed is the header with a PulledAt on the day of its segment, by which keys are
// made: that of an alternate may be an earlier or a later day. Rows say this time, so
// that dt= of a segment is always the date of its rows' pulled_at.
func (h PageHeader) Filed(stem string) PageHeader {
	day, err := time.Parse(time.DateOnly, stem)
	if err != nil || Day(h.PulledAt) == stem {
		return h
	}
	if h.PulledAt.After(day) {
		day = day.AddDate(0, 0, 1).Add(-time.Millisecond)
	}
	h.PulledAt = day
	return h
}

func packWithHeader(header any, body []byte, maxHeader int) ([]byte, error) {
	head, err := json.Marshal(header)
	if err != nil {
		return nil, fmt.Errorf("encoding the header: %w", err)
	}
	if err := Seal(head, headerSeal); err != nil {
		return nil, fmt.Errorf("encoding the header: %w", err)
	}
	if len(head) > maxHeader {
		return nil, fmt.Errorf("a header of %d bytes, at most %d fit", len(head), maxHeader)
	}
	out := make([]byte, 8, 8+len(head)+len(body)/2)
	binary.LittleEndian.PutUint32(out[0:], headerMagic)
	binary.LittleEndian.PutUint32(out[4:], uint32(len(head)))
	out = append(out, head...)

	// Single goroutine: pages are packed while other work keeps the cores busy.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("starting zstd: %w", err)
	}
	defer enc.Close()
	return enc.EncodeAll(body, out), nil
}

// DecodePageHeader reads the header from the beginning of a stored page, without
// the reply. HeaderProbe bytes are enough for every page that this program
// writes.
func DecodePageHeader(stored []byte) (PageHeader, error) {
	var h PageHeader
	if err := decodeHeader(stored, &h); err != nil {
		return PageHeader{}, fmt.Errorf("page header: %w", err)
	}
	if err := h.check(); err != nil {
		return PageHeader{}, fmt.Errorf("page header: %w: %w", store.ErrDamaged, err)
	}
	return h, nil
}

// decodeHeader decodes the header of a page or reject, if it is as it was stored.
func decodeHeader(stored []byte, header any) error {
	head, _, err := splitHeader(stored)
	if err != nil {
		return err
	}
	// Before the format: every format keeps the seal.
	if err := CheckSeal(head, headerSeal); err != nil {
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return decodeJSON(head, PageFormat, header)
}

// decodeJSON decodes a stored document. Its format is looked at first and by
// itself: in a newer one any other field may have changed.
func decodeJSON(doc []byte, newest int, v any) error {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(doc, &version); err != nil {
		return fmt.Errorf("%w: %s", store.ErrDamaged, JSONFault(err))
	}
	switch {
	case version.Format > newest:
		return fmt.Errorf("format %d: %w", version.Format, ErrNewFormat)
	case version.Format < 1:
		return fmt.Errorf("format %d: %w", version.Format, store.ErrDamaged)
	}
	if err := json.Unmarshal(doc, v); err != nil {
		return fmt.Errorf("%w: %s", store.ErrDamaged, JSONFault(err))
	}
	return nil
}

// HeaderProbe is how many bytes of a page to read for its header.
const HeaderProbe = 4 << 10

func splitHeader(stored []byte) (head, rest []byte, err error) {
	if len(stored) < 8 || binary.LittleEndian.Uint32(stored) != headerMagic {
		return nil, nil, fmt.Errorf("no skippable frame at the start: %w", store.ErrDamaged)
	}
	n := binary.LittleEndian.Uint32(stored[4:])
	if n > maxHeaderSize || int(n) > len(stored)-8 {
		return nil, nil, fmt.Errorf("%d bytes announced, %d there: %w", n, len(stored)-8, store.ErrDamaged)
	}
	return stored[8 : 8+n], stored[8+n:], nil
}

// DecodePage reads a stored page and checks the reply against the header's
// size and hash.
func DecodePage(stored []byte) (Page, error) {
	h, err := DecodePageHeader(stored)
	if err != nil {
		return Page{}, err
	}
	reply, err := unpackVerified(stored, h.Size, h.SHA256)
	if err != nil {
		return Page{}, fmt.Errorf("page reply: %w", err)
	}
	return Page{Header: h, Reply: reply}, nil
}

// unpackVerified returns what follows the header, if it is what the header says.
func unpackVerified(stored []byte, size int64, hash string) ([]byte, error) {
	if size < 0 || size > MaxReplySize {
		return nil, fmt.Errorf("a size of %d in the header: %w", size, store.ErrDamaged)
	}
	_, body, err := splitHeader(stored)
	if err != nil {
		return nil, err
	}
	reply, err := unpack(body, size)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(reply); hex.EncodeToString(sum[:]) != hash {
		return nil, fmt.Errorf("SHA-256 differs from the header's: %w", store.ErrDamaged)
	}
	return reply, nil
}

func unpack(body []byte, size int64) ([]byte, error) {
	dec, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return nil, fmt.Errorf("starting zstd: %w", err)
	}
	defer dec.Close()
	// The buffer grows with what is really there: a header may announce anything.
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(dec, size+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	if n != size {
		return nil, fmt.Errorf("not the %d bytes that the header announces: %w", size, store.ErrDamaged)
	}
	return out.Bytes(), nil
}

// RejectHeader holds the facts about a reply that is no page.
type RejectHeader struct {
	Format     int       `json:"format"` // PageFormat
	Corp       string    `json:"corp"`
	SeqAsked   uint64    `json:"seq_asked"`
	Limit      int       `json:"limit"`
	Size       int64     `json:"size"`
	SHA256     string    `json:"sha256"`
	PulledAt   time.Time `json:"pulled_at"`
	Run        string    `json:"run"`
	Program    string    `json:"program"`
	SDKVersion string    `json:"sdk_version"`
	Reason     string    `json:"reason"` // why it is no page

	HeaderSHA256 string `json:"header_sha256"` // of this header; set by EncodeReject
}

// EncodeReject packs a reply that is no page, in the layout of a page.
func EncodeReject(h RejectHeader, reply []byte) ([]byte, error) {
	sum := sha256.Sum256(reply)
	h.Format, h.Size, h.SHA256, h.HeaderSHA256 = PageFormat, int64(len(reply)), hex.EncodeToString(sum[:]), Unsealed
	return packWithHeader(h, reply, maxHeaderSize)
}

// DecodeReject reads a stored reply that is no page, and checks it like a page.
func DecodeReject(stored []byte) (RejectHeader, []byte, error) {
	var h RejectHeader
	if err := decodeHeader(stored, &h); err != nil {
		return RejectHeader{}, nil, fmt.Errorf("reject header: %w", err)
	}
	reply, err := unpackVerified(stored, h.Size, h.SHA256)
	if err != nil {
		return h, nil, fmt.Errorf("rejected reply: %w", err)
	}
	return h, reply, nil
}
