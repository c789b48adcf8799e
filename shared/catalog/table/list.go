package table

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	"wecom-archive/shared/store"
)

// ListBefore lists a partition from its end, item by item; next goes on.
func ListBefore[T any](ctx context.Context, t Table, partition, before string, limit int) (out []T, next string, err error) {
	items, err := t.Query(ctx, store.IndexQuery{Partition: partition, To: before, Descending: true, Limit: limit + 1})
	if err != nil {
		return nil, "", fmt.Errorf("listing %s of the index: %w", partition, err)
	}
	if len(items) > limit {
		items = items[:limit]
		next = items[limit-1].Sort
	}
	if out, err = Decode[T](items); err != nil {
		return nil, "", fmt.Errorf("listing %s of the index: %w", partition, err)
	}
	return out, next, nil
}

// List returns the values of the items that a query asks for.
func List[T any](ctx context.Context, t Table, q store.IndexQuery) ([]T, error) {
	items, err := t.Query(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("listing %s of the index: %w", q.Partition, err)
	}
	return Decode[T](items)
}

// Decode returns the values of items.
func Decode[T any](items []store.Item) ([]T, error) {
	out := make([]T, len(items))
	for i, item := range items {
		if err := json.Unmarshal(item.Value, &out[i]); err != nil {
			return nil, fmt.Errorf("listing %s/%s of the index: %w: %w", item.Partition, item.Sort, store.ErrIndexDamaged, err)
		}
	}
	return out, nil
}

// Walk yields the items of a partition, in order. The first error ends the sequence.
func (t Table) Walk(ctx context.Context, partition string) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		q := store.IndexQuery{Partition: partition, Limit: 1000}
		for {
			items, err := t.Query(ctx, q)
			if err != nil {
				yield(store.Item{}, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if len(items) < q.Limit {
				return
			}
			q.From = items[len(items)-1].Sort + "\x00"
		}
	}
}

// Sharded lists sort keys of several partitions as if they were one: at most limit
// that begin with prefix, greater than after.
func (t Table) Sharded(ctx context.Context, shards int, partition func(int) string, after, prefix string, limit int) ([]string, error) {
	var all []string
	for shard := range shards {
		q := store.IndexQuery{Partition: partition(shard), Limit: limit, From: prefix}
		if after != "" {
			q.From = max(prefix, after+"\x00")
		}
		items, err := t.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			if !strings.HasPrefix(item.Sort, prefix) {
				break
			}
			all = append(all, item.Sort)
		}
	}
	slices.Sort(all)
	return all[:min(limit, len(all))], nil
}
