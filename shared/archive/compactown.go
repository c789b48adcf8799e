package archive

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// The footer of a compacted object describes all its row groups, in about 100 KB. The
// directory keeps, beside where a row group lies, a footer of that one alone: a screen
// of a conversation then costs one request for each row group, not two.

// ownFooter makes the footer of the n-th row group as if it were all that the object
// holds: the same schema and offsets, without bounds and indexes, which readers of one
// conversation do not use.
func ownFooter(all *format.FileMetaData, n int) ([]byte, error) {
	group := all.RowGroups[n]
	columns := make([]format.ColumnChunk, len(group.Columns))
	for i, c := range group.Columns {
		m := c.MetaData
		columns[i] = format.ColumnChunk{FileOffset: c.FileOffset, MetaData: format.ColumnMetaData{
			Type: m.Type, Encoding: m.Encoding, PathInSchema: m.PathInSchema, Codec: m.Codec, NumValues: m.NumValues,
			TotalUncompressedSize: m.TotalUncompressedSize, TotalCompressedSize: m.TotalCompressedSize,
			DataPageOffset: m.DataPageOffset, DictionaryPageOffset: m.DictionaryPageOffset,
		}}
	}
	own := *all
	own.NumRows = group.NumRows
	own.RowGroups = []format.RowGroup{{
		Columns: columns, TotalByteSize: group.TotalByteSize, NumRows: group.NumRows,
		FileOffset: group.FileOffset, TotalCompressedSize: group.TotalCompressedSize,
	}}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), &own)
	if err != nil {
		return nil, fmt.Errorf("footer of row group %d: %w", n, err)
	}
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer)))
	return append(footer, "PAR1"...), nil
}

// ReadOwn reads rows out of the bytes of the row group alone, by its own footer. Only
// rows of the conversation are read.
func (g RowGroup) ReadOwn(data []byte, conversation string) ([]CompactRow, error) {
	if len(g.Own) == 0 {
		return nil, errors.New("the row group has no footer of its own")
	}
	_, at := g.Layout()
	end := at.Offset + at.Length
	alone := CompactLayout{Footer: end, Size: end + int64(len(g.Own))}
	return alone.ReadGroup(0, at, data, g.Own, conversation)
}
