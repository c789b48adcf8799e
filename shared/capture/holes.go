package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

const (
	// holesPerRun bounds the holes that one run looks at.
	holesPerRun = 200
	// windowMargin is taken off WeCom's five days where it matters that all was there.
	windowMargin = 15 * time.Minute
	// sameTime is how long after an alternate the next one may be pulled, for nothing to
	// have fallen out of WeCom's window between them.
	sameTime = 10 * time.Minute
)

// fill asks WeCom again for what is missing between pages. What goes wrong with one hole
// does not keep it from the next; what is left, the next run goes on with.
func (r *run) fill(ctx context.Context) error {
	holes, err := r.config.Holes.OpenHoles(ctx, holesPerRun)
	if err != nil {
		return own(err)
	}
	var failed error
	for _, h := range holes {
		if err := r.mayGoOn(ctx); err != nil {
			return errors.Join(failed, err)
		}
		if !h.Examined { // by who may read what segments hold
			if err := r.config.Queue.Notify(ctx, archive.PageKey(h.From)); err != nil {
				failed = errors.Join(failed, fmt.Errorf("%w: %w", errQueue, err))
			}
			continue
		}
		err := r.fillHole(ctx, h)
		if errors.Is(err, errUnsure) { // it stays open, and the next run asks
			r.config.Log.Warn("a hole stays open", "from", h.From, "to", h.To, "error", err)
			continue
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("filling the hole from %d to %d: %w", h.From, h.To, err))
		}
		if errors.Is(failed, errDeadline) || ctx.Err() != nil {
			break
		}
	}
	return failed
}

// fillHole asks for each stretch of a hole that nothing holds, and records what came of it.
func (r *run) fillHole(ctx context.Context, h catalog.Hole) error {
	var lost []archive.Stretch
	for _, stretch := range h.Ask {
		gone, err := r.fillStretch(ctx, h, stretch)
		if err != nil {
			return err
		}
		lost = append(lost, gone...)
	}
	now := h.ChainHole
	now.Outcome, now.Lost, now.At = archive.HoleFilled, lost, r.now()
	if len(lost) > 0 {
		now.Outcome = archive.HoleLost
		r.config.Log.Error("WeCom does not have all of a hole any more", "from", h.From, "to", h.To, "lost", len(lost))
	}
	return r.recordHole(ctx, now)
}

// fillStretch asks for a stretch again, in as many alternates as it takes. Those that are
// there already, of a run that broke off, are passed over. It returns what is lost of it.
func (r *run) fillStretch(ctx context.Context, h catalog.Hole, stretch catalog.Ask) (lost []archive.Stretch, err error) {
	before := time.Time{} // when the alternate before was pulled
	for at := stretch.From; at < stretch.To; {
		if err := r.mayGoOn(ctx); err != nil {
			return nil, err
		}
		place, err := r.look(ctx, at)
		if err != nil {
			return nil, err
		}
		if at == stretch.From {
			place.next = max(place.next, stretch.Used+1)
		}
		page := place.page
		if place.found {
			err = r.reopen(ctx, page)
		} else {
			var rest bool
			page, rest, err = r.askAgain(ctx, h, place, stretch.To)
			if err == nil && rest {
				return append(lost, archive.Stretch{From: at, To: stretch.To}), nil
			}
		}
		if errors.Is(err, store.ErrExists) {
			continue // another one was quicker
		}
		if err != nil {
			return nil, err
		}
		gone, err := r.goneBefore(ctx, h, page, before)
		if err != nil {
			return nil, err
		}
		lost = append(lost, gone...)
		if page.Alternate > 0 && page.Until > page.LastSeq {
			lost = append(lost, archive.Stretch{From: page.LastSeq, To: page.Until})
		}
		at, before = page.End(), page.PulledAt
	}
	return lost, nil
}

// lostBefore is what may be gone before the first message of an alternate: WeCom begins
// with what it still has, and says nothing of the rest. Nothing if all of the hole was
// younger than five days then.
func lostBefore(h catalog.Hole, page archive.PageHeader, before time.Time) []archive.Stretch {
	whole := !h.Since.IsZero() && page.PulledAt.Sub(h.Since) < archive.Window-windowMargin
	next := !before.IsZero() && page.PulledAt.Sub(before) < sameTime
	if page.Alternate == 0 || page.FirstSeq <= page.SeqAsked+1 || whole || next {
		return nil
	}
	return []archive.Stretch{{From: page.SeqAsked, To: page.FirstSeq - 1}}
}

// goneBefore is what may be gone before the first message of an alternate. Nothing if
// WeCom still has the message before: it forgets the oldest first.
func (r *run) goneBefore(ctx context.Context, h catalog.Hole, page archive.PageHeader, before time.Time) ([]archive.Stretch, error) {
	gone := lostBefore(h, page, before)
	if len(gone) == 0 || page.SeqAsked == 0 {
		return gone, nil
	}
	has := false
	err := r.persist(ctx, page.SeqAsked, func() error {
		got, err := r.call(ctx, page.SeqAsked-1, 1)
		has = err == nil && len(got.parsed.Envelopes) > 0 && got.parsed.FirstSeq == page.SeqAsked
		return err
	})
	if err != nil || has {
		return nil, err
	}
	return gone, nil
}

