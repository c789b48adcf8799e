package storetest

import (
	"context"
	"sync/atomic"

	"wecom-archive/shared/store"
)

// IndexCounter counts the requests to DynamoDB that the adapter would send: 100 items of
// a GetMany are one. It is safe for concurrent use.
type IndexCounter struct {
	store.Index
	n atomic.Int64
}

// Count is how many were sent since the last Reset.
func (c *IndexCounter) Count() int { return int(c.n.Load()) }

// Reset begins to count anew.
func (c *IndexCounter) Reset() { c.n.Store(0) }

func (c *IndexCounter) Get(ctx context.Context, partition, sort string) (store.Item, error) {
	c.n.Add(1)
	return c.Index.Get(ctx, partition, sort)
}

func (c *IndexCounter) GetMany(ctx context.Context, items ...store.Item) ([]store.Item, error) {
	c.n.Add(int64(len(items)+99) / 100)
	return c.Index.GetMany(ctx, items...)
}

func (c *IndexCounter) Query(ctx context.Context, q store.IndexQuery) ([]store.Item, error) {
	c.n.Add(1)
	return c.Index.Query(ctx, q)
}

func (c *IndexCounter) Put(ctx context.Context, items ...store.Item) error {
	c.n.Add(int64(len(items)))
	return c.Index.Put(ctx, items...)
}

func (c *IndexCounter) PutIf(ctx context.Context, item store.Item) error {
	c.n.Add(1)
	return c.Index.PutIf(ctx, item)
}

func (c *IndexCounter) Delete(ctx context.Context, items ...store.Item) error {
	c.n.Add(int64(len(items)))
	return c.Index.Delete(ctx, items...)
}
