package store

import "context"

// Lock says whether what is put into the archive bucket stays there.
type Lock interface {
	// CheckLock returns nil if the bucket is versioned and locks every new
	// object by default, and ErrNotLocked, wrapped with what is missing,
	// otherwise.
	CheckLock(ctx context.Context) error
}

// Unlocked is the Lock of a store that cannot lock, and says where that is put up
// with: "one machine". Only what runs there may pass it. Whoever shows the archive
// says so.
type Unlocked string

// CheckLock implements Lock: it lets the stages work.
func (Unlocked) CheckLock(ctx context.Context) error { return ctx.Err() }
