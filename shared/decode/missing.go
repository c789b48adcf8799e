package decode

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

// missing deals with a page that is not there or cannot be read, and has no alternate
// that can: what is stored of its stretch is indexed, and the hole recorded.
func (x *Indexer) missing(ctx context.Context, u *unit) error {
	for _, key := range u.stray {
		if err := x.stray(ctx, key, "its header names another page"); err != nil {
			return err
		}
	}
	for _, key := range u.unread {
		f := archive.Finding{Where: archive.InArchive, Kind: archive.Altered, Key: key, By: "archiver", Noticed: x.now()}
		if err := x.Findings.Report(ctx, f); err != nil {
			return err
		}
	}
	known, err := x.known(ctx, u.asked)
	if err != nil {
		return err
	}
	if !known && len(u.unread) == 0 { // perhaps its segment is all that is left
		keys, err := segmentKeys(ctx, x.Objects, u.asked, u.asked+1, x.now().AddDate(0, 0, -searchedDays), x.now().AddDate(0, 0, 1))
		if err != nil || len(keys) == 0 && len(u.stray) > 0 {
			return err
		}
		if len(keys) == 0 {
			return fmt.Errorf("page %d: %w", u.asked, store.ErrNotFound)
		}
	}
	if over, err := x.spanning(ctx, u.asked, u.asked+1); err != nil || over != "" {
		for _, key := range u.unread {
			err = errors.Join(err, x.stray(ctx, key, "it lies inside the stretch of "+over))
		}
		return err
	}
	r, err := x.regionOf(ctx, u.asked)
	if err != nil {
		return err
	}
	end, _, err := x.Survey(ctx, r)
	if err != nil {
		return err
	}
	return x.giveUp(ctx, u, end)
}

// known says whether the index knows of a page, or of a hole that it lies in.
func (x *Indexer) known(ctx context.Context, asked uint64) (bool, error) {
	_, err := x.Pages.Page(ctx, asked)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return err == nil, err
	}
	from, err := x.Holes.HoleAround(ctx, asked)
	if err != nil || from < asked {
		return err == nil, err
	}
	holes, err := x.Holes.Holes(ctx, asked, 1)
	return len(holes) > 0 && holes[0].From == asked, err
}

// openHolesAt are the open holes that a seq lies in.
func (x *Indexer) openHolesAt(ctx context.Context, seq uint64) ([]catalog.Hole, error) {
	const looked = 1000
	holes, err := x.Holes.OpenHoles(ctx, looked)
	return slices.DeleteFunc(holes, func(h catalog.Hole) bool { return h.From > seq || h.To <= seq }), err
}

// searchedDays is how far back a segment is looked for of a page that nothing is known of.
const searchedDays = 10

// regionOf is the region of a page that is not there: a hole that is known, or up to
// where the next page begins.
func (x *Indexer) regionOf(ctx context.Context, asked uint64) (Region, error) {
	r := Region{From: asked, By: "archiver"}
	before, err := x.Pages.PageBefore(ctx, asked)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return r, err
	}
	r.First, r.From = before.PulledAt, min(asked, before.LastSeq)
	if _, n, _ := archive.ParseAnyPageKey(before.Key); n > 0 { // it was pulled later than what comes behind it
		r.First = r.First.AddDate(0, 0, -servedDays)
	}
	from, err := x.Holes.HoleAround(ctx, asked)
	if err != nil {
		return r, err
	}
	const looked = 100
	holes, err := x.Holes.Holes(ctx, from, looked)
	if err != nil {
		return r, err
	}
	holes = slices.DeleteFunc(holes, func(h catalog.Hole) bool { return h.From > asked || h.To <= asked })
	if len(holes) > 0 { // whatever became of it: that may hold no longer
		h := slices.MaxFunc(holes, func(a, b catalog.Hole) int { return cmp.Compare(a.To, b.To) })
		r.From, r.To, r.Since, r.By = h.From, h.To, h.Since, h.By
		r.First, r.Last = cmp.Or(h.First, r.First), h.Last
		return r, nil
	}
	for info, err := range x.Objects.List(ctx, archive.PagesPrefix, archive.PageKey(asked)) {
		if err != nil {
			return r, fmt.Errorf("listing the pages after %d: %w", asked, err)
		}
		next, _, ok := archive.ParseAnyPageKey(info.Key)
		if !ok {
			continue
		}
		page, ok, err := x.header(ctx, info.Key)
		if err != nil {
			return r, err
		}
		if !ok { // perhaps nobody's, unless the index knows of it
			state, err := x.Pages.Page(ctx, next)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return r, err
			}
			page.PulledAt = state.PulledAt
		}
		r.To, r.Last = next, page.PulledAt
		return r, nil
	}
	state, err := x.Pages.Page(ctx, asked)
	if errors.Is(err, store.ErrNotFound) {
		return r, nil
	}
	if state.LastSeq > asked {
		r.AtLeast, r.Last = state.LastSeq, state.PulledAt
	}
	return r, err
}

