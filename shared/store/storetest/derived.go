package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"wecom-archive/shared/store"
)

// Derived is the derived bucket in memory. It is safe for concurrent use.
type Derived struct{ memory }

var _ store.Derived = (*Derived)(nil)

// NewDerived makes an empty bucket.
func NewDerived() *Derived { return &Derived{newMemory(latest)} }

// Put implements store.Derived.
func (d *Derived) Put(ctx context.Context, key string, body io.ReadSeeker) error {
	if err := errors.Join(ctx.Err(), store.CheckObjectKey(key)); err != nil {
		return fmt.Errorf("putting %q: %w", key, err)
	}
	stored, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("putting %q: reading the body: %w", key, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(key)
	d.add(key, &object{body: stored})
	return nil
}

// Delete implements store.Derived.
func (d *Derived) Delete(ctx context.Context, keys ...string) error {
	err := ctx.Err()
	for _, key := range keys {
		err = errors.Join(err, store.CheckObjectKey(key))
	}
	if err != nil {
		return fmt.Errorf("deleting %d objects: %w", len(keys), err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range keys {
		d.remove(key)
	}
	return nil
}

// remove forgets a key: nobody asks for older versions of it.
func (d *Derived) remove(key string) {
	if at, found := slices.BinarySearch(d.keys, key); found {
		d.keys = slices.Delete(d.keys, at, at+1)
		delete(d.stored, key)
	}
}

// List implements store.ObjectReader. As in S3, it does not tell versions.
func (d *Derived) List(ctx context.Context, prefix, after string) iter.Seq2[store.ObjectInfo, error] {
	return func(yield func(store.ObjectInfo, error) bool) {
		for info, err := range d.memory.List(ctx, prefix, after) {
			info.Version = ""
			if !yield(info, err) {
				return
			}
		}
	}
}
