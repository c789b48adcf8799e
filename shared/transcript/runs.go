// Package transcript reads the messages of a conversation in their order, wherever
// they lie: in the runs of the compactor (package compact), and in the segments
// that are not compacted yet, which postings in the index point to.
//
// An answer is the same before, during and after a compaction. The postings are
// read first and the switch after them: a message whose posting was deleted is in
// a run by then. One that is found twice appears once.
package transcript

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"wecom-archive/shared/archive"
)

// search collects what a query finds in runs.
type search struct {
	*sources
	query archive.PlaceQuery
	found []entry // in order of reading, query.Limit at most, each message once
	units []unit  // not looked at yet
}

// unit is a month or, if group is set, a row group of it. None of its messages of
// the conversation are before first or after last (ms).
type unit struct {
	month       string
	group       *archive.RowGroup
	first, last int64
}

// bounds are the first and last ms that the query can want.
func (s *search) bounds() (from, to int64) {
	q := s.query
	from, to = math.MinInt64/2, math.MaxInt64/2
	if !q.From.IsZero() {
		from = q.From.UnixMilli()
	}
	if !q.To.IsZero() {
		to = q.To.Add(-1).UnixMilli()
	}
	if q.After != nil && q.Descending {
		to = min(to, q.After.Time.UnixMilli())
	} else if q.After != nil {
		from = max(from, q.After.Time.UnixMilli())
	}
	return from, to
}

// runs looks at months and row groups in the order of reading, until what is left
// cannot be among the first messages.
func (s *search) runs(ctx context.Context) error {
	from, to := s.bounds()
	months, err := s.months(ctx)
	if err != nil {
		return err
	}
	for _, m := range months {
		s.addUnit(unit{month: m.Month, first: m.First.UnixMilli(), last: m.Last.UnixMilli()}, from, to)
	}
	for len(s.units) > 0 {
		u := s.nextUnit()
		if s.beyond(u) {
			return nil
		}
		if u.group == nil {
			err = s.openMonth(ctx, u, from, to)
		} else {
			err = s.readGroup(ctx, u)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *search) addUnit(u unit, from, to int64) {
	if u.last >= from && u.first <= to {
		s.units = append(s.units, u)
	}
}

// nextUnit takes out the unit that can hold the next message in order of reading.
func (s *search) nextUnit() unit {
	best := 0
	for i, u := range s.units {
		if s.query.Descending && u.last > s.units[best].last || !s.query.Descending && u.first < s.units[best].first {
			best = i
		}
	}
	u := s.units[best]
	s.units = slices.Delete(s.units, best, best+1)
	return u
}

// beyond says whether all messages wanted come before those of the unit.
func (s *search) beyond(u unit) bool {
	if len(s.found) < s.query.Limit {
		return false
	}
	last := s.found[s.query.Limit-1].place.Time.UnixMilli()
	if s.query.Descending {
		return last > u.last
	}
	return last < u.first
}

func (s *search) openMonth(ctx context.Context, u unit, from, to int64) error {
	m, err := s.compaction(ctx, u.month)
	if err != nil {
		return err
	}
	for _, run := range m.Runs {
		groups, err := s.reader.catalog.RowGroups(ctx, run.ID, s.query.Conversation, time.UnixMilli(from), time.UnixMilli(to))
		if err != nil {
			return err
		}
		for _, g := range groups {
			of := unit{month: u.month, group: &g, first: u.first, last: u.last}
			if g.First.Conversation == s.query.Conversation {
				of.first = g.First.Time
			}
			if g.Last.Conversation == s.query.Conversation {
				of.last = g.Last.Time
			}
			s.addUnit(of, from, to)
		}
	}
	return nil
}

func (s *search) readGroup(ctx context.Context, u unit) error {
	rows, err := s.groupRows(ctx, *u.group)
	if err != nil {
		return fmt.Errorf("compaction of %s: %w (make it again with: wecom-archive compact --rebuild --month %s)", u.month, err, u.month)
	}
	for _, row := range rows {
		if place := row.Place(); s.query.Wants(place.Position) {
			kept := row.Row
			s.found = append(s.found, entry{place, &kept})
		}
	}
	s.arrange()
	return nil
}

// arrange sorts what was found, and drops copies and what the limit cuts off.
func (s *search) arrange() {
	slices.SortFunc(s.found, func(a, b entry) int {
		d := a.place.Compare(b.place.Position)
		if s.query.Descending {
			d = -d
		}
		return cmp.Or(d, cmp.Compare(a.place.Part(), b.place.Part()), cmp.Compare(a.place.Row, b.place.Row), cmp.Compare(a.unread(), b.unread()))
	})
	s.found = slices.CompactFunc(s.found, func(a, b entry) bool { return a.place.Compare(b.place.Position) == 0 })
	if len(s.found) > s.query.Limit {
		clear(s.found[s.query.Limit:])
		s.found = s.found[:s.query.Limit]
	}
}

// groupRows reads the rows of a conversation in a row group, with two requests, or
// one if the object's footer is known.
func (r *Reader) groupRows(ctx context.Context, g archive.RowGroup, conversation string) ([]archive.CompactRow, error) {
	release, err := r.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if r.derived == nil {
		return nil, errors.New("the derived bucket is not set")
	}
	layout, at := g.Layout()
	name := g.Object + "#" + g.FooterSHA256
	footer, ok := r.footers.Get(name)
	if !ok {
		if footer, err = r.derived.GetRange(ctx, g.Object, layout.Footer, layout.Size-layout.Footer); err != nil {
			return nil, err
		}
		if err := layout.CheckFooter(footer); err != nil {
			return nil, fmt.Errorf("%s: %w", g.Object, err)
		}
		r.footers.Add(name, footer)
	}
	data, err := r.derived.GetRange(ctx, g.Object, at.Offset, at.Length)
	if err != nil {
		return nil, err
	}
	rows, err := layout.ReadGroup(g.Group, at, data, footer, conversation)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.Object, err)
	}
	for _, row := range rows {
		if row.Conversation != conversation {
			return nil, fmt.Errorf("%s: row group %d: a row of another conversation: %w", g.Object, g.Group, archive.ErrDamaged)
		}
	}
	return rows, nil
}
