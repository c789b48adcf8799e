package capture

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/archive"
)

// quietRecords is how often runs without any news leave an event.
const quietRecords = time.Hour

// restoreState returns the puller's state, from the run events if the index has
// none (it was lost, or this is the first run).
func (r *run) restoreState(ctx context.Context) (archive.PullState, error) {
	state, err := r.Catalog.PullState(ctx)
	if err != nil || !state.FirstRunAt.IsZero() {
		return state, err
	}
	restored, err := r.readEvents(ctx)
	if err != nil {
		return state, fmt.Errorf("restoring the puller's state from events: %w", err)
	}
	if restored.FirstRunAt.IsZero() {
		restored.FirstRunAt = r.StartedAt
	}
	return r.Catalog.UpdatePullState(ctx, func(s *archive.PullState) {
		if s.FirstRunAt.IsZero() {
			*s = restored
		}
	})
}

// readEvents finds the first run and the last proof that the stream's end was
// reached, and puts what else stands in events only back into the index: gaps and
// key bindings, which the archiver would not find again in pages that are done.
func (r *run) readEvents(ctx context.Context) (archive.PullState, error) {
	var state archive.PullState
	var runs []string
	for info, err := range r.Objects.List(ctx, archive.EventsPrefix, "") {
		if err != nil {
			return state, err
		}
		switch name := info.Key[strings.LastIndexByte(info.Key, '/')+1:]; {
		case strings.HasPrefix(name, "run-"):
			runs = append(runs, info.Key)
		case strings.HasPrefix(name, "gap-"):
			var gap archive.Gap
			if _, err := archive.GetEvent(ctx, r.Objects, info.Key, &gap); err != nil {
				return state, err
			}
			if err := r.Catalog.PutGap(ctx, gap); err != nil {
				return state, err
			}
		case strings.HasPrefix(name, "binding-"):
			var binding archive.KeyBinding
			if _, err := archive.GetEvent(ctx, r.Objects, info.Key, &binding); err != nil {
				return state, err
			}
			if err := r.Catalog.Bind(ctx, binding); err != nil {
				return state, err
			}
		}
	}
	for _, key := range runs {
		past, err := r.pastRun(ctx, key)
		if err != nil {
			return state, err
		}
		if past.Stage == stage {
			state.FirstRunAt = past.StartedAt
			break
		}
	}
	for _, key := range slices.Backward(runs) {
		past, err := r.pastRun(ctx, key)
		if err != nil {
			return state, err
		}
		if past.Stage == stage && !past.EndReachedAt.IsZero() {
			state.EndReachedAt = past.EndReachedAt
			break
		}
	}
	return state, nil
}

func (r *run) pastRun(ctx context.Context, key string) (archive.Run, error) {
	var past archive.Run
	_, err := archive.GetEvent(ctx, r.Objects, key, &past)
	return past, err
}

// recordGap leaves a locked event if WeCom may have dropped messages since the
// last proof. It does so whether or not this run then succeeds.
func (r *run) recordGap(ctx context.Context, state archive.PullState) error {
	since := state.LastProof()
	if r.StartedAt.Sub(since) < archive.Window {
		return nil
	}
	r.Gap = true
	gap := archive.Gap{
		Since: since, Until: r.StartedAt.Add(-archive.Window),
		Seq: r.cursor.Seq, Run: r.ID, SeenAt: r.StartedAt,
	}
	if err := archive.PutEvent(ctx, r.Objects, archive.GapKey(gap), archive.EventGap, r.Corp, r.StartedAt, gap); err != nil {
		return fmt.Errorf("recording a gap: %w", err)
	}
	r.Log.Error("messages may be gone", "since", gap.Since, "until", gap.Until)
	return r.Catalog.PutGap(ctx, gap)
}

// record leaves what the run did: as a locked event if there is news, and in the
// index.
func (r *run) record(ctx context.Context, state archive.PullState) error {
	r.EndedAt = r.Now().UTC()
	news := r.Pages+r.Adopted+r.Rejects > 0 || r.Error != "" || r.Gap
	noted := news || r.EndedAt.Sub(state.LastRecordAt) >= quietRecords
	if noted {
		if err := archive.PutEvent(ctx, r.Objects, archive.RunKey(r.Run), archive.EventRun, r.Corp, r.EndedAt, r.Run); err != nil {
			return fmt.Errorf("recording the run: %w", err)
		}
	}
	seats, asked := r.countSeats(ctx)
	return r.noteInIndex(ctx, func(s *archive.PullState) {
		if noted {
			s.LastRecordAt = r.EndedAt
		}
		if asked {
			s.Seats = seats
		}
	})
}

// noteInIndex records the run in the index, and what it means for the state.
func (r *run) noteInIndex(ctx context.Context, more func(*archive.PullState)) error {
	if r.EndedAt.IsZero() {
		r.EndedAt = r.Now().UTC()
	}
	if err := r.Catalog.PutRun(ctx, r.Run); err != nil {
		return err
	}
	_, err := r.Catalog.UpdatePullState(ctx, func(s *archive.PullState) {
		if r.EndReachedAt.After(s.EndReachedAt) {
			s.EndReachedAt = r.EndReachedAt
		}
		if r.Error == "" {
			s.LastSuccessAt = r.EndedAt
		}
		s.LastError, s.LastRemedy = r.Error, r.Remedy
		if more != nil {
			more(s)
		}
	})
	return err
}

// countSeats asks who is archived when there was nothing to pull: an empty scope
// looks the same as a quiet day.
func (r *run) countSeats(ctx context.Context) (seats *int, asked bool) {
	if r.Seats == nil || r.EndReachedAt.IsZero() || r.Pages > 0 {
		return nil, false
	}
	// A slow answer must not keep the run from being recorded.
	ctx, cancel := context.WithTimeout(ctx, r.Margin/4)
	defer cancel()
	ids, err := r.Seats.Seats(ctx)
	if err != nil {
		r.Log.Warn("cannot list the archived seats", "error", err)
		return nil, true
	}
	n := len(ids)
	return &n, true
}

// requeueEvery is how often a page that still waits is queued once more.
const requeueEvery = time.Hour

// requeueBatch is how many pages are queued in one call; SQS takes ten.
const requeueBatch = 10

// requeue puts pages on the archiver's queue that wait too long: their event was
// lost, or the archiver failed on them. It stops when half of the margin is left;
// what it did is marked, and the next run goes on.
func (r *run) requeue(ctx context.Context) error {
	const listed = 500
	for from := uint64(0); ; {
		pages, err := r.Catalog.PendingPages(ctx, from, listed)
		if err != nil {
			return fmt.Errorf("looking for waiting pages: %w", err)
		}
		due := slices.DeleteFunc(slices.Clone(pages), func(p archive.PageState) bool {
			now := r.Now()
			return now.Sub(p.PulledAt) < r.RequeueAfter || now.Sub(p.QueuedAt) < requeueEvery
		})
		for batch := range slices.Chunk(due, requeueBatch) {
			if deadline, ok := ctx.Deadline(); ok && deadline.Sub(r.Now()) < r.Margin/2 {
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

func (r *run) queueAgain(ctx context.Context, pages []archive.PageState) error {
	keys := make([]string, len(pages))
	for i, p := range pages {
		keys[i] = p.Key
	}
	if err := r.Queue.Notify(ctx, keys...); err != nil {
		return err
	}
	for _, p := range pages {
		if err := r.Catalog.MarkQueued(ctx, p, r.Now()); err != nil {
			return err
		}
		r.Requeued++
	}
	return nil
}
