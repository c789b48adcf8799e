// Package table is the kit of the index: it reads and writes values as JSON items,
// changes them where others write at the same time, lists and walks partitions, and
// keeps sets of items. The rooms above it (catalog, compaction) say what stands
// where; this one knows none of it.
package table

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"wecom-archive/shared/store"
)

// Table is an index whose items hold JSON.
type Table struct{ store.Index }

// Read decodes an item into v and returns its revision; 0, and v untouched, if
// there is none.
func (t Table) Read(ctx context.Context, partition, sort string, v any) (revision int64, err error) {
	item, err := t.Get(ctx, partition, sort)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading %s/%s of the index: %w", partition, sort, err)
	}
	if err := json.Unmarshal(item.Value, v); err != nil {
		return 0, fmt.Errorf("reading %s/%s of the index: %w: %w", partition, sort, store.ErrIndexDamaged, err)
	}
	return item.Revision, nil
}

// Write writes an item, whatever was there.
func (t Table) Write(ctx context.Context, partition, sort string, v any) error {
	item, err := NewItem(partition, sort, v)
	if err != nil {
		return err
	}
	if err := t.Put(ctx, item); err != nil {
		return fmt.Errorf("writing %s/%s of the index: %w", partition, sort, err)
	}
	return nil
}

// WriteIf writes an item if the stored one has the revision, 0 for none; else
// store.ErrConflict.
func (t Table) WriteIf(ctx context.Context, partition, sort string, revision int64, v any) error {
	item, err := NewItem(partition, sort, v)
	if err != nil {
		return err
	}
	item.Revision = revision
	return t.PutIf(ctx, item)
}

// Change replaces an item by what change makes of it, if that wants to. change is
// called again if somebody else was quicker.
func Change[T any](ctx context.Context, t Table, partition, sort string, change func(known T, found bool) (T, bool)) error {
	const tries = 20
	for range tries {
		var known T
		revision, err := t.Read(ctx, partition, sort, &known)
		if err != nil {
			return err
		}
		next, wanted := change(known, revision > 0)
		if !wanted {
			return nil
		}
		if err = t.WriteIf(ctx, partition, sort, revision, next); err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("changing %s/%s of the index: %w", partition, sort, err)
		}
	}
	return fmt.Errorf("changing %s/%s of the index: %d others were quicker: %w", partition, sort, tries, store.ErrConflict)
}

// NewItem is an item that holds v.
func NewItem(partition, sort string, v any) (store.Item, error) {
	value, err := json.Marshal(v)
	if err != nil {
		return store.Item{}, fmt.Errorf("encoding %s/%s for the index: %w", partition, sort, err)
	}
	return store.Item{Partition: partition, Sort: sort, Value: value}, nil
}
