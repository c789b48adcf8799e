package compaction

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
)

// Format is the version of the columns of compacted objects. They are
// derived: whoever changes their meaning raises it and has them made again.
const Format = 1

// metaCompaction is the key of the format in the footer of a compacted object.
const metaCompaction = "wecom-archive.compaction"

// Row is a message in a compacted object: a row of a segment, and where
// that lies.
type Row struct {
	archive.Row
	Page       uint64 // seq asked of its page
	Part       int    // of the page's segment
	SegmentRow int    // in that part, from 0
}

// Place is where the truth of the message lies.
func (r Row) Place() archive.Place {
	return archive.Place{
		Object:   archive.SegmentKey(r.PulledAt, r.Page, r.Part),
		Row:      r.SegmentRow,
		Position: archive.Position{Time: r.MsgTime, Seq: r.Seq, Page: r.Page, Envelope: r.Row.Position},
	}
}

// Compare orders rows as compacted objects have them: by conversation, then as
// people read. Copies of a message stand together, that of the lowest part first.
func (r Row) Compare(s Row) int {
	return cmp.Or(
		cmp.Compare(r.Conversation, s.Conversation),
		r.MsgTime.Compare(s.MsgTime),
		cmp.Compare(r.Seq, s.Seq),
		cmp.Compare(r.Page, s.Page),
		cmp.Compare(r.Row.Position, s.Row.Position),
		cmp.Compare(r.Part, s.Part),
		cmp.Compare(r.SegmentRow, s.SegmentRow),
	)
}

// Copies says whether r and s are the same message of a conversation.
func (r Row) Copies(s Row) bool {
	return r.Page == s.Page && r.Row.Position == s.Row.Position && r.Seq == s.Seq &&
		r.Conversation == s.Conversation && r.MsgTime.Equal(s.MsgTime)
}

// parquetCompactRow is the schema of a compacted object, and its name that of the schema.
type parquetCompactRow struct {
	Page       uint64 `parquet:"page"`
	Part       int32  `parquet:"part"`
	SegmentRow int32  `parquet:"segment_row"`
	segment.Columns
}

func (p parquetCompactRow) toRow() Row {
	return Row{Row: p.Columns.Row(), Page: p.Page, Part: int(p.Part), SegmentRow: int(p.SegmentRow)}
}

// GroupLayout is where a row group lies in its object.
type GroupLayout struct {
	Offset, Length int64  // bytes
	Rows           int    //
	SHA256         string // hex, of these bytes
}

// Layout is what a reader needs to read one row group of an object
// without the rest.
type Layout struct {
	Groups       []GroupLayout
	Footer       int64  // offset of the footer, which goes to the end
	FooterSHA256 string // hex
	Size         int64  // of the object
}

// Writer writes one compacted object.
type Writer struct {
	out    *layoutWriter
	w      *parquet.GenericWriter[parquetCompactRow]
	layout Layout
}

// NewWriter writes to out. codec is parquet.Zstd for what is kept.
func NewWriter(out io.Writer, program string, codec compress.Codec) *Writer {
	to := &layoutWriter{out: out, sum: sha256.New()}
	return &Writer{out: to, w: parquet.NewGenericWriter[parquetCompactRow](to,
		parquet.Compression(codec),
		parquet.PageBufferSize(segment.DataPageBytes),
		parquet.WriteBufferSize(0), // offsets are counted in out
		parquet.DataPageStatistics(false),
		// Bounds of these say nothing, and would be whole messages.
		parquet.SkipPageBounds("raw"), parquet.SkipPageBounds("text"), parquet.SkipPageBounds("raw_sha256"), parquet.SkipPageBounds("msgid"),
		parquet.CreatedBy("wecom-archive", program, ""),
		parquet.KeyValueMetadata(metaCompaction, strconv.Itoa(Format)),
	)}
}

// WriteGroup writes rows, in their order, as one row group. All must be readable.
func (w *Writer) WriteGroup(rows []Row) error {
	if len(rows) == 0 {
		return fmt.Errorf("%w: there are none", segment.ErrRows)
	}
	stored := make([]parquetCompactRow, len(rows))
	for i, r := range rows {
		if !r.Readable() {
			return fmt.Errorf("%w: row %d of %s holds no message", segment.ErrRows, r.SegmentRow, r.Place().Object)
		}
		if err := r.Check(); err != nil {
			return fmt.Errorf("%w: row %d of %s %w", segment.ErrRows, r.SegmentRow, r.Place().Object, err)
		}
		stored[i] = parquetCompactRow{Page: r.Page, Part: int32(r.Part), SegmentRow: int32(r.SegmentRow), Columns: segment.ColumnsOf(r.Row)}
	}
	if _, err := w.w.Write(stored); err != nil {
		return fmt.Errorf("writing a row group: %w", err)
	}
	if err := w.w.Flush(); err != nil {
		return fmt.Errorf("writing a row group: %w", err)
	}
	offset, length, sum := w.out.cut()
	w.layout.Groups = append(w.layout.Groups, GroupLayout{Offset: offset, Length: length, Rows: len(rows), SHA256: sum})
	return nil
}

// Size is the bytes written so far.
func (w *Writer) Size() int64 { return w.out.size }

