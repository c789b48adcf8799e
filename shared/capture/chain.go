package capture

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

// Holes are what the chain of pages does not have.
type Holes interface {
	Hole(ctx context.Context, from, to uint64) (h catalog.Hole, found bool, err error)
	HoleAround(ctx context.Context, seq uint64) (from uint64, err error)
	Holes(ctx context.Context, from uint64, limit int) ([]catalog.Hole, error)
	OpenHoles(ctx context.Context, limit int) ([]catalog.Hole, error)
	PutHole(ctx context.Context, h archive.ChainHole) error
}

// place is what stands below pages/ for one seq asked.
type place struct {
	at     uint64
	page   archive.PageHeader // that of the page, or else of its highest alternate that can be read
	found  bool               // there is one
	broken error              // why what is there cannot be read; nil: it can, or nothing is there
	next   int                // number of the next alternate
	day    string             // of a segment of it; empty: there is none
	beyond archive.PageHeader // the next page asked for later; SeqAsked 0: there is none
}

// stem is the day of the segment for the rows of a new alternate.
func (p *place) stem(h archive.PageHeader) string {
	if p.day != "" {
		return p.day
	}
	return archive.Day(h.PulledAt)
}

// look reads what stands at a seq. Only if that is no page, it looks further.
func (r *run) look(ctx context.Context, at uint64) (*place, error) {
	p := &place{at: at, next: 1}
	h, err := r.stored(ctx, archive.PageKey(at))
	switch {
	case err == nil:
		p.page, p.found = h, true
		return p, nil
	case errors.Is(err, store.ErrDamaged):
		p.broken = err
	case !errors.Is(err, store.ErrNotFound):
		return p, err
	}
	for info, err := range r.config.Objects.List(ctx, archive.PagesPrefix, archive.PageStem(at)) {
		if err != nil {
			return p, own(fmt.Errorf("listing the pages from %d on: %w", at, err))
		}
		asked, alternate, ok := archive.ParseAnyPageKey(info.Key)
		switch {
		case !ok || asked == at && alternate == 0:
			continue
		case asked > at && p.found:
			return p, nil
		}
		h, err := r.stored(ctx, info.Key)
		unreadable := errors.Is(err, store.ErrDamaged)
		if err != nil && !unreadable {
			return p, err
		}
		switch {
		case asked > at && !unreadable:
			p.beyond = h
			return p, nil
		case asked > at: // perhaps nobody's: it does not show that the chain goes on
		case unreadable:
			p.broken, p.next = err, max(p.next, alternate+1)
		default:
			p.next = max(p.next, alternate+1)
			if !p.found || alternate > p.page.Alternate {
				p.page, p.found = h, true
			}
		}
	}
	return p, nil
}

// errForeign marks a bucket that holds the archive of another company: nothing is put
// beside it.
var errForeign = errors.New("this bucket holds another company's pages")

// stored reads a page or an alternate, which must be what its key says. The cursor follows
// its header, which must agree with the reply.
func (r *run) stored(ctx context.Context, key string) (archive.PageHeader, error) {
	stored, err := store.ReadObject(ctx, r.config.Objects, key)
	if err != nil {
		return archive.PageHeader{}, own(fmt.Errorf("looking for %s: %w", key, err))
	}
	page, err := archive.DecodePage(stored)
	if err != nil {
		return archive.PageHeader{}, fmt.Errorf("adopting %s: %w", key, err)
	}
	h := page.Header
	if h.Key() == key && h.Corp != r.config.Corp {
		return h, fmt.Errorf("adopting %s: %w: it is of corp %s, not of %s", key, errForeign, h.Corp, r.config.Corp)
	}
	if h.Key() != key {
		return h, fmt.Errorf("adopting %s: its header says %s: %w", key, h.Key(), store.ErrDamaged)
	}
	// Whether its steps are believable was judged when it was stored.
	parsed, err := archive.ParseReply(page.Reply, h.SeqAsked, archive.SeqLimits{MaxJump: math.MaxUint64, MaxFirst: math.MaxUint64})
	if err != nil || parsed.FirstSeq != h.FirstSeq || parsed.LastSeq != h.LastSeq || len(parsed.Envelopes) != h.Count {
		return h, fmt.Errorf("adopting %s: its header (%d to %d, %d envelopes) is not that of its reply: %w",
			key, h.FirstSeq, h.LastSeq, h.Count, store.ErrDamaged)
	}
	return h, nil
}

