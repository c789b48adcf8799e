package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"wecom-archive/shared/store"
)

// Units are the capacity units that DynamoDB bills, and the writes among them.
type Units struct {
	Write  int // 1 for each started KB of an item written, deleted or found changed
	Read   int // 1 for each started 4 KB read, strongly consistent
	Writes int // items written or deleted, or that a condition refused
}

// UnitCounter counts what DynamoDB would bill for what is asked of the index that
// it wraps, by the sizes of the items (AWS: "DynamoDB item sizes and formats",
// "Capacity unit consumption"). It never counts less: an item has the name of its
// last PutIf in it, even if there was none. Writers of one item at the same moment
// may blur the size that it had before. It is safe for concurrent use.
type UnitCounter struct {
	mu    sync.Mutex
	units Units
}

// NewUnitCounter makes a counter.
func NewUnitCounter() *UnitCounter { return &UnitCounter{} }

// Units is what was counted since the last Reset.
func (c *UnitCounter) Units() Units {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.units
}

// Reset begins to count anew.
func (c *UnitCounter) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.units = Units{}
}

// Index wraps an index. The sizes before a write it reads from index uncounted.
func (c *UnitCounter) Index(index store.Index) store.Index { return &countedIndex{index, c} }

const (
	writeUnit = 1 << 10 // bytes
	readUnit  = 4 << 10
)

// units is how many of size a number of bytes begins; nothing costs one, too.
func units(bytes, size int) int { return max(1, (bytes+size-1)/size) }

// itemSize is the size of an item in bytes: names and values of its attributes.
func itemSize(item store.Item) int {
	const (
		names    = len("p") + len("s") + len("v") + len("r") + len("w")
		revision = 21 // the most that a number has
		write    = 26 // the name of a PutIf
	)
	return names + len(item.Partition) + len(item.Sort) + len(item.Value) + revision + write
}

type countedIndex struct {
	inner   store.Index
	counter *UnitCounter
}

func (x *countedIndex) read(n int) {
	x.counter.mu.Lock()
	defer x.counter.mu.Unlock()
	x.counter.units.Read += n
}

// wrote counts writes to items that had these sizes before, and have those of
// items now; without items: none.
func (x *countedIndex) wrote(before []int, items []store.Item) {
	x.counter.mu.Lock()
	defer x.counter.mu.Unlock()
	for i, size := range before {
		if items != nil { // an update costs the larger of the two
			size = max(size, itemSize(items[i]))
		}
		x.counter.units.Write += units(size, writeUnit)
		x.counter.units.Writes++
	}
}

// sizes of the items that are stored, 0 for none.
func (x *countedIndex) sizes(ctx context.Context, items []store.Item) []int {
	sizes := make([]int, len(items))
	for i, item := range items {
		if stored, err := x.inner.Get(context.WithoutCancel(ctx), item.Partition, item.Sort); err == nil {
			sizes[i] = itemSize(stored)
		}
	}
	return sizes
}

func (x *countedIndex) Get(ctx context.Context, partition, sort string) (store.Item, error) {
	item, err := x.inner.Get(ctx, partition, sort)
	switch {
	case err == nil:
		x.read(units(itemSize(item), readUnit))
	case errors.Is(err, store.ErrNotFound):
		x.read(1)
	}
	return item, err
}

func (x *countedIndex) GetMany(ctx context.Context, items ...store.Item) ([]store.Item, error) {
	found, err := x.inner.GetMany(ctx, items...)
	if err == nil {
		n := len(items) - len(found) // those that are not there
		for _, item := range found {
			n += units(itemSize(item), readUnit)
		}
		x.read(n)
	}
	return found, err
}

func (x *countedIndex) Query(ctx context.Context, q store.IndexQuery) ([]store.Item, error) {
	items, err := x.inner.Query(ctx, q)
	if err == nil {
		size := 0
		for _, item := range items {
			size += itemSize(item)
		}
		x.read(units(size, readUnit))
	}
	return items, err
}

func (x *countedIndex) Put(ctx context.Context, items ...store.Item) error {
	before := x.sizes(ctx, items)
	err := x.inner.Put(ctx, items...)
	if err == nil {
		x.wrote(before, items)
	}
	return err
}

func (x *countedIndex) PutIf(ctx context.Context, item store.Item) error {
	before := x.sizes(ctx, []store.Item{item})
	err := x.inner.PutIf(ctx, item)
	switch {
	case err == nil:
		x.wrote(before, []store.Item{item})
	case errors.Is(err, store.ErrConflict): // billed, too: what is stored
		x.wrote(x.sizes(ctx, []store.Item{item}), nil)
	}
	return err
}

func (x *countedIndex) Delete(ctx context.Context, items ...store.Item) error {
	type key struct{ partition, sort string }
	seen := map[key]bool{}
	var once []store.Item
	for _, item := range items {
		if k := (key{item.Partition, item.Sort}); !seen[k] {
			seen[k] = true
			once = append(once, item)
		}
	}
	before := x.sizes(ctx, once)
	err := x.inner.Delete(ctx, items...)
	if err == nil {
		x.wrote(before, nil)
	}
	return err
}

// Drop is passed on uncounted: it costs what the table is large, and no stage calls
// it.
func (x *countedIndex) Drop(ctx context.Context, keep ...string) error {
	dropper, ok := x.inner.(store.Dropper)
	if !ok {
		return fmt.Errorf("%T cannot be dropped", x.inner)
	}
	return dropper.Drop(ctx, keep...)
}
