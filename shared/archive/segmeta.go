package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wecom-archive/shared/store"
)

// SegmentFormat is the version of the segment's columns and metadata. Whoever
// changes their meaning raises it, keeps reading the older ones for ever (they
// are locked), and describes both in docs/format.md. Adding a column does not
// change the meaning of the others and needs no new version.
const SegmentFormat = 1

// SegmentMeta is written into the segment's footer.
type SegmentMeta struct {
	Corp       string
	PageKey    string
	PageSHA256 string // hex, of the page's reply
	Part       int    // 0: all rows of the page; above: rows recovered later
	Program    string // our version
	WrittenAt  time.Time
}

// ErrRows says that rows do not make a segment.
var ErrRows = errors.New("rows do not make a segment")

// ReadSegment reads a part of a segment. ErrDamaged also if the store itself says
// so.
func ReadSegment(ctx context.Context, objects store.ObjectReader, key string) (SegmentMeta, []Row, error) {
	stored, err := store.ReadObject(ctx, objects, key)
	if err != nil {
		return SegmentMeta{}, nil, err
	}
	meta, rows, err := DecodeSegment(stored)
	if err != nil {
		return meta, nil, fmt.Errorf("reading %s: %w", key, err)
	}
	return meta, rows, nil
}
