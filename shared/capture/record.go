package capture

import (
	"context"
	"fmt"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
)

// quietRecords is how often runs without any news leave an event.
const quietRecords = time.Hour

// recordGap leaves a locked event if WeCom may have dropped messages since the
// last proof. It does so whether or not this run then succeeds.
//
// at is when WeCom was first asked, and then, since a run may be suspended or wait
// long, when it had nothing more.
func (r *run) recordGap(ctx context.Context, state catalog.PullState, at time.Time) error {
	since := state.LastProof()
	if r.Gap || at.Sub(since) < archive.Window {
		return nil
	}
	r.Gap = true
	gap := archive.Gap{
		Since: since, Until: at.Add(-archive.Window),
		Seq: r.cursor.Seq, Run: r.ID, SeenAt: at,
	}
	if err := archive.PutEvent(ctx, r.Objects, archive.GapKey(gap), archive.EventGap, r.Corp, at, gap); err != nil {
		return own(fmt.Errorf("recording a gap: %w", err))
	}
	r.Log.Error("messages may be gone", "since", gap.Since, "until", gap.Until)
	return own(r.Catalog.Journal.PutGap(ctx, gap))
}

// record leaves what the run did: as a locked event if there is news, and in the
// index.
func (r *run) record(ctx context.Context, state catalog.PullState) error {
	r.EndedAt = r.Now().UTC()
	news := r.Pages+r.Adopted+r.Rejects > 0 || r.Error != "" || r.Gap
	since := r.EndedAt.Sub(state.LastRecordAt)
	noted := news || since >= quietRecords || since < 0 // the clock was set back
	if noted {
		event := r.Run
		if r.caughtUp {
			r.prove(&state)
			event.Known = &archive.Known{Number: state.Events + 1, EndReachedAt: state.EndReachedAt, Quiet: state.Quiet}
		}
		if err := archive.PutEvent(ctx, r.Objects, archive.RunKey(event), archive.EventRun, r.Corp, r.EndedAt, event); err != nil {
			return own(fmt.Errorf("recording the run: %w", err))
		}
	}
	seats, asked := r.countSeats(ctx)
	return r.noteInIndex(ctx, func(s *catalog.PullState) {
		if noted {
			s.LastRecordAt = r.EndedAt
		}
		if noted && r.caughtUp {
			s.Events = max(s.Events, state.Events+1)
		}
		if asked {
			s.Seats = seats
		}
	})
}

// prove adds what this run proved to a state.
func (r *run) prove(s *catalog.PullState) {
	if !r.EndReachedAt.IsZero() {
		s.Prove(r.EndReachedAt, r.SeqTo, r.EndedAt)
	}
}

// noteInIndex records the run in the index, and what it means for the state.
func (r *run) noteInIndex(ctx context.Context, more func(*catalog.PullState)) error {
	if r.EndedAt.IsZero() {
		r.EndedAt = r.Now().UTC()
	}
	if err := r.Catalog.Journal.PutRun(ctx, r.Run); err != nil {
		return own(err)
	}
	_, err := r.Catalog.Pages.UpdatePullState(ctx, func(s *catalog.PullState) {
		r.prove(s)
		if r.caughtUp && r.StartedAt.After(s.EventsAt) {
			s.EventsAt = r.StartedAt // the events of this run are in the index
		}
		// Who lost the lease knows neither success nor failure: the other one does.
		if r.Stopped != StoppedLease {
			if r.Error == "" {
				s.LastSuccessAt = r.EndedAt
			}
			s.LastError, s.LastRemedy = r.Error, r.Remedy
		}
		if more != nil {
			more(s)
		}
	})
	return own(err)
}

// countSeats asks who is archived whenever WeCom answered: an empty scope looks
// the same as a quiet day.
func (r *run) countSeats(ctx context.Context) (seats *int, asked bool) {
	if r.Seats == nil || r.EndReachedAt.IsZero() && r.Pages == 0 {
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
