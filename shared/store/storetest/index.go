package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"wecom-archive/shared/store"
)

// Index is an index in memory. It is safe for concurrent use.
type Index struct {
	mu         sync.RWMutex
	partitions map[string]*partition
}

type partition struct {
	items map[string]store.Item
	sorts []string // sorted
}

var _ store.Index = (*Index)(nil)

// NewIndex makes an empty index.
func NewIndex() *Index { return &Index{partitions: map[string]*partition{}} }

// Get implements store.Index.
func (x *Index) Get(ctx context.Context, part, sort string) (store.Item, error) {
	if err := errors.Join(ctx.Err(), store.CheckIndexKey(part, sort)); err != nil {
		return store.Item{}, fmt.Errorf("getting index item: %w", err)
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if p := x.partitions[part]; p != nil {
		if item, ok := p.items[sort]; ok {
			return cloneItem(item), nil
		}
	}
	return store.Item{}, fmt.Errorf("getting index item %q of %q: %w", sort, part, store.ErrNotFound)
}

// GetMany implements store.Index.
func (x *Index) GetMany(ctx context.Context, items ...store.Item) ([]store.Item, error) {
	if err := errors.Join(ctx.Err(), store.CheckItems(items...)); err != nil {
		return nil, fmt.Errorf("getting index items: %w", err)
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	var found []store.Item
	for _, item := range items {
		if p := x.partitions[item.Partition]; p != nil {
			if stored, ok := p.items[item.Sort]; ok {
				found = append(found, cloneItem(stored))
			}
		}
	}
	return found, nil
}

// Query implements store.Index.
func (x *Index) Query(ctx context.Context, q store.IndexQuery) ([]store.Item, error) {
	if err := errors.Join(ctx.Err(), checkQuery(q)); err != nil {
		return nil, fmt.Errorf("querying the index: %w", err)
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	p := x.partitions[q.Partition]
	if p == nil {
		return nil, nil
	}
	first, _ := slices.BinarySearch(p.sorts, q.From)
	end := len(p.sorts)
	if q.To != "" {
		end, _ = slices.BinarySearch(p.sorts, q.To)
	}
	if first >= end {
		return nil, nil
	}
	sorts := p.sorts[first:end]
	n := min(q.Limit, len(sorts))
	items := make([]store.Item, n)
	for i := range n {
		at := i
		if q.Descending {
			at = len(sorts) - 1 - i
		}
		items[i] = cloneItem(p.items[sorts[at]])
	}
	return items, nil
}

// Put implements store.Index.
func (x *Index) Put(ctx context.Context, items ...store.Item) error {
	if err := errors.Join(ctx.Err(), store.CheckItems(items...)); err != nil {
		return fmt.Errorf("putting index items: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, item := range items {
		x.write(item)
	}
	return nil
}

// PutIf implements store.Index.
func (x *Index) PutIf(ctx context.Context, item store.Item) error {
	if err := errors.Join(ctx.Err(), store.CheckItems(item)); err != nil {
		return fmt.Errorf("putting index item: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	var have int64
	if p := x.partitions[item.Partition]; p != nil {
		have = p.items[item.Sort].Revision
	}
	if have != item.Revision {
		return fmt.Errorf("putting index item %q of %q: seen revision %d, stored is %d: %w",
			item.Sort, item.Partition, item.Revision, have, store.ErrConflict)
	}
	x.write(item)
	return nil
}

func (x *Index) write(item store.Item) {
	p := x.partitions[item.Partition]
	if p == nil {
		p = &partition{items: map[string]store.Item{}}
		x.partitions[item.Partition] = p
	}
	old, replaces := p.items[item.Sort]
	if !replaces {
		at, _ := slices.BinarySearch(p.sorts, item.Sort)
		p.sorts = slices.Insert(p.sorts, at, item.Sort)
	}
	item.Revision = old.Revision + 1
	p.items[item.Sort] = cloneItem(item)
}

// Delete implements store.Index.
func (x *Index) Delete(ctx context.Context, items ...store.Item) error {
	err := ctx.Err()
	for _, item := range items {
		err = errors.Join(err, store.CheckIndexKey(item.Partition, item.Sort))
	}
	if err != nil {
		return fmt.Errorf("deleting index items: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, item := range items {
		p := x.partitions[item.Partition]
		if p == nil {
			continue
		}
		if at, found := slices.BinarySearch(p.sorts, item.Sort); found {
			p.sorts = slices.Delete(p.sorts, at, at+1)
			delete(p.items, item.Sort)
		}
	}
	return nil
}

// All returns every item, ordered by partition and sort key. Tests compare
// indexes with it.
func (x *Index) All() []store.Item {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var all []store.Item
	for _, name := range slices.Sorted(maps.Keys(x.partitions)) {
		p := x.partitions[name]
		for _, sort := range p.sorts {
			all = append(all, cloneItem(p.items[sort]))
		}
	}
	return all
}

func cloneItem(item store.Item) store.Item {
	item.Value = bytes.Clone(item.Value)
	return item
}

func checkQuery(q store.IndexQuery) error {
	if q.Limit < 1 {
		return fmt.Errorf("limit %d is not at least 1", q.Limit)
	}
	return store.CheckIndexKey(q.Partition) // bounds may be anything
}

// Drop implements store.Dropper.
func (x *Index) Drop(ctx context.Context, keep ...string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("dropping the index: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	maps.DeleteFunc(x.partitions, func(name string, _ *partition) bool { return !slices.Contains(keep, name) })
	return nil
}
