package archive

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// A row group lies in its object as head, raw, tail: the columns before raw, raw
// itself with its hash, and what the parser read in it. A search reads the tail,
// the head of where it found something, and never raw, which is most of the bytes.

// GroupSplit is where head, raw and tail of a row group meet, and what head and tail
// hash to. The zero value means that it is not known: the group is read whole.
type GroupSplit struct {
	RawOffset  int64  `json:"ro,omitempty"` // bytes, in the object
	RawLength  int64  `json:"rl,omitempty"`
	HeadSHA256 string `json:"hh,omitempty"` // hex
	TailSHA256 string `json:"th,omitempty"`
}

// Known says whether parts of the group can be read and verified.
func (s GroupSplit) Known() bool { return s.RawLength > 0 }

// rawColumns are those between head and tail.
var rawColumns = map[string]bool{"raw": true, "raw_sha256": true}

// Split reads the object of a layout and finds where each of its row groups can be cut,
// and a footer of its own.
func (l CompactLayout) Split(object io.ReaderAt) (splits []GroupSplit, footers [][]byte, err error) {
	footer := make([]byte, l.Size-l.Footer)
	if _, err := object.ReadAt(footer, l.Footer); err != nil {
		return nil, nil, fmt.Errorf("splitting a compacted object: %w", err)
	}
	if err := l.CheckFooter(footer); err != nil {
		return nil, nil, err
	}
	file, err := l.open(pieces{{l.Footer, footer}}, false)
	if err != nil {
		return nil, nil, fmt.Errorf("splitting a compacted object: %w", err)
	}
	splits, footers = make([]GroupSplit, len(l.Groups)), make([][]byte, len(l.Groups))
	for i, at := range l.Groups {
		data := make([]byte, at.Length)
		if _, err := object.ReadAt(data, at.Offset); err != nil {
			return nil, nil, fmt.Errorf("splitting a compacted object: %w", err)
		}
		if hexSum(data) != at.SHA256 {
			return nil, nil, fmt.Errorf("splitting a compacted object: row group %d: %w", i, ErrDamaged)
		}
		splits[i] = splitGroup(at, data, file.Metadata().RowGroups[i].Columns)
		if footers[i], err = ownFooter(file.Metadata(), i, at.Offset+at.Length, object); err != nil {
			return nil, nil, fmt.Errorf("splitting a compacted object: %w", err)
		}
	}
	return splits, footers, nil
}

// splitGroup is zero if the columns do not lie in their order without anything
// between them: then nothing is gained, and nothing lost.
func splitGroup(at GroupLayout, data []byte, columns []format.ColumnChunk) GroupSplit {
	var s GroupSplit
	next := int64(0)
	for i, c := range columns {
		m := c.MetaData
		start := m.DataPageOffset
		if m.DictionaryPageOffset > 0 {
			start = min(start, m.DictionaryPageOffset)
		}
		if i > 0 && start != next || start < at.Offset { // the first group begins with the file's magic
			return GroupSplit{}
		}
		next = start + m.TotalCompressedSize
		if !rawColumns[columnName(m)] {
			continue
		}
		switch {
		case s.RawLength == 0:
			s.RawOffset = start
		case start != s.RawOffset+s.RawLength:
			return GroupSplit{}
		}
		s.RawLength = next - s.RawOffset
	}
	if next != at.Offset+at.Length || s.RawLength == 0 {
		return GroupSplit{}
	}
	head := s.RawOffset - at.Offset
	s.HeadSHA256, s.TailSHA256 = hexSum(data[:head]), hexSum(data[head+s.RawLength:])
	return s
}

func columnName(m format.ColumnMetaData) string {
	if len(m.PathInSchema) > 0 {
		return m.PathInSchema[0]
	}
	return ""
}

// open opens an object of which only parts, the footer among them, are at hand; indexed:
// the places of its pages, too.
func (l CompactLayout) open(parts pieces, indexed bool) (*parquet.File, error) {
	file, err := parquet.OpenFile(&parts, l.Size, parquet.SkipPageIndex(!indexed), parquet.SkipBloomFilters(true), parquet.SkipMagicBytes(true))
	if err != nil {
		return nil, err
	}
	if format, _ := file.Lookup(metaCompaction); format != strconv.Itoa(CompactFormat) {
		return nil, fmt.Errorf("format %q: %w", format, ErrNewFormat)
	}
	return file, nil
}

// Head is the byte range, in the object, of what ReadHead needs.
func (g RowGroup) Head() (offset, length int64) { return g.Offset, g.Split.RawOffset - g.Offset }

