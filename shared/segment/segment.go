package segment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// Format is the version of the segment's columns and metadata. Whoever
// changes their meaning raises it, keeps reading the older ones for ever (they
// are locked), and describes both in docs/format.md. Adding a column does not
// change the meaning of the others and needs no new version.
const Format = 1

// Meta is written into the segment's footer.
type Meta struct {
	Corp       string
	PageKey    string
	PageSHA256 string // hex, of the page's reply
	Part       int    // 0: all rows of the page; above: rows recovered later
	Program    string // our version
	WrittenAt  time.Time
}

// ErrRows says that rows do not make a segment.
var ErrRows = errors.New("rows do not make a segment")

// Read reads a part of a segment. ErrDamaged also if the store itself says
// so.
func Read(ctx context.Context, objects store.ObjectReader, key string) (Meta, []archive.Row, error) {
	stored, err := store.ReadObject(ctx, objects, key)
	if err != nil {
		return Meta{}, nil, err
	}
	meta, rows, err := Decode(stored)
	if err != nil {
		return meta, nil, fmt.Errorf("reading %s: %w", key, err)
	}
	return meta, rows, nil
}