// giveUp marks a page as done of which nothing more can be had: what it held is in
// segments, or WeCom does not have it any more.
func (x *Indexer) giveUp(ctx context.Context, u *unit, end uint64) error {
	holes, err := x.openHolesAt(ctx, u.asked)
	if err != nil || len(holes) > 0 || end <= u.asked {
		return err
	}
	state, err := x.Pages.Page(ctx, u.asked)
	if errors.Is(err, store.ErrNotFound) || err == nil && state.Archived {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = x.indexLost(ctx, &pageSegment{page: archive.PageHeader{Corp: x.Corp, SeqAsked: u.asked, LastSeq: state.LastSeq, PulledAt: state.PulledAt}, unread: u.unread})
	return err
}

// spanned says whether a page lies inside the stretch of another one that can be read:
// nobody stores such a page, so it changes nothing.
func (x *Indexer) spanned(ctx context.Context, u *unit) (bool, error) {
	page := u.pages[0].Header
	before, err := x.Pages.PageBefore(ctx, u.asked)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	if before.LastSeq != u.asked { // the chain is broken there: what is gone may have overlapped
		u.broken = true
		if before.LastSeq > u.asked {
			u.from = before.SeqAsked
		}
	}
	if page.Alternate > 0 {
		return false, nil
	}
	over, err := x.over(ctx, before, u.end())
	if err != nil || over == "" {
		return false, err
	}
	return true, x.stray(ctx, page.Key(), "it lies inside the stretch of "+over)
}

// spanning is the key of a page before that can be read and has what comes after asked, up
// to end; empty if there is none. Pages between may be gone themselves.
func (x *Indexer) spanning(ctx context.Context, asked, end uint64) (key string, err error) {
	const looked = 20
	for range looked {
		before, err := x.Pages.PageBefore(ctx, asked)
		if errors.Is(err, store.ErrNotFound) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		if key, err = x.over(ctx, before, end); err != nil || key != "" {
			return key, err
		}
		asked = before.SeqAsked
	}
	return "", nil
}

// over is the key of a page, if that can be read and reaches up to end.
func (x *Indexer) over(ctx context.Context, before catalog.PageState, end uint64) (key string, err error) {
	if before.LastSeq < end {
		return "", nil
	}
	page, err := readPage(ctx, x.Objects, x.Corp, before.Key)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrDamaged) || err == nil && page.Header.End() < end {
		return "", nil
	}
	return before.Key, err
}

// stray reports a page that no part of the program put there.
func (x *Indexer) stray(ctx context.Context, key, why string) error {
	x.Log.Error("a page is left alone", "key", key, "why", why)
	return x.Findings.Report(ctx, archive.Finding{Where: archive.InArchive, Kind: archive.Stray, Key: key, By: "archiver", Noticed: x.now(), Detail: why})
}