// Tail is the byte range, in the object, of what OpenTail needs.
func (g RowGroup) Tail() (offset, length int64) {
	offset = g.Split.RawOffset + g.Split.RawLength
	return offset, g.Offset + g.Length - offset
}

// GroupTail is the tail of a row group, verified.
type GroupTail struct {
	group   RowGroup
	columns columnReader
}

// OpenTail verifies a tail. data is its bytes; CheckFooter has seen the footer, nil
// stands for the row group's own.
func (g RowGroup) OpenTail(data, footer []byte) (*GroupTail, error) {
	offset, _ := g.Tail()
	columns, err := g.openPart(offset, data, footer, g.Split.TailSHA256)
	if err != nil {
		return nil, g.partError("tail", err)
	}
	return &GroupTail{g, columns}, nil
}

// TailColumns are some of what a tail has.
type TailColumns uint

// Columns of a tail.
const (
	TailText  TailColumns = 1 << iota // Text
	TailTime                          // MsgTime
	TailFiles                         // Media, of each Kind and Name
	TailNames                         // Conversation, FromID, ToIDs, MsgType, SenderKind, ChatKind
	TailAll   = TailText | TailTime | TailFiles | TailNames
)

// Read fills members of readings, one for each row in their order, with what the
// parser read of the messages. Each column is to be read once. Texts share the
// memory of all texts: who keeps one clones it.
func (t *GroupTail) Read(readings []Reading, columns TailColumns) (err error) {
	defer func() { // the Parquet library panics on some damaged files
		if p := recover(); p != nil {
			err = fmt.Errorf("the Parquet library gave up: %v", p)
		}
		err = t.group.partError("tail", err)
	}()
	if len(readings) != t.columns.rows {
		return fmt.Errorf("there are %d rows, not %d", t.columns.rows, len(readings))
	}
	for _, c := range []struct {
		column TailColumns
		read   func([]Reading) error
	}{{TailText, t.columns.texts}, {TailTime, t.columns.times}, {TailFiles, t.columns.files}, {TailNames, t.columns.names}} {
		if columns&c.column != 0 && err == nil {
			err = c.read(readings)
		}
	}
	return err
}

// ReadHead reads where the truth of each message lies: Place of the rows works, and
// their Seq and PulledAt. data is the head, the footer as for OpenTail.
func (g RowGroup) ReadHead(data, footer []byte) (rows []CompactRow, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the Parquet library gave up: %v", p)
		}
		err = g.partError("head", err)
	}()
	columns, err := g.openPart(g.Offset, data, footer, g.Split.HeadSHA256)
	if err != nil {
		return nil, err
	}
	return columns.places()
}

// partError says what was read; every error but ErrNewFormat means damage.
func (g RowGroup) partError(what string, err error) error {
	if err == nil || errors.Is(err, ErrNewFormat) {
		return err
	}
	return fmt.Errorf("%s of row group %d of %s: %w: %w", what, g.Group, g.Object, ErrDamaged, err)
}

func (g RowGroup) openPart(offset int64, data, footer []byte, sum string) (c columnReader, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the Parquet library gave up: %v", p)
		}
	}()
	if hexSum(data) != sum {
		return c, errors.New("differs from its SHA-256")
	}
	layout, _ := g.Layout()
	number := g.Group
	if footer == nil {
		layout, number = g.alone(), 0
		if footer, err = g.ownFooter(); err != nil {
			return c, err
		}
	}
	file, err := layout.open(pieces{{offset, data}, {layout.Footer, footer}}, false)
	if err != nil {
		return c, err
	}
	groups := file.RowGroups()
	if number < 0 || number >= len(groups) || groups[number].NumRows() != int64(g.Rows) {
		return c, errors.New("is not in the footer")
	}
	return columnReader{groups[number], g.Rows}, nil
}

// columnReader reads single columns of a row group.
type columnReader struct {
	group parquet.RowGroup
	rows  int
}

// each calls do for every value of a column that is not null, with its row. The value
// is good for the call.
func (c columnReader) each(do func(row int, v parquet.Value), path ...string) error {
	return c.eachPage(func(page parquet.Page, row int) (int, error) {
		defer parquet.Release(page)
		return c.values(page, row, do)
	}, path)
}

