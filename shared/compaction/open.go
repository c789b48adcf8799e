package compaction

import (
	"fmt"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"wecom-archive/shared/archive"
)

// open opens an object of which only parts, the footer among them, are at hand; indexed:
// the places of its pages, too.
func (l Layout) open(parts pieces, indexed bool) (*parquet.File, error) {
	file, err := parquet.OpenFile(&parts, l.Size, parquet.SkipPageIndex(!indexed), parquet.SkipBloomFilters(true), parquet.SkipMagicBytes(true))
	if err != nil {
		return nil, err
	}
	if format, _ := file.Lookup(metaCompaction); format != strconv.Itoa(Format) {
		return nil, fmt.Errorf("format %.20q: %w", format, archive.ErrNewFormat)
	}
	return file, nil
}
