package localstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"wecom-archive/shared/store"
)

// Derived is the derived bucket of a Folder.
type Derived struct{ *bucket }

var _ store.Derived = (*Derived)(nil)

// Put implements store.Derived.
func (d *Derived) Put(ctx context.Context, key string, body io.ReadSeeker) error {
	err := errors.Join(ctx.Err(), store.CheckObjectKey(key))
	if err == nil {
		err = d.putOver(ctx, key, body)
	}
	if err != nil {
		return fmt.Errorf("putting %q: %w", key, err)
	}
	return nil
}

// Delete implements store.Derived.
func (d *Derived) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := store.CheckObjectKey(key); err != nil {
			return fmt.Errorf("deleting %q: %w", key, err)
		}
	}
	for _, key := range keys {
		err := ctx.Err()
		if err == nil {
			err = os.Remove(d.path(key))
		}
		if err != nil && !isAbsent(err) {
			return fmt.Errorf("deleting %q: %w", key, err)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	if err := d.sums.remove(d.id, keys...); err != nil {
		return fmt.Errorf("deleting: %w", err)
	}
	return nil
}