// reopen has an alternate archived that another run stored, unless it is.
func (r *run) reopen(ctx context.Context, page archive.PageHeader) error {
	if page.Alternate == 0 {
		return nil
	}
	state, err := r.config.Pages.Page(ctx, page.SeqAsked)
	if err == nil && state.Archived && state.Key == page.Key() {
		return nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return own(err)
	}
	if err := r.config.Pages.ReopenPage(ctx, page); err != nil {
		return own(err)
	}
	if err := r.config.Queue.Notify(ctx, page.Key()); err != nil {
		r.config.Log.Warn("cannot queue an alternate; it is queued again later", "key", page.Key(), "error", err)
	}
	return nil
}

// askAgain asks for what comes after a place, up to a seq, and stores it as an alternate.
// rest says that WeCom has nothing of it any more.
func (r *run) askAgain(ctx context.Context, h catalog.Hole, at *place, to uint64) (page archive.PageHeader, rest bool, err error) {
	if at.next > archive.MaxAlternate {
		return page, false, fmt.Errorf("there are %d alternates after %d, and none can be read: %w", at.next-1, at.at, store.ErrDamaged)
	}
	got, complete, err := r.twice(ctx, at.at, to)
	if err != nil {
		return page, false, err
	}
	if len(got.parsed.Envelopes) == 0 {
		return page, true, nil
	}
	from, until := h.First, h.Last
	if from.IsZero() {
		from = r.config.Now()
	}
	if earliest := r.config.Now().AddDate(0, 0, -searchedDays); from.After(earliest) || r.config.Now().Sub(from) > 10*searchedDays*24*time.Hour {
		from = earliest
	}
	if until.Before(r.config.Now()) {
		until = r.config.Now()
	}
	if err := r.findDay(ctx, at, from.AddDate(0, 0, -1), until.AddDate(0, 0, 1)); err != nil {
		return page, false, err
	}
	page = r.header(got)
	page.Alternate, page.Until, page.Stem = at.next, page.LastSeq, at.stem(page)
	if complete {
		page.Until = to
	}
	if err := r.put(ctx, page, got.reply); err != nil {
		return page, false, err
	}
	r.config.Log.Info("stored what was missing", "key", page.Key(), "envelopes", page.Count, "until", page.Until)
	return page, false, own(r.config.Pages.ReopenPage(ctx, page))
}

// errChanged marks answers to the same question that differ.
var errChanged = errors.New("WeCom's answer, asked for again, is another one")

// errUnsure marks an answer without messages that does not show that they are gone.
var errUnsure = errors.New("WeCom's answer is empty, which does not show that messages are gone")

// twice asks for what comes after at, and then for just those of the answer that lie up to
// a seq, which must be the same: a reply is never cut. Without envelopes WeCom has nothing
// there any more. complete says that there is nothing else up to that seq.
func (r *run) twice(ctx context.Context, at, to uint64) (got answer, complete bool, err error) {
	empty := false
	err = r.persist(ctx, at, func() error {
		seen, err := r.call(ctx, at, r.limit)
		if err != nil {
			return err
		}
		k := upTo(seen.parsed.Envelopes, to)
		if k == 0 {
			got = answer{at: at}
			// A reply with later messages shows that these are gone. One without any may
			// come from an archive that is switched off: it counts when nothing could be left.
			if len(seen.parsed.Envelopes) == 0 && !r.mustBeGone(ctx, to) {
				return errUnsure
			}
			if !empty {
				empty = true
				return errDoubtful // no single witness is believed
			}
			return nil
		}
		empty = false
		complete = k < len(seen.parsed.Envelopes) || k < seen.limit
		if got, err = r.call(ctx, at, k); err != nil {
			return err
		}
		if !slices.EqualFunc(got.parsed.Envelopes, seen.parsed.Envelopes[:k], func(a, b archive.Envelope) bool {
			return a.HasSeq == b.HasSeq && a.Seq == b.Seq && a.MsgID == b.MsgID
		}) || got.parsed.LastSeq > to {
			return fmt.Errorf("what comes after %d: %w", at, errChanged)
		}
		return nil
	})
	if err == nil && len(got.parsed.Envelopes) > 0 {
		r.limit = min(r.limit*2, r.config.Limit, 1000)
	}
	return got, complete, err
}

// upTo is how many envelopes of an answer, from its beginning, have those up to a seq.
func upTo(envelopes []archive.Envelope, to uint64) (k int) {
	for i, e := range envelopes {
		if e.HasSeq && uint64(e.Seq) <= to {
			k = i + 1
		}
	}
	return k
}

// mustBeGone says whether messages up to a seq are too old for WeCom by all that is known:
// they were stored once, longer ago than it keeps them.
func (r *run) mustBeGone(ctx context.Context, to uint64) bool {
	at, err := r.look(ctx, to)
	return err == nil && at.found && r.config.Now().Sub(at.page.PulledAt) > archive.Window+24*time.Hour
}

// foundAgain records that a page at the cursor could not be read, and what came when it
// was asked for again, unless that is known.
func (r *run) foundAgain(ctx context.Context, page archive.PageHeader) error {
	known, err := r.holesAt(ctx, page.SeqAsked)
	if err != nil || len(known) > 0 {
		return err
	}
	now := r.now()
	h := catalog.Hole{ChainHole: archive.ChainHole{
		From: page.SeqAsked, To: page.End(), Outcome: archive.HoleFilled, Since: r.since(ctx), By: stage, NoticedAt: now, At: now,
	}}
	gone, err := r.goneBefore(ctx, h, page, time.Time{})
	if err != nil {
		return err
	}
	if h.Lost = gone; len(gone) > 0 {
		h.Outcome = archive.HoleLost
	}
	return r.recordHole(ctx, h.ChainHole)
}
