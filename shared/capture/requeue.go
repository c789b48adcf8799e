package capture

import (
	"context"
	"fmt"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
)

// requeueEvery is how often a page that still waits is queued once more.
const requeueEvery = time.Hour

// requeueBatch is how many pages are queued in one call; SQS takes ten.
const requeueBatch = 10

// requeue puts pages on the archiver's queue that wait too long: their event was
// lost, or the archiver failed on them. It stops when half of the margin is left;
// what it did is marked, and the next run goes on.
//
// If the index was behind the events, it may list messages as unreadable that were
// recovered since, or that a key opens now: their pages are queued, too.
func (r *run) requeue(ctx context.Context) error {
	waiting := func(p catalog.PageState) bool {
		now := r.config.Now()
		return !recent(now, p.PulledAt, r.config.RequeueAfter) && !recent(now, p.QueuedAt, requeueEvery)
	}
	err := r.requeueOf(ctx, r.config.Pages.PendingPages, waiting)
	if err != nil || !r.behind {
		return err
	}
	return r.requeueOf(ctx, r.config.Pages.Quarantined, func(catalog.PageState) bool { return true })
}

// requeueOf queues the pages of a listing that are due.
func (r *run) requeueOf(ctx context.Context, list func(context.Context, uint64, int) ([]catalog.PageState, error), isDue func(catalog.PageState) bool) error {
	const listed = 500
	for from := uint64(0); ; {
		pages, err := list(ctx, from, listed)
		if err != nil {
			return own(fmt.Errorf("looking for waiting pages: %w", err))
		}
		due := slices.DeleteFunc(slices.Clone(pages), func(p catalog.PageState) bool { return !isDue(p) })
		for batch := range slices.Chunk(due, requeueBatch) {
			if deadline, ok := ctx.Deadline(); ok && deadline.Sub(r.config.Now()) < r.config.Margin/2 {
				return nil
			}
			if err := r.queueAgain(ctx, batch); err != nil {
				return fmt.Errorf("queueing pages %d to %d again: %w", batch[0].SeqAsked, batch[len(batch)-1].SeqAsked, err)
			}
		}
		if len(pages) < listed {
			return nil
		}
		from = pages[len(pages)-1].SeqAsked + 1
	}
}

// recent says whether a time is less than d ago. One that lies ahead, written by a
// wrong clock, is not.
func recent(now, at time.Time, d time.Duration) bool {
	age := now.Sub(at)
	return age > -archive.ClockSkew && age < d
}

func (r *run) queueAgain(ctx context.Context, pages []catalog.PageState) error {
	keys := make([]string, len(pages))
	for i, p := range pages {
		keys[i] = p.Key
	}
	if err := r.config.Queue.Notify(ctx, keys...); err != nil {
		return fmt.Errorf("%w: %w", errQueue, err)
	}
	for _, p := range pages {
		if err := r.config.Pages.MarkQueued(ctx, p, r.config.Now()); err != nil {
			return own(err)
		}
		r.did.Requeued++
	}
	return nil
}
