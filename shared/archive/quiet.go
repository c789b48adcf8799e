package archive

import (
	"fmt"
	"slices"
	"time"
)

const (
	// keepSilences is how long a past silence excuses a new one, in days: what was
	// usual in spring is not in autumn.
	keepSilences = 35
	// learnDays is how long an archive must have run before silence can be called
	// usual.
	learnDays = 7
	// slack is how much longer than a past silence one may last: people do not
	// rest by the clock.
	slack = 6 * time.Hour
	// quietAfter is when a silence must be explained. Shorter ones than that less
	// the slack excuse nothing and are not kept.
	quietAfter = 24 * time.Hour
)

// Quiet is what the puller has learned of the stream's silence. It rests on
// proofs alone: two pulls that both reached the end of the stream at the same seq
// prove that nothing was said between them. A time without pulls proves nothing,
// so an outage is never taken for a silence.
type Quiet struct {
	Seq      uint64    `json:"seq"`                // where the stream ended at the last proof; 0: no message yet
	Since    time.Time `json:"since,omitzero"`     // first proof that it ends there
	Silences []Silence `json:"silences,omitempty"` // past ones, oldest first
}

// Silence is a time in which provably nobody said anything.
type Silence struct {
	From time.Time `json:"from"` // first proof that the stream ended at some seq
	To   time.Time `json:"to"`   // last one
}

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
	goesOn := !ahead && !q.Since.IsZero() && q.Seq == seq && at.Sub(s.EndReachedAt) < Window
	if !goesOn {
		past := Silence{q.Since, s.EndReachedAt}
		// Before the first message, silence may as well mean a missing scope.
		if !ahead && q.Seq != 0 && past.To.Sub(past.From) >= quietAfter-slack {
			q.Silences = append(slices.Clone(q.Silences), past)
		}
		q.Seq, q.Since = seq, at
	}
	q.Silences = slices.DeleteFunc(slices.Clone(q.Silences), func(p Silence) bool {
		return p.To.After(at) || at.Sub(p.To) > keepSilences*24*time.Hour
	})
	s.EndReachedAt = at
}

// ProofAhead says whether the last proof lies ahead of the clock, so that it
// proves nothing.
func (s PullState) ProofAhead(now time.Time) bool { return s.EndReachedAt.Sub(now) > ClockSkew }

// judgeQuiet tells an empty stream that is believable from one that looks like
// a missing scope, licence or consent: those all look like nothing (design §5.9).
func judgeQuiet(now time.Time, f Facts) (Alarm, bool) {
	const remedy = "Check in the WeCom console: archive scope opened, seats bought and not expired, trusted IP and Secret right. Then send a test message."
	const remedyZH = "请在企业微信管理后台检查：存档范围已开启，席位已购买且未过期，可信 IP 和 Secret 正确。然后发送一条测试消息。"
	seats, silent := f.State.Seats, f.silence(now)
	switch {
	case seats != nil && *seats == 0:
		return act(AlarmQuiet, "Nobody is in the archive's scope: WeCom archives nothing.", remedy).zh("没有人在存档范围内：企业微信不存档任何消息。", remedyZH), true
	case silent < quietAfter:
		return Alarm{}, false
	case seats == nil:
		return act(AlarmQuiet, "No messages for a day, and the list of archived seats is not known.", remedy).zh("一天没有消息，且存档席位名单未知。", remedyZH), true
	case !f.usual(now, silent):
		return act(AlarmQuiet, fmt.Sprintf("No messages for %d h, which is not usual for this corp.", hours(silent)), remedy).zh(fmt.Sprintf("%d 小时没有消息，这对本企业不寻常。", hours(silent)), remedyZH), true
	}
	return Alarm{}, false
}

// silence is how long the stream was empty at the last proof. It counts from the
// last page, which an index that was lost learns again from the pages.
func (f Facts) silence(now time.Time) time.Duration {
	s := f.State
	if s.EndReachedAt.IsZero() {
		return 0
	}
	from := f.Cursor.PulledAt
	switch {
	case from.IsZero():
		from = s.FirstRunAt
	case from.Sub(now) > ClockSkew: // pulled while the clock was wrong
		from = s.Quiet.Since
	}
	return s.EndReachedAt.Sub(from)
}

// usual says whether there was as long a silence before: a corp that rests on
// Sundays is not well when Monday is silent, too.
func (f Facts) usual(now time.Time, silent time.Duration) bool {
	last := f.Cursor.PulledAt
	if last.IsZero() || last.Sub(f.State.FirstRunAt) < learnDays*24*time.Hour {
		return false
	}
	return slices.ContainsFunc(f.State.Quiet.Silences, func(p Silence) bool {
		return now.Sub(p.To) <= keepSilences*24*time.Hour && silent <= p.To.Sub(p.From)+slack
	})
}
