package catalog

import (
	"slices"
	"time"

	"wecom-archive/shared/archive"
)

const (
	// KeepSilences is how long a past silence excuses a new one, in days: what was
	// usual in spring is not in autumn.
	KeepSilences = 35
	// LearnDays is how long an archive must have run before silence can be called
	// usual.
	LearnDays = 7
	// slack is how much longer than a past silence one may last: people do not
	// rest by the clock.
	SilenceSlack = 6 * time.Hour
	// QuietAfter is when a silence must be explained. Shorter ones than that less
	// the slack excuse nothing and are not kept.
	QuietAfter = 24 * time.Hour
)

// Prove notes that a pull reached the end of the stream at a time, by then at
// seq. A proof from before the last one comes late and changes nothing, unless
// the last one lies ahead of the clock, now.
func (s *PullState) Prove(at time.Time, seq uint64, now time.Time) {
	ahead := s.ProofAhead(now)
	if !ahead && !at.After(s.EndReachedAt) {
		return
	}
	q := &s.Quiet
	// Of the time between two proofs that lie a window apart WeCom has forgotten.
	goesOn := !ahead && !q.Since.IsZero() && q.Seq == seq && at.Sub(s.EndReachedAt) < archive.Window
	if !goesOn {
		past := archive.Silence{From: q.Since, To: s.EndReachedAt}
		// Before the first message, silence may as well mean a missing scope.
		if !ahead && q.Seq != 0 && past.To.Sub(past.From) >= QuietAfter-SilenceSlack {
			q.Silences = append(slices.Clone(q.Silences), past)
		}
		q.Seq, q.Since = seq, at
	}
	q.Silences = slices.DeleteFunc(slices.Clone(q.Silences), func(p archive.Silence) bool {
		return p.To.After(at) || at.Sub(p.To) > KeepSilences*24*time.Hour
	})
	s.EndReachedAt = at
}

// ProofAhead says whether the last proof lies ahead of the clock, so that it
// proves nothing.
func (s PullState) ProofAhead(now time.Time) bool { return s.EndReachedAt.Sub(now) > archive.ClockSkew }
