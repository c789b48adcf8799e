package decode

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
)

// servedDays is how long before a page was pulled its messages can have been stored by
// another: what WeCom still serves is five days old at most, and clocks differ.
const servedDays = 6

// held is how many readable rows other segments have of messages.
type held map[message]int

func messageOf(seq int64, msgid string) message {
	return message{seq, strings.ToValidUTF8(msgid, "\uFFFD")}
}

// heldElsewhere reads what segments other than seg hold of the stretch that the pages of
// a unit are in. Commonly nothing can: then nothing is read.
func (x *Indexer) heldElsewhere(ctx context.Context, u *unit, seg *pageSegment) (held, error) {
	if !u.shared() {
		return nil, nil
	}
	from := u.from
	for _, seq := range []uint64{u.asked, max(u.asked, 1) - 1} { // in a hole, or behind one
		around, err := x.Holes.HoleAround(ctx, seq)
		if err != nil {
			return nil, err
		}
		if around != seq {
			from = min(from, around)
		}
	}
	first, last := u.pages[0].Header.PulledAt, x.now().AddDate(0, 0, 1)
	for _, p := range u.pages {
		if p.Header.PulledAt.Before(first) {
			first = p.Header.PulledAt
		}
		if p.Header.PulledAt.After(last) {
			last = p.Header.PulledAt
		}
	}
	keys, err := segmentKeys(ctx, x.Objects, from, u.end(), first.AddDate(0, 0, -servedDays), last)
	if err != nil {
		return nil, err
	}
	found := held{}
	own := archive.SegmentStem(seg.page)
	type place struct {
		stem     string
		position int
	}
	counted := map[place]bool{}
	for _, key := range keys {
		stem := stemOfKey(key)
		if stem == own {
			continue
		}
		_, rows, err := segment.Read(ctx, x.Objects, key)
		if errors.Is(err, store.ErrDamaged) {
			x.Log.Error("a part of a segment cannot be read; its messages do not count", "key", key, "error", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			if at := (place{stem, r.Position}); r.Readable() && !counted[at] {
				counted[at] = true
				found[messageOf(r.Seq, r.MsgID)]++
			}
		}
	}
	return found, nil
}

// stemOfKey is what the keys of all parts of a segment begin with.
func stemOfKey(key string) string {
	day, asked, _, _ := archive.ParseSegmentKey(key)
	return archive.SegmentsPrefix + "dt=" + day + "/" + archive.SeqName(asked)
}

// segmentKeys lists the parts of segments of pages that were asked for from seq from on
// and before to, of the days from first to last. Without first: of all days.
func segmentKeys(ctx context.Context, objects store.ObjectReader, from, to uint64, first, last time.Time) (keys []string, err error) {
	list := func(prefix, after string) error {
		for info, err := range objects.List(ctx, prefix, after) {
			if err != nil {
				return fmt.Errorf("listing the segments from %d to %d: %w", from, to, err)
			}
			if _, asked, _, ok := archive.ParseSegmentKey(info.Key); ok && asked >= from && asked < to {
				keys = append(keys, info.Key)
			} else if ok && asked >= to && after != "" {
				return nil // of this day there are no more
			}
		}
		return nil
	}
	if first.IsZero() {
		return keys, list(archive.SegmentsPrefix, "")
	}
	for day := first.UTC().Truncate(24 * time.Hour); !day.After(last); day = day.AddDate(0, 0, 1) {
		prefix := archive.SegmentsPrefix + "dt=" + archive.Day(day) + "/"
		if err := list(prefix, prefix+archive.SeqName(from)); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// sort parts the envelopes of a page that are not readable yet: those to open, and rows
// of those whose message is readable elsewhere. What stands in the segment counts as it is
// known now.
func (s *pageSegment) sort(page archive.PageHeader, envelopes, unresolved []archive.Envelope, others held) (open []archive.Envelope, elsewhere []archive.Row) {
	readable := s.readableOutside(page.Alternate, others)
	if len(readable) == 0 {
		return unresolved, nil
	}
	nth, times := map[int]int{}, map[message]int{}
	for _, e := range envelopes {
		m := messageOf(e.Seq, e.MsgID)
		nth[e.Position] = times[m]
		times[m]++
	}
	for _, e := range unresolved {
		if !e.HasSeq || nth[e.Position] >= readable[messageOf(e.Seq, e.MsgID)] {
			open = append(open, e)
			continue
		}
		row := rowOf(page.Filed(s.stem()), e)
		row.Outcome = archive.OutcomeElsewhere
		elsewhere = append(elsewhere, row)
	}
	return open, elsewhere
}

// readableOutside is how many readable rows of messages there are that are not of a page.
func (s *pageSegment) readableOutside(alternate int, others held) held {
	readable := held{}
	for m, n := range others {
		readable[m] += n
	}
	counted := map[int]bool{}
	for _, p := range s.parts {
		if p.alternate == alternate {
			continue
		}
		for _, r := range p.rows {
			if r.Readable() && !counted[r.Position] {
				counted[r.Position] = true
				readable[messageOf(r.Seq, r.MsgID)]++
			}
		}
	}
	return readable
}

// rowOf is the row of an envelope, without outcome.
func rowOf(page archive.PageHeader, e archive.Envelope) archive.Row {
	return archive.Row{
		Position: e.Position, Seq: e.Seq, HasSeq: e.HasSeq, MsgID: e.MsgID,
		PublicKeyVer: e.PublicKeyVer, PulledAt: page.PulledAt,
	}
}
