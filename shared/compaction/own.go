package compaction

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
)

// The footer of a compacted object describes all its row groups, in about 100 KB. The
// directory keeps, beside where a row group lies, a footer of that one alone, with where
// its pages lie: a screen of a conversation then costs one request for each row group,
// not two, and opens only the pages that its rows are in.

// OwnFooters reads the object of a layout and makes a footer for each of its row groups.
func (l Layout) OwnFooters(object io.ReaderAt) ([][]byte, error) {
	footer := make([]byte, l.Size-l.Footer)
	if _, err := object.ReadAt(footer, l.Footer); err != nil {
		return nil, fmt.Errorf("reading the footer of a compacted object: %w", err)
	}
	if err := l.CheckFooter(footer); err != nil {
		return nil, err
	}
	file, err := l.open(pieces{{l.Footer, footer}}, false)
	if err != nil {
		return nil, fmt.Errorf("reading the footer of a compacted object: %w", err)
	}
	footers := make([][]byte, len(l.Groups))
	for i, at := range l.Groups {
		if footers[i], err = ownFooter(file.Metadata(), i, at.Offset+at.Length, object); err != nil {
			return nil, fmt.Errorf("a footer for a row group: %w", err)
		}
	}
	return footers, nil
}

// ownFooter makes the footer of the n-th row group as if it were all that the object
// holds, to stand right behind it: the places of its pages, and the same schema and
// offsets, without bounds, which readers of one conversation do not use.
func ownFooter(all *format.FileMetaData, n int, end int64, object io.ReaderAt) ([]byte, error) {
	group := all.RowGroups[n]
	var footer []byte
	columns := make([]format.ColumnChunk, len(group.Columns))
	for i, c := range group.Columns {
		m := c.MetaData
		columns[i] = format.ColumnChunk{
			FileOffset: c.FileOffset, OffsetIndexOffset: end + int64(len(footer)), OffsetIndexLength: c.OffsetIndexLength,
			MetaData: format.ColumnMetaData{
				Type: m.Type, Encoding: m.Encoding, PathInSchema: m.PathInSchema, Codec: m.Codec, NumValues: m.NumValues,
				TotalUncompressedSize: m.TotalUncompressedSize, TotalCompressedSize: m.TotalCompressedSize,
				DataPageOffset: m.DataPageOffset, DictionaryPageOffset: m.DictionaryPageOffset,
			},
		}
		places := make([]byte, c.OffsetIndexLength)
		if _, err := object.ReadAt(places, c.OffsetIndexOffset); err != nil {
			return nil, fmt.Errorf("places of pages of row group %d: %w", n, err)
		}
		footer = append(footer, places...)
	}
	own := *all
	own.NumRows = group.NumRows
	own.RowGroups = []format.RowGroup{{
		Columns: columns, TotalByteSize: group.TotalByteSize, NumRows: group.NumRows,
		FileOffset: group.FileOffset, TotalCompressedSize: group.TotalCompressedSize,
	}}
	meta, err := thrift.Marshal(new(thrift.CompactProtocol), &own)
	if err != nil {
		return nil, fmt.Errorf("footer of row group %d: %w", n, err)
	}
	footer = append(footer, meta...)
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(meta)))
	footer = append(footer, "PAR1"...)
	sum := sha256.Sum256(footer)
	return append(footer, sum[:ownSum]...), nil
}

// ownSum is how many bytes of a SHA-256 end a footer of a row group's own: the Parquet
// library trusts footers.
const ownSum = 16

// ownFooter is the footer of this row group alone; ErrDamaged.
func (g RowGroup) ownFooter() ([]byte, error) {
	n := len(g.Own) - ownSum
	if n < 0 {
		return nil, fmt.Errorf("its own footer has %d bytes: %w", len(g.Own), store.ErrDamaged)
	}
	if sum := sha256.Sum256(g.Own[:n]); !bytes.Equal(sum[:ownSum], g.Own[n:]) {
		return nil, fmt.Errorf("its own footer differs from its SHA-256: %w", store.ErrDamaged)
	}
	return g.Own[:n], nil
}

