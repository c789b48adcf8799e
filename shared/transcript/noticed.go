package transcript

import (
	"context"
	"errors"
	"sync"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// Damage is told what cannot be read (*damage.Book).
type Damage interface {
	Report(ctx context.Context, f archive.Finding) error
}

// call is what the looks of one call share.
type call struct {
	lastLook bool // what is not found now, is not there

	mu    sync.Mutex
	told  map[string]bool // ids of findings
	until time.Time       // when falling back ends; zero: it did not begin
}

func newCall() *call { return &call{told: map[string]bool{}} }

// report notes a finding, once in a call. Failing to is no reason to show nothing.
func (c *call) report(ctx context.Context, r *Reader, f archive.Finding) {
	if f.Kind == "" {
		return
	}
	c.mu.Lock()
	known := c.told[f.ID()]
	c.told[f.ID()] = true
	c.mu.Unlock()
	if known {
		return
	}
	f.By = "reader"
	r.Log.ErrorContext(ctx, "something cannot be read", "where", f.Where, "kind", f.Kind, "key", f.Key, "detail", f.Detail)
	if r.Damage == nil {
		return
	}
	if err := r.Damage.Report(ctx, f); err != nil {
		r.Log.ErrorContext(ctx, "recording what cannot be read failed", "key", f.Key, "error", err)
	}
}

// fallUntil is when a call must have done with reading segments in place of runs.
func (c *call) fallUntil(ctx context.Context) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until.IsZero() {
		left := fallBackTime
		if deadline, ok := ctx.Deadline(); ok {
			left = min(left, time.Until(deadline)*3/4)
		}
		c.until = time.Now().Add(left)
	}
	return c.until
}

// findingOf is what an error says of an object; without a kind, nothing: what a later
// program wrote is not damaged.
func findingOf(where archive.Where, key string, cause error) archive.Finding {
	f := archive.Finding{Where: where, Key: key, Kind: archive.Altered, Detail: "it cannot be read"}
	switch {
	case errors.Is(cause, archive.ErrNewFormat):
		f.Kind = ""
	case errors.Is(cause, store.ErrNotFound):
		f.Kind, f.Detail = archive.Missing, "it is not there"
	}
	return f
}
