package mediafetch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

// MediaLists are the lists with unfinished files.
type MediaLists interface {
	PendingMedia(ctx context.Context, after *catalog.MediaList, limit int) ([]catalog.MediaList, error)
	MarkMediaQueued(ctx context.Context, l catalog.MediaList, at time.Time) error
}

// Requeuer queues job lists with unfinished files: their event was lost, the stage
// failed on them, or a file is due for its next try. Run it now and then.
type Requeuer struct {
	Media MediaLists
	Queue store.Notifier // of the media stage
	Now   func() time.Time

	After time.Duration // how long a new list is left to its event; default 10 min
	Every time.Duration // how often a list is queued again; default 30 min
}

// Run queues the lists that are due, those first whose files expire first, and says
// how many. What it did is marked: after an error the next run goes on.
func (r *Requeuer) Run(ctx context.Context) (queued int, err error) {
	setDefault(&r.After, 10*time.Minute)
	setDefault(&r.Every, 30*time.Minute)
	const listed = 500
	var last *catalog.MediaList
	for {
		lists, err := r.Media.PendingMedia(ctx, last, listed)
		if err != nil {
			return queued, fmt.Errorf("looking for unfinished media: %w", err)
		}
		due := slices.DeleteFunc(slices.Clone(lists), func(l catalog.MediaList) bool { return !r.due(l) })
		for batch := range slices.Chunk(due, 10) { // what SQS takes at a time
			if err := r.queue(ctx, batch); err != nil {
				return queued, fmt.Errorf("queueing media again: %w", err)
			}
			queued += len(batch)
		}
		if len(lists) < listed {
			return queued, nil
		}
		last = &lists[len(lists)-1]
	}
}

func (r *Requeuer) due(l catalog.MediaList) bool {
	now := r.Now()
	return !now.Before(l.NextTry) && !recent(now, l.PulledAt, r.After) && !recent(now, l.QueuedAt, r.Every)
}

// recent says whether a time is less than d ago. One that lies ahead, written by a
// wrong clock, is not.
func recent(now, at time.Time, d time.Duration) bool {
	age := now.Sub(at)
	return age > -archive.ClockSkew && age < d
}

func (r *Requeuer) queue(ctx context.Context, lists []catalog.MediaList) error {
	keys := make([]string, len(lists))
	for i, l := range lists {
		keys[i] = l.Key()
	}
	if err := r.Queue.Notify(ctx, keys...); err != nil {
		return err
	}
	for _, l := range lists {
		if err := r.Media.MarkMediaQueued(ctx, l, r.Now()); err != nil {
			return err
		}
	}
	return nil
}