// GroupRows are the rows of a conversation in a row group, of which only some are read.
type GroupRows struct {
	group    parquet.RowGroup
	number   int
	from, to int64
	times    []int64 // ms, of these rows; nil: not read yet
}

// OpenOwn finds the rows of a conversation in the bytes of the row group, by its own
// footer. There is none from older programs: then OpenGroup does so, by the object's.
func (g RowGroup) OpenOwn(data []byte, conversation string) (*GroupRows, error) {
	if len(g.Own) == 0 {
		return nil, errors.New("the row group has no footer of its own")
	}
	footer, err := g.ownFooter()
	if err != nil {
		return nil, err
	}
	_, at := g.Layout()
	return g.alone().openGroup(0, at, data, footer, conversation, true)
}

// alone is the layout of an object that ends with the row group and its own footer.
func (g RowGroup) alone() Layout {
	end := g.Offset + g.Length
	return Layout{Footer: end, Size: end + int64(max(0, len(g.Own)-ownSum))}
}

// OpenGroup finds the rows of a conversation (empty: all rows) in the n-th row group, from
// its bytes and those of the footer, which CheckFooter has seen.
func (l Layout) OpenGroup(n int, group GroupLayout, data, footer []byte, conversation string) (*GroupRows, error) {
	return l.openGroup(n, group, data, footer, conversation, false)
}

func (l Layout) openGroup(n int, group GroupLayout, data, footer []byte, conversation string, indexed bool) (rows *GroupRows, err error) {
	defer mendGroup(n, &err)
	if int64(len(data)) != group.Length || hexSum(data) != group.SHA256 {
		return nil, errors.New("differs from its SHA-256")
	}
	file, err := l.open(pieces{{group.Offset, data}, {l.Footer, footer}}, indexed)
	if err != nil {
		return nil, err
	}
	if groups := file.RowGroups(); n < 0 || n >= len(groups) || groups[n].NumRows() != int64(group.Rows) {
		return nil, errors.New("is not in the footer")
	}
	if err := checkPages(file, n, indexed, group.Offset, data); err != nil {
		return nil, err
	}
	rows = &GroupRows{group: file.RowGroups()[n], number: n, to: int64(group.Rows)}
	if conversation != "" {
		if rows.from, rows.to, err = conversationRows(rows.group, conversation); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// mendGroup says what was read. The Parquet library panics on some damaged files.
func mendGroup(n int, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the Parquet library gave up: %v", p)
	}
	if *err != nil && !errors.Is(*err, archive.ErrNewFormat) {
		*err = fmt.Errorf("row group %d of a compacted object: %w: %.200s", n, store.ErrDamaged, (*err).Error()) // the library's grow with the damage
	}
}

// Len is how many there are.
func (r *GroupRows) Len() int { return int(r.to - r.from) }

// Times are the times (ms) of all of them, in their order, which is that of time.
func (r *GroupRows) Times() (times []int64, err error) {
	defer mendGroup(r.number, &err)
	if r.times != nil || r.Len() == 0 {
		return r.times, nil
	}
	all := make([]int64, r.group.NumRows())
	err = segment.EachValue(r.group, len(all), func(i int, v parquet.Value) { all[i] = v.Int64() }, "msgtime")
	if err != nil {
		return nil, err
	}
	r.times = all[r.from:r.to]
	return r.times, nil
}

// Read reads those from i on and before j.
func (r *GroupRows) Read(i, j int) (rows []Row, err error) {
	defer mendGroup(r.number, &err)
	if i < 0 || i > j || j > r.Len() {
		return nil, fmt.Errorf("there are %d rows, not %d to %d", r.Len(), i, j)
	}
	return readCompactRows(r.group, r.from+int64(i), r.from+int64(j))
}