// adopt moves the cursor over pages that are stored already: by a run that died
// before it moved the cursor, or by another one at work. Their created-event may
// have died with that run, so they are queued again. Where a page is missing or cannot be
// read, and later ones are there, the cursor passes the hole, which is recorded.
func (r *run) adopt(ctx context.Context) error {
	for {
		if err := r.mayGoOn(ctx); err != nil {
			return err
		}
		at, err := r.look(ctx, r.cursor.Seq)
		if err != nil {
			return err
		}
		r.again = nil
		if !at.found {
			passed, err := r.pass(ctx, at)
			if err != nil || !passed {
				return err
			}
			continue
		}
		if at.page.Alternate > 0 {
			if err := r.foundAgain(ctx, at.page); err != nil {
				return err
			}
		}
		ours, err := r.advance(ctx, at.page)
		if err != nil {
			return err
		}
		if !ours {
			continue
		}
		r.did.Adopted++
		r.config.Log.Info("adopted a stored page", "page", at.page.Key(), "envelopes", at.page.Count)
		if err := r.config.Queue.Notify(ctx, at.page.Key()); err != nil {
			r.config.Log.Warn("cannot queue an adopted page; it is queued again later", "page", at.page.Key(), "error", err)
		}
	}
}

// pass moves the cursor over a hole that begins there. If it does not, what is at the
// cursor is asked for next, also where something stands that cannot be read.
func (r *run) pass(ctx context.Context, at *place) (passed bool, err error) {
	hole, err := r.holeAt(ctx, at)
	switch {
	case err != nil:
		return false, err
	case hole.To > 0:
	case at.beyond.SeqAsked > 0:
		now := r.now()
		hole = archive.ChainHole{From: at.at, To: at.beyond.SeqAsked, Outcome: archive.HoleOpen, Since: r.since(ctx), By: stage, NoticedAt: now, At: now}
		if err := r.recordHole(ctx, hole); err != nil {
			return false, err
		}
		r.config.Log.Error("pages are missing, or cannot be read", "from", hole.From, "to", hole.To)
	default:
		return false, r.atCursor(ctx, at)
	}
	// What segments hold of it may have changed since somebody looked: the index, which
	// did not have it behind the cursor, is new.
	if err := r.config.Queue.Notify(ctx, archive.PageKey(hole.From)); err != nil {
		return false, fmt.Errorf("%w: %w", errQueue, err)
	}
	next, err := r.config.Pages.PassHole(ctx, r.cursor, hole)
	if errors.Is(err, store.ErrConflict) {
		r.cursor, err = r.config.Pages.Cursor(ctx)
		return true, own(err)
	}
	if err != nil {
		return false, own(err)
	}
	r.cursor = next
	return true, nil
}

// holeAt is the hole that is known to begin at a place, or to have it, and reaches
// furthest; To 0: there is none. One that alternates filled, or of which WeCom had no more,
// does not count: where the cursor comes to it, these are gone as well.
func (r *run) holeAt(ctx context.Context, at *place) (hole archive.ChainHole, err error) {
	known, err := r.holesAt(ctx, at.at)
	for _, h := range known {
		counts := h.Outcome == archive.HoleOpen || h.Outcome == archive.HoleCovered
		if counts && h.To > hole.To && (at.beyond.SeqAsked == 0 || h.To <= at.beyond.SeqAsked) {
			hole = h.ChainHole
		}
	}
	return hole, err
}

// holesAt are the holes that have the message after a seq, whatever became of them.
func (r *run) holesAt(ctx context.Context, seq uint64) (at []catalog.Hole, err error) {
	from, err := r.config.Holes.HoleAround(ctx, seq)
	if err != nil {
		return nil, own(err)
	}
	const looked = 100
	known, err := r.config.Holes.Holes(ctx, from, looked)
	return slices.DeleteFunc(known, func(h catalog.Hole) bool { return h.From > seq || h.To <= seq }), own(err)
}

// errOrphans marks an archive whose last pages are gone, while messages of them are stored.
var errOrphans = errors.New("segments are stored of pages that are not there")