// eachPage calls do for the pages of a column, with the row that its first value
// belongs to or follows, and takes the last row that it has seen.
func (c columnReader) eachPage(do func(page parquet.Page, row int) (int, error), path []string) error {
	leaf, ok := c.group.Schema().Lookup(path...)
	if !ok {
		return fmt.Errorf("has no column %s", path)
	}
	pages := c.group.ColumnChunks()[leaf.ColumnIndex].Pages()
	defer pages.Close()
	row := -1
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			row, err = do(page, row)
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", path, err)
		}
	}
	if row != c.rows-1 {
		return fmt.Errorf("column %s: %d rows of %d", path, row+1, c.rows)
	}
	return nil
}

func (c columnReader) values(page parquet.Page, row int, do func(row int, v parquet.Value)) (last int, err error) {
	values := page.Values()
	var buf [128]parquet.Value
	for {
		n, err := values.ReadValues(buf[:])
		for _, v := range buf[:n] {
			if v.RepetitionLevel() == 0 {
				row++
			}
			if row < 0 || row >= c.rows {
				return row, fmt.Errorf("row %d", row)
			}
			if !v.IsNull() {
				do(row, v)
			}
		}
		if errors.Is(err, io.EOF) {
			return row, nil
		}
		if err != nil || n == 0 {
			return row, cmp.Or(err, io.ErrNoProgress)
		}
	}
}

// words reads a column of words that repeat: equal ones share their memory.
func (c columnReader) words(set func(row int, s string), path ...string) error {
	seen := map[string]string{}
	var last []byte
	var word string
	return c.each(func(row int, v parquet.Value) {
		if b := v.ByteArray(); word == "" || !bytes.Equal(b, last) {
			known, ok := seen[string(b)]
			if !ok {
				known = string(b)
				seen[known] = known
			}
			word, last = known, append(last[:0], b...)
		}
		set(row, word)
	}, path...)
}

func (c columnReader) texts(all []Reading) error {
	return c.eachPage(func(page parquet.Page, row int) (int, error) {
		return c.values(page, row, func(i int, v parquet.Value) { // the page is not released: its memory is that of the texts
			if b := v.ByteArray(); len(b) > 0 {
				all[i].Text = unsafe.String(&b[0], len(b))
			}
		})
	}, []string{"text"})
}

func (c columnReader) times(all []Reading) error {
	return c.each(func(i int, v parquet.Value) { all[i].MsgTime = time.UnixMilli(v.Int64()).UTC() }, "msgtime")
}

func (c columnReader) names(all []Reading) error {
	return errors.Join(
		c.words(func(i int, s string) { all[i].Conversation = s }, "conversation"),
		c.words(func(i int, s string) { all[i].FromID = s }, "from_id"),
		c.words(func(i int, s string) { all[i].MsgType = s }, "msgtype"),
		c.words(func(i int, s string) { all[i].SenderKind = s }, "sender_kind"),
		c.words(func(i int, s string) { all[i].ChatKind = s }, "chat_kind"),
		c.words(func(i int, s string) { all[i].ToIDs = append(all[i].ToIDs, s) }, "to_ids", "list", "element"),
	)
}

func (c columnReader) files(all []Reading) error {
	err := c.words(func(i int, s string) { all[i].Media = append(all[i].Media, MediaRef{Kind: s, Size: -1}) }, "media", "list", "element", "kind")
	if err != nil {
		return err
	}
	named := make([]int, c.rows) // files of the row that have their name
	err = c.words(func(i int, s string) {
		if named[i] < len(all[i].Media) {
			all[i].Media[named[i]].Name = s
		}
		named[i]++
	}, "media", "list", "element", "name")
	for i := range all {
		if err == nil && named[i] != len(all[i].Media) {
			err = fmt.Errorf("row %d: kinds and names of files differ in number", i)
		}
	}
	return err
}

func (c columnReader) places() ([]CompactRow, error) {
	all := make([]CompactRow, c.rows)
	err := errors.Join(
		c.each(func(i int, v parquet.Value) { all[i].Page = v.Uint64() }, "page"),
		c.each(func(i int, v parquet.Value) { all[i].Part = int(v.Int32()) }, "part"),
		c.each(func(i int, v parquet.Value) { all[i].SegmentRow = int(v.Int32()) }, "segment_row"),
		c.each(func(i int, v parquet.Value) { all[i].Row.Position = int(v.Int32()) }, "position"),
		c.each(func(i int, v parquet.Value) { all[i].PulledAt = time.UnixMilli(v.Int64()).UTC() }, "pulled_at"),
		c.each(func(i int, v parquet.Value) { all[i].Seq, all[i].HasSeq = v.Int64(), true }, "seq"),
	)
	for i := range all {
		all[i].Outcome = OutcomeOK // no others are compacted
	}
	return all, err
}