// Close finishes the object; it does not close the writer below.
func (w *Writer) Close() (Layout, error) {
	var tail bytes.Buffer
	w.out.tail = &tail
	if err := w.w.Close(); err != nil {
		return Layout{}, fmt.Errorf("finishing a compacted object: %w", err)
	}
	footer, err := footerLength(tail.Bytes())
	if err != nil {
		return Layout{}, fmt.Errorf("finishing a compacted object: %w", err)
	}
	w.layout.Size = w.out.size
	w.layout.Footer = w.out.size - footer
	w.layout.FooterSHA256 = hexSum(tail.Bytes()[int64(tail.Len())-footer:])
	return w.layout, nil
}

// footerLength is how much of the end of a Parquet file is footer: metadata, its
// length as 4 bytes, and the magic.
func footerLength(tail []byte) (int64, error) {
	if len(tail) < 8 {
		return 0, errors.New("no footer")
	}
	b := tail[len(tail)-8:]
	n := 8 + int64(b[0]) + int64(b[1])<<8 + int64(b[2])<<16 + int64(b[3])<<24
	if n > int64(len(tail)) {
		return 0, errors.New("footer is cut off")
	}
	return n, nil
}

// layoutWriter counts and hashes what passes.
type layoutWriter struct {
	out   io.Writer
	size  int64
	start int64 // of the part not cut yet
	sum   hash.Hash
	tail  *bytes.Buffer // gets a copy, if not nil
}

func (w *layoutWriter) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	w.size += int64(n)
	w.sum.Write(p[:n])
	if w.tail != nil {
		w.tail.Write(p[:n])
	}
	return n, err
}

func (w *layoutWriter) cut() (offset, length int64, sum string) {
	offset, length = w.start, w.size-w.start
	sum = hex.EncodeToString(w.sum.Sum(nil))
	w.sum.Reset()
	w.start = w.size
	return offset, length, sum
}

// CheckFooter compares the bytes of a footer with the layout.
func (l Layout) CheckFooter(footer []byte) error {
	if int64(len(footer)) != l.Size-l.Footer || hexSum(footer) != l.FooterSHA256 {
		return fmt.Errorf("footer of a compacted object: %w: differs from its SHA-256", store.ErrDamaged)
	}
	return nil
}

// ReadGroup reads the rows of the n-th row group from its bytes and those of the
// footer, which CheckFooter has seen. Only rows of the conversation are read,
// unless it is empty.
func (l Layout) ReadGroup(n int, group GroupLayout, data, footer []byte, conversation string) ([]Row, error) {
	rows, err := l.OpenGroup(n, group, data, footer, conversation)
	if err != nil {
		return nil, err
	}
	return rows.Read(0, rows.Len())
}

// conversationRows finds the rows of a conversation, which stand together.
func conversationRows(group parquet.RowGroup, conversation string) (from, to int64, err error) {
	leaf, ok := group.Schema().Lookup("conversation")
	if !ok {
		return 0, 0, errors.New("has no conversations")
	}
	pages := group.ColumnChunks()[leaf.ColumnIndex].Pages()
	defer pages.Close()
	want, buf := []byte(conversation), make([]parquet.Value, 512)
	for at := int64(0); at < group.NumRows(); {
		page, err := pages.ReadPage()
		if err != nil {
			return 0, 0, fmt.Errorf("row %d: %w", at, err)
		}
		values := page.Values()
		for {
			n, err := values.ReadValues(buf)
			for _, v := range buf[:n] {
				if !v.IsNull() && bytes.Equal(v.ByteArray(), want) {
					if to == 0 {
						from = at
					}
					to = at + 1
				}
				at++
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || n == 0 {
				parquet.Release(page)
				return 0, 0, fmt.Errorf("row %d: %w", at, cmp.Or(err, io.ErrNoProgress))
			}
		}
		parquet.Release(page)
	}
	return from, to, nil
}

func readCompactRows(group parquet.RowGroup, from, to int64) ([]Row, error) {
	if from == to {
		return nil, nil
	}
	reader := parquet.NewGenericRowGroupReader[parquetCompactRow](group)
	defer reader.Close()
	if err := reader.SeekToRow(from); err != nil {
		return nil, err
	}
	rows := make([]Row, 0, to-from)
	buf := make([]parquetCompactRow, min(to-from, 256))
	for int64(len(rows)) < to-from {
		n, err := reader.Read(buf[:min(int64(len(buf)), to-from-int64(len(rows)))])
		for _, p := range buf[:n] {
			r := p.toRow()
			if err := r.Check(); err != nil {
				return nil, fmt.Errorf("row %d %w", len(rows), err)
			}
			rows = append(rows, r)
		}
		if n == 0 {
			return nil, cmp.Or(err, io.ErrNoProgress)
		}
	}
	return rows, nil
}

// pieces are some parts of a file.
type pieces []struct {
	offset int64
	data   []byte
}

func (p pieces) ReadAt(b []byte, offset int64) (int, error) {
	for _, piece := range p {
		if at := offset - piece.offset; at >= 0 && at < int64(len(piece.data)) {
			n := copy(b, piece.data[at:])
			if n < len(b) {
				return n, io.EOF
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("reading %d bytes at %d: not among the parts that were read: %w", len(b), offset, io.ErrUnexpectedEOF)
}
