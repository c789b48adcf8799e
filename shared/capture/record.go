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
	if r.did.Gap || at.Sub(since) < archive.Window {
		return nil
	}
	r.did.Gap = true
	gap := archive.Gap{
		Since: since, Until: at.Add(-archive.Window),
		Seq: r.cursor.Seq, Run: r.did.ID, SeenAt: at,
	}
	if err := archive.PutEvent(ctx, r.config.Objects, archive.GapKey(gap), archive.EventGap, r.config.Corp, at, gap); err != nil {
		return own(fmt.Errorf("recording a gap: %w", err))
	}
	r.config.Log.Error("messages may be gone", "since", gap.Since, "until", gap.Until)
	return own(r.config.Journal.PutGap(ctx, gap))
}

// record leaves what the run did: as a locked event if there is news, and in the
// index.
func (r *run) record(ctx context.Context, state catalog.PullState) error {
	r.did.EndedAt = r.config.Now().UTC()
	news := r.did.Pages+r.did.Adopted+r.did.Rejects > 0 || r.did.Error != "" || r.did.Gap
	since := r.did.EndedAt.Sub(state.LastRecordAt)
	noted := news || since >= quietRecords || since < 0 // the clock was set back
	if noted {
		event := r.did
		if r.caughtUp {
			r.prove(&state)
			event.Known = &archive.Known{Number: state.Events + 1, EndReachedAt: state.EndReachedAt, Quiet: state.Quiet}
		}
		if err := archive.PutEvent(ctx, r.config.Objects, archive.RunKey(event), archive.EventRun, r.config.Corp, r.did.EndedAt, event); err != nil {
			return own(fmt.Errorf("recording the run: %w", err))
		}
	}
	seats, asked := r.countSeats(ctx)
	return r.noteInIndex(ctx, func(s *catalog.PullState) {
		if noted {
			s.LastRecordAt = r.did.EndedAt
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
	if !r.did.EndReachedAt.IsZero() {
		s.Prove(r.did.EndReachedAt, r.did.SeqTo, r.did.EndedAt)
	}
}

// noteInIndex records the run in the index, and what it means for the state.
func (r *run) noteInIndex(ctx context.Context, more func(*catalog.PullState)) error {
	if r.did.EndedAt.IsZero() {
		r.did.EndedAt = r.config.Now().UTC()
	}
	if err := r.config.Journal.PutRun(ctx, r.did); err != nil {
		return own(err)
	}
	_, err := r.config.Pages.UpdatePullState(ctx, func(s *catalog.PullState) {
		r.prove(s)
		if r.caughtUp && r.did.StartedAt.After(s.EventsAt) {
			s.EventsAt = r.did.StartedAt // the events of this run are in the index
		}
		// Who lost the lease knows neither success nor failure: the other one does.
		if r.did.Stopped != StoppedLease {
			if r.did.Error == "" {
				s.LastSuccessAt = r.did.EndedAt
			}
			s.LastError, s.LastRemedy = r.did.Error, r.did.Remedy
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
	if r.config.Seats == nil || r.did.EndReachedAt.IsZero() && r.did.Pages == 0 {
		return nil, false
	}
	// A slow answer must not keep the run from being recorded.
	ctx, cancel := context.WithTimeout(ctx, r.config.Margin/4)
	defer cancel()
	ids, err := r.config.Seats.Seats(ctx)
	if err != nil {
		r.config.Log.Warn("cannot list the archived seats", "error", err)
		return nil, true
	}
	n := len(ids)
	return &n, true
}
