package store

import (
	"context"
	"errors"
)

// Limits that every Index adapter enforces, so that what works on one machine
// works in DynamoDB.
const (
	MaxIndexKey   = 1024      // bytes, of partition and of sort key
	MaxIndexValue = 300 << 10 // bytes
)

// ErrIndexDamaged means that what the index holds cannot be read. It is derived:
// whoever drops it and makes it anew from the objects loses nothing.
var ErrIndexDamaged = errors.New("the index is damaged")

// Item is one entry of the index.
type Item struct {
	Partition string // not empty, UTF-8
	Sort      string // not empty, UTF-8; items of a partition are ordered by its bytes
	Value     []byte // JSON, at most MaxIndexValue

	// Revision is 1 for a new item and grows with every write to it, by exactly 1
	// with PutIf. On PutIf it
	// is the revision that the writer has seen, 0 for "there is none".
	Revision int64
}

// IndexQuery asks for items of one partition.
type IndexQuery struct {
	Partition  string
	From       string // first sort key wanted, inclusive; empty: from the start
	To         string // exclusive; empty: to the end
	Descending bool   // from the end of the range backwards
	Limit      int    // at most so many items; must be at least 1
}

// Index is a table of items in partitions. All of it is derived from objects
// and can be rebuilt. It is written so that DynamoDB can do it with single-item
// conditional writes and no transaction.
//
// Reads see every write that returned before them (strongly consistent).
type Index interface {
	// Get returns the item, or ErrNotFound.
	Get(ctx context.Context, partition, sort string) (Item, error)

	// GetMany returns those of the items that there are, in the order asked for.
	// Only the keys of items count, and none may come twice. It is not one
	// snapshot: each item is as some moment during the call had it.
	GetMany(ctx context.Context, items ...Item) ([]Item, error)

	// Query returns the items asked for, in order. Fewer than Limit means that
	// the range holds no more.
	Query(ctx context.Context, q IndexQuery) ([]Item, error)

	// Put writes items whatever was there before, ignoring their Revision. It is
	// not atomic: after an error some may be written, but none if CheckItems
	// refuses them. The same call again is safe.
	Put(ctx context.Context, items ...Item) error

	// PutIf writes one item if the stored one still has item.Revision (0: if
	// there is none), else it returns ErrConflict.
	PutIf(ctx context.Context, item Item) error

	// Delete removes items; that one is not there is no error. Not atomic. Only
	// the keys of the items count.
	Delete(ctx context.Context, items ...Item) error
}

// Dropper empties an index. Adapters of Index have it for whoever makes the index
// again; the stages do not.
type Dropper interface {
	// Drop removes all items, but not those of the partitions to keep. It reads
	// the whole table, item by item where the store cannot do better. It is not
	// atomic: after an error some are left, and the same call again goes on. What
	// others write meanwhile may be removed or not.
	Drop(ctx context.Context, keep ...string) error
}