// atCursor is the end of the chain. If the index does not say so, since it was lost, there
// may be segments of pages behind it, which are gone: WeCom is not to be asked for what
// they hold, and who may read them says how far they reach.
func (r *run) atCursor(ctx context.Context, at *place) error {
	orphan, err := r.orphan(ctx, at)
	if err != nil {
		return err
	}
	if orphan != "" {
		_, asked, _, _ := archive.ParseSegmentKey(orphan)
		if err := r.config.Queue.Notify(ctx, archive.PageKey(asked)); err != nil {
			return fmt.Errorf("%w: %w", errQueue, err)
		}
		return own(fmt.Errorf("%w: %s", errOrphans, orphan))
	}
	if at.broken == nil {
		return nil
	}
	// Nothing can be put in its place, and nothing may stop the archive: it is asked for
	// again, beside what is there.
	r.again = at
	r.config.Log.Error("what stands at the cursor cannot be read and is asked for again", "seq", at.at, "alternate", at.next, "error", at.broken)
	return own(r.config.Findings.Report(ctx, archive.Finding{
		Where: archive.InArchive, Kind: archive.Altered, Key: archive.PageKey(at.at), By: stage, Noticed: r.now(), Detail: at.broken.Error(),
	}))
}

// searchedDays is how far back segments are looked for by their names: what WeCom still
// serves is stored in none that is older.
const searchedDays = 8

// orphan looks, by their names, for segments of what was asked for at the cursor or later,
// and notes the day of those of the cursor. It returns the key of one that nobody has
// looked at since its page is gone; empty if there is none.
func (r *run) orphan(ctx context.Context, at *place) (key string, err error) {
	from := r.cursor.PulledAt
	if earliest := r.config.Now().AddDate(0, 0, -searchedDays); from.Before(earliest) {
		from = earliest
	}
	looked := map[uint64]bool{}
	for info, err := range r.segments(ctx, at.at, from.AddDate(0, 0, -1), r.config.Now().AddDate(0, 0, 1)) {
		if err != nil {
			return "", err
		}
		day, asked, _, ok := archive.ParseSegmentKey(info.Key)
		if !ok || looked[asked] {
			continue
		}
		looked[asked] = true
		if asked == at.at && at.day == "" {
			at.day = day
		}
		state, err := r.config.Pages.Page(ctx, asked)
		switch {
		case errors.Is(err, store.ErrNotFound) || err == nil && !state.Archived:
			return info.Key, nil
		case err != nil:
			return "", own(err)
		}
	}
	return "", nil
}

// segments lists parts of segments of what was asked for from seq on, of some days.
func (r *run) segments(ctx context.Context, seq uint64, from, to time.Time) iter.Seq2[store.ObjectInfo, error] {
	return func(yield func(store.ObjectInfo, error) bool) {
		for day := from.UTC().Truncate(24 * time.Hour); !day.After(to); day = day.AddDate(0, 0, 1) {
			prefix := archive.SegmentsPrefix + "dt=" + archive.Day(day) + "/"
			for info, err := range r.config.Objects.List(ctx, prefix, prefix+archive.SeqName(seq)) {
				if err != nil {
					err = own(fmt.Errorf("listing the segments from %d on: %w", seq, err))
				}
				if !yield(info, err) || err != nil {
					return
				}
			}
		}
	}
}

// findDay notes the day of a segment of what was asked for at a place.
func (r *run) findDay(ctx context.Context, at *place, from, to time.Time) error {
	for day := from.UTC().Truncate(24 * time.Hour); !day.After(to); day = day.AddDate(0, 0, 1) {
		name := archive.Day(day)
		for info, err := range r.config.Objects.List(ctx, archive.SegmentsPrefix+"dt="+name+"/"+archive.SeqName(at.at), "") {
			if err != nil {
				return own(fmt.Errorf("looking for a segment of page %d: %w", at.at, err))
			}
			if _, asked, _, ok := archive.ParseSegmentKey(info.Key); ok && asked == at.at {
				at.day = name
				return nil
			}
		}
	}
	return nil
}

// since is when everything up to the cursor was stored: what comes behind it came to WeCom
// later. Zero if that is not known.
func (r *run) since(ctx context.Context) time.Time {
	head, err := r.config.Objects.GetRange(ctx, archive.PageKey(r.cursor.Page), 0, archive.HeaderProbe)
	if err != nil {
		return time.Time{}
	}
	if h, err := archive.DecodePageHeader(head); err == nil && h.End() == r.cursor.Seq && h.Count < h.Limit {
		return h.PulledAt
	}
	return time.Time{}
}

func (r *run) now() time.Time { return r.config.Now().UTC().Truncate(time.Millisecond) }

// recordHole records what is known of a hole.
func (r *run) recordHole(ctx context.Context, h archive.ChainHole) error {
	return own(catalog.RecordHole(ctx, r.config.Objects, r.config.Holes, r.config.Findings, r.config.Corp, h))
}
