package table

import (
	"context"
	"fmt"
	"slices"

	"wecom-archive/shared/store"
)

// Key names an item.
type Key struct{ Partition, Sort string }

// KeyOf is the key of an item.
func KeyOf(i store.Item) Key { return Key{i.Partition, i.Sort} }

// Set is a set of items without content.
type Set map[Key]struct{}

// Add adds an item.
func (s Set) Add(partition, sort string) { s[Key{partition, sort}] = struct{}{} }

// Items are the items of the set, in no order.
func (s Set) Items() []store.Item {
	items := make([]store.Item, 0, len(s))
	for k := range s {
		items = append(items, store.Item{Partition: k.Partition, Sort: k.Sort, Value: []byte("{}")})
	}
	return items
}

// Missing are the items of a set that the index does not have.
func (t Table) Missing(ctx context.Context, s Set) ([]store.Item, error) {
	if len(s) == 0 {
		return nil, nil
	}
	items := s.Items()
	found, err := t.GetMany(ctx, items...)
	if err != nil {
		return nil, err
	}
	known := Set{}
	for _, item := range found {
		known[KeyOf(item)] = struct{}{}
	}
	return slices.DeleteFunc(items, func(item store.Item) bool { _, ok := known[KeyOf(item)]; return ok }), nil
}

// PutMissing writes the items of a set that are not there: reading is cheaper than
// writing.
func (t Table) PutMissing(ctx context.Context, s Set) error {
	missing, err := t.Missing(ctx, s)
	if err != nil || len(missing) == 0 {
		return err
	}
	return t.Put(ctx, missing...)
}

// atOnce is how many items one request returns.
const atOnce = 100

// Gathering is items of any kind that are read together.
type Gathering struct {
	items []store.Item
	take  map[Key]func(value []byte) error
}

// NewGathering is an empty one.
func NewGathering() *Gathering { return &Gathering{take: map[Key]func([]byte) error{}} }

// Want asks for an item, once; take gets its value if there is one.
func (g *Gathering) Want(item store.Item, take func(value []byte) error) {
	if _, twice := g.take[KeyOf(item)]; twice {
		return
	}
	g.items, g.take[KeyOf(item)] = append(g.items, item), take
}

// Read reads all that was asked for.
func (g *Gathering) Read(ctx context.Context, index store.Index) error {
	for chunk := range slices.Chunk(g.items, atOnce) {
		found, err := index.GetMany(ctx, chunk...)
		if err != nil {
			return err
		}
		for _, item := range found {
			if err := g.take[KeyOf(item)](item.Value); err != nil {
				return fmt.Errorf("%s/%s: %w: %w", item.Partition, item.Sort, store.ErrIndexDamaged, err)
			}
		}
	}
	return nil
}
