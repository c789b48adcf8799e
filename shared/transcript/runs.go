package transcript

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"wecom-archive/shared/archive"
)

// search collects what a query finds in runs.
type search struct {
	*sources
	query    archive.PlaceQuery
	found    []entry // in order of reading, query.Limit at most, each message once
	units    []unit  // not looked at yet
	most     int     // requests that it stops at, of all that were spent; 0: there is no such
	optional bool    // it may end without a message though there are some
	more     bool    // it ended before the limit
}

// unit is a month or, if walk is set, the rest of a run of it or, if group is set, too, a
// row group. None of its messages of the conversation are before first or after last (ms).
type unit struct {
	month       string
	walk        *walk
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

// runs looks at months, their runs and row groups in the order of reading, until what
// is left cannot be among the first messages, or costs too much.
func (s *search) runs(ctx context.Context) error {
	from, to := s.bounds()
	months, err := s.months(ctx)
	if err != nil {
		return err
	}
	if s.spare(); s.query.Limit == 0 {
		return nil
	}
	for _, m := range months {
		s.addUnit(unit{month: m.Month, first: m.First.UnixMilli(), last: m.Last.UnixMilli()}, from, to)
	}
	for len(s.units) > 0 {
		u := s.nextUnit()
		if s.beyond(u) || s.stop(u) {
			return nil
		}
		switch {
		case u.group != nil:
			err = s.readGroup(ctx, u)
		case u.walk != nil:
			err = s.step(ctx, u, from, to)
		default:
			err = s.openMonth(ctx, u, from, to)
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
	return len(s.found) >= s.query.Limit && s.before(s.found[s.query.Limit-1], u)
}

// before says whether a message is read before all of the unit.
func (s *search) before(e entry, u unit) bool {
	if at := e.place.Time.UnixMilli(); s.query.Descending {
		return at > u.last
	} else {
		return at < u.first
	}
}

func (s *search) openMonth(ctx context.Context, u unit, from, to int64) error {
	m, err := s.compaction(ctx, u.month)
	if err != nil {
		return err
	}
	near := max(from, u.first)
	if s.query.Descending {
		near = min(to, u.last)
	}
	for _, run := range m.Runs {
		s.addUnit(unit{month: u.month, walk: &walk{directory: s.directory(run.ID), near: near}, first: u.first, last: u.last}, from, to)
	}
	return nil
}

// step takes the next row group of a run.
func (s *search) step(ctx context.Context, u unit, from, to int64) error {
	g, err := u.walk.next(ctx, s.query.Descending)
	if err != nil || g == nil {
		return err
	}
	of, rest := u, u
	of.group = g
	if g.First.Conversation == s.conversation {
		of.first, rest.last = max(of.first, g.First.Time), min(rest.last, g.First.Time)
	}
	if g.Last.Conversation == s.conversation {
		of.last, rest.first = min(of.last, g.Last.Time), max(rest.first, g.Last.Time)
	}
	if g.MayHold(s.conversation, from, to) {
		s.addUnit(of, from, to)
	}
	goesOn := g.Last.Conversation <= s.conversation
	if s.query.Descending {
		rest.first = u.first
		goesOn = g.First.Conversation >= s.conversation
	} else {
		rest.last = u.last
	}
	if goesOn {
		s.addUnit(rest, from, to)
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

// groupRows reads the rows of a conversation in a row group, with one request, or two if
// an older program wrote the directory and the object's footer is not known.
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
	if !ok && g.Own == nil {
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
	var rows []archive.CompactRow
	if footer != nil {
		rows, err = layout.ReadGroup(g.Group, at, data, footer, conversation)
	} else {
		rows, err = g.ReadOwn(data, conversation)
	}
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
