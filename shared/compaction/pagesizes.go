package compaction

import (
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// densest is how much zstd can unpack of one byte at most: a block of 128 KiB takes four.
const densest = 32 << 10

var errPages = errors.New("says of its pages what cannot be")

// checkPages refuses a row group one of whose pages says that it is larger than what is
// there: the Parquet library asks for as much memory as a page's header says, before it
// looks at the page. indexed: the places of pages were read, and each is that of one.
func checkPages(file *parquet.File, n int, indexed bool, start int64, data []byte) error {
	chunks := file.RowGroups()[n].ColumnChunks()
	for i, c := range file.Metadata().RowGroups[n].Columns {
		m := c.MetaData
		from := m.DataPageOffset
		if m.DictionaryPageOffset != 0 {
			from = m.DictionaryPageOffset
		}
		at, length := from-start, m.TotalCompressedSize
		if at < 0 || length < 0 || at > int64(len(data)) || length > int64(len(data))-at {
			return fmt.Errorf("column %d: %w", i, errPages)
		}
		begins, err := pagesOf(data[at:at+length], from)
		if err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
		if !begins[m.DataPageOffset] {
			return fmt.Errorf("column %d: %w", i, errPages)
		}
		if !indexed {
			continue
		}
		index, err := chunks[i].OffsetIndex()
		if err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
		for n := range index.NumPages() {
			if !begins[index.Offset(n)] {
				return fmt.Errorf("column %d: %w", i, errPages)
			}
		}
	}
	return nil
}

// pagesOf tells where the pages of a column begin, of which from is where the first does.
func pagesOf(chunk []byte, from int64) (begins map[int64]bool, err error) {
	begins = map[int64]bool{}
	protocol := new(thrift.CompactProtocol)
	for left := chunk; len(left) > 0; {
		begins[from+int64(len(chunk)-len(left))] = true
		r := protocol.NewReaderFromBytes(left)
		var h format.PageHeader
		if err := thrift.NewDecoder(r).Decode(&h); err != nil {
			return nil, err
		}
		left = left[r.BytesRead():]
		size, unpacked := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
		if size < 0 || size > int64(len(left)) || unpacked < 0 || unpacked > size*densest {
			return nil, errPages
		}
		left = left[size:]
	}
	return begins, nil
}
