package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// What is checked of a file before the Parquet library sees it. The library
// makes room for whatever footer and page headers announce, up to gigabytes for
// one flipped bit, and takes some damaged headers for good ones.

// maxUnpacked bounds the columns of a segment, unpacked, in bytes: raw is shorter
// than the reply, and everything else was read from raw.
const maxUnpacked = 2 * MaxReplySize

const parquetMagic = "PAR1"

// checkFooter refuses a file whose footer is not within it, or announces longer
// lists than it has bytes for.
func checkFooter(stored []byte) error {
	n := len(stored)
	if n < 3*len(parquetMagic) || string(stored[:4]) != parquetMagic || string(stored[n-4:]) != parquetMagic {
		return errors.New("no Parquet file")
	}
	size := int64(binary.LittleEndian.Uint32(stored[n-8:]))
	start := int64(n) - 8 - size
	if start < int64(len(parquetMagic)) {
		return fmt.Errorf("a footer of %d bytes in a file of %d", size, n)
	}
	if _, err := measureStruct(stored[start : n-8]); err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	return nil
}

// checkPages refuses a file whose pages are not what the footer says: where they
// lie, how large they are when unpacked, how many values they hold, and their
// checksums.
func checkPages(file *parquet.File, stored []byte) error {
	var rows, unpacked int64
	for _, group := range file.Metadata().RowGroups {
		rows += group.NumRows
		for _, column := range group.Columns {
			m := &column.MetaData
			if err := checkChunk(m, stored); err != nil {
				return fmt.Errorf("column %v: %w", m.PathInSchema, err)
			}
			if len(m.PathInSchema) == 1 && m.NumValues != group.NumRows { // not of a list
				return fmt.Errorf("column %v has %d values for %d rows", m.PathInSchema, m.NumValues, group.NumRows)
			}
			unpacked += m.TotalUncompressedSize
		}
	}
	// At least a byte for each row: a row's position alone has four.
	if n := file.NumRows(); n != rows || n < 0 || n > unpacked || unpacked > maxUnpacked {
		return fmt.Errorf("announces %d rows, %d of them in row groups, and %d bytes", n, rows, unpacked)
	}
	return nil
}

func checkChunk(m *format.ColumnMetaData, stored []byte) error {
	at := m.DataPageOffset
	if m.DictionaryPageOffset > 0 {
		at = min(at, m.DictionaryPageOffset)
	}
	if at < int64(len(parquetMagic)) || m.TotalCompressedSize < 0 || m.TotalCompressedSize > int64(len(stored))-at {
		return fmt.Errorf("%d bytes at %d of a file of %d", m.TotalCompressedSize, at, len(stored))
	}
	pages := stored[at : at+m.TotalCompressedSize]
	var unpacked, values int64
	for len(pages) > 0 {
		n, err := measureStruct(pages)
		if err != nil {
			return fmt.Errorf("page header: %w", err)
		}
		var h format.PageHeader
		if err := thrift.Unmarshal(new(thrift.CompactProtocol), pages[:n], &h); err != nil {
			return fmt.Errorf("page header: %w", err)
		}
		pages = pages[n:]
		if h.UncompressedPageSize < 0 || h.CompressedPageSize < 0 || int(h.CompressedPageSize) > len(pages) {
			return fmt.Errorf("a page of %d bytes where %d are", h.CompressedPageSize, len(pages))
		}
		if crc32.ChecksumIEEE(pages[:h.CompressedPageSize]) != uint32(h.CRC) {
			return errors.New("a page differs from its checksum")
		}
		pages = pages[h.CompressedPageSize:]
		unpacked += int64(n) + int64(h.UncompressedPageSize)
		values += int64(h.DataPageHeader.V.NumValues) + int64(h.DataPageHeaderV2.V.NumValues)
	}
	if unpacked != m.TotalUncompressedSize || values != m.NumValues {
		return fmt.Errorf("pages of %d bytes and %d values, the footer says %d and %d", unpacked, values, m.TotalUncompressedSize, m.NumValues)
	}
	return nil
}

// maxThriftDepth is deeper than the metadata of Parquet nests.
const maxThriftDepth = 16

// measureStruct returns the length of the Thrift structure at the beginning of b,
// without making anything of it. Each list in it is as long as it announces.
func measureStruct(b []byte) (int, error) {
	r := new(thrift.CompactProtocol).NewReaderFromBytes(b)
	if err := passStruct(r, maxThriftDepth); err != nil {
		return 0, err
	}
	return r.BytesRead(), nil
}

func passStruct(r thrift.Reader, depth int) error {
	if depth == 0 {
		return errors.New("nested too deeply")
	}
	for {
		f, err := r.ReadField()
		if err != nil {
			return err
		}
		switch f.Type {
		case thrift.STOP:
			return nil
		case thrift.TRUE, thrift.FALSE: // the type is the value
		default:
			if err := passValue(r, f.Type, depth-1); err != nil {
				return err
			}
		}
	}
}

func passValue(r thrift.Reader, t thrift.Type, depth int) (err error) {
	switch t {
	case thrift.TRUE, thrift.FALSE, thrift.I8:
		_, err = r.ReadInt8()
	case thrift.I16:
		_, err = r.ReadInt16()
	case thrift.I32:
		_, err = r.ReadInt32()
	case thrift.I64:
		_, err = r.ReadInt64()
	case thrift.DOUBLE:
		_, err = r.ReadFloat64()
	case thrift.BINARY:
		_, err = r.ReadBytes() // a part of what is read, not a copy
	case thrift.LIST:
		var l thrift.List
		if l, err = r.ReadList(); err != nil {
			return err
		}
		if depth == 0 {
			return errors.New("nested too deeply")
		}
		for range l.Size {
			if err := passValue(r, l.Type, depth-1); err != nil {
				return err
			}
		}
	case thrift.STRUCT:
		err = passStruct(r, depth)
	default:
		err = fmt.Errorf("a value of type %v", t)
	}
	return err
}
