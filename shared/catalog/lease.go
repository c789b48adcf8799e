package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// Lease says who may pull, or run another stage. The puller's only spares WeCom
// double calls: that each message is stored once follows from pages and cursor, also
// when two hold the lease.
type Lease struct {
	Owner   string    `json:"owner"`
	Expires time.Time `json:"expires"`

	partition string // of the lease's item
	revision  int64
}

// LeaseHeldError says that somebody else has the lease.
type LeaseHeldError struct {
	Owner   string
	Expires time.Time
}

func (e *LeaseHeldError) Error() string {
	return fmt.Sprintf("the lease is held by %s until %s", e.Owner, e.Expires.Format(time.RFC3339))
}

// AcquireLease takes the lease for owner until now+ttl. It returns a
// *LeaseHeldError if another owner holds it and it has not expired.
func (c *Pages) AcquireLease(ctx context.Context, owner string, now time.Time, ttl time.Duration) (Lease, error) {
	return c.acquireLease(ctx, partitionPuller, owner, now, ttl)
}

// AcquireDirectoryLease is AcquireLease for the directory stage.
func (c *Pages) AcquireDirectoryLease(ctx context.Context, owner string, now time.Time, ttl time.Duration) (Lease, error) {
	return c.acquireLease(ctx, partitionDirectory, owner, now, ttl)
}

func (c *Pages) acquireLease(ctx context.Context, partition, owner string, now time.Time, ttl time.Duration) (Lease, error) {
	var held Lease
	rev, err := c.table.Read(ctx, partition, "lease", &held)
	if err != nil {
		return Lease{}, err
	}
	// Nobody takes a lease for longer than ttl: one that goes on for longer was taken
	// by a clock that ran ahead, and would stop all pulling until then.
	if rev != 0 && held.Owner != owner && held.Owner != "" && held.Expires.After(now) && held.Expires.Sub(now) <= ttl+archive.ClockSkew {
		return Lease{}, &LeaseHeldError{Owner: held.Owner, Expires: held.Expires}
	}
	return c.writeLease(ctx, Lease{Owner: owner, Expires: now.Add(ttl).UTC(), partition: partition, revision: rev})
}

// RenewLease extends a lease. It returns a *LeaseHeldError if it was lost.
func (c *Pages) RenewLease(ctx context.Context, l Lease, now time.Time, ttl time.Duration) (Lease, error) {
	l.Expires = now.Add(ttl).UTC()
	return c.writeLease(ctx, l)
}

// ReleaseLease gives the lease up early. That it was lost is no error.
func (c *Pages) ReleaseLease(ctx context.Context, l Lease) error {
	_, err := c.writeLease(ctx, Lease{partition: l.partition, revision: l.revision})
	var held *LeaseHeldError
	if errors.As(err, &held) {
		return nil
	}
	return err
}

func (c *Pages) writeLease(ctx context.Context, l Lease) (Lease, error) {
	err := c.table.WriteIf(ctx, l.partition, "lease", l.revision, l)
	if errors.Is(err, store.ErrConflict) {
		var held Lease
		rev, err := c.table.Read(ctx, l.partition, "lease", &held)
		if err != nil {
			return Lease{}, err
		}
		if rev == l.revision+1 && held.Owner == l.Owner && held.Expires.Equal(l.Expires) {
			// Our own write: its reply got lost and the adapter tried again.
			held.partition, held.revision = l.partition, rev
			return held, nil
		}
		return Lease{}, &LeaseHeldError{Owner: held.Owner, Expires: held.Expires}
	}
	if err != nil {
		return Lease{}, fmt.Errorf("writing the lease: %w", err)
	}
	l.revision++
	return l, nil
}
