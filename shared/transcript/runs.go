package transcript

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/store"
)

// search collects what a query finds in runs.
type search struct {
	*sources
	query    catalog.PlaceQuery
	found    []entry           // in order of reading, query.Limit at most, each message once
	units    []unit            // not looked at yet
	covered  int64             // ms of the months that were opened
	dense    bool              // the conversation goes beyond a row group
	most     int               // requests that it stops at, of all that were spent; 0: there is no such
	optional bool              // it may end without a message though there are some
	more     bool              // it ended before the limit
	until    *archive.Position // nothing from here on is wanted; nil: up to the limit

	fallen     map[string]bool // months whose segments were read in place of runs
	incomplete bool            // not all of them could be
}

// unit is a month or, if walk is set, the rest of a run of it or, if group is set, too, a
// row group. None of its messages of the conversation are before first or after last (ms).
type unit struct {
	month       string
	walk        *walk
	group       *compaction.RowGroup
	first, last int64

	skipFirst, skipLast int // rows of the conversation in the row group that were read
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
	s.spare(0)
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
			err = s.readGroup(ctx, u, from, to)
		case u.walk != nil:
			err = s.step(ctx, u, from, to)
		default:
			err = s.openMonth(ctx, u, from, to)
		}
		if err != nil {
			err = s.fallBack(ctx, u, err)
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
	return len(s.found) >= s.query.Limit && s.before(s.found[s.query.Limit-1].place.Position, u) || s.until != nil && s.before(*s.until, u)
}

// before says whether a message is read before all of the unit.
func (s *search) before(p archive.Position, u unit) bool {
	if at := p.Time.UnixMilli(); s.query.Descending {
		return at > u.last
	} else {
		return at < u.first
	}
}

func (s *search) openMonth(ctx context.Context, u unit, from, to int64) error {
	if _, known := s.switches[u.month]; !known {
		if err := s.ahead(ctx, u, from, to); err != nil {
			return err
		}
	}
	m, err := s.compaction(ctx, u.month)
	if err != nil {
		return err
	}
	s.covered += u.length(from, to)
	if len(m.Runs) == 0 { // the switch was lost, or a compaction broke off before it
		if parts, known, err := s.parts(ctx, u.month); err != nil || len(parts) > 0 || !known {
			return cmp.Or(err, fmt.Errorf("the switch of %s: %w", u.month, store.ErrNotFound))
		}
	}
	for _, run := range m.Runs {
		w := &walk{directory: s.directory(u.month, run), near: near(u, s.query.Descending, from, to)}
		s.addUnit(unit{month: u.month, walk: w, first: u.first, last: u.last}, from, to)
	}
	return nil
}

// length is how long it may be between its first and its last message that are wanted (ms).
func (u unit) length(from, to int64) int64 { return min(u.last, to) - max(u.first, from) + 1 }

// near is where in a month the walk through its runs begins (ms).
func near(u unit, descending bool, from, to int64) int64 {
	if descending {
		return min(to, u.last)
	}
	return max(from, u.first)
}

// step takes the next row group of a run.
func (s *search) step(ctx context.Context, u unit, from, to int64) error {
	g, err := u.walk.next(ctx, s.query.Descending)
	if err != nil || g == nil {
		return err
	}
	of, rest := u, u
	of.group = g
	s.dense = s.dense || g.First.Conversation == s.conversation || g.Last.Conversation == s.conversation
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

// readGroup reads as many rows of a row group as the query may want, and leaves the
// others for later: a room may fill many row groups.
func (s *search) readGroup(ctx context.Context, u unit, from, to int64) error {
	rest, err := s.readSome(ctx, u, from, to)
	if err != nil {
		return fmt.Errorf("compaction of %s: %w (make it again with: wecom-archive compact --rebuild --month %s)", u.month, err, u.month)
	}
	s.arrange()
	if rest != nil {
		s.addUnit(*rest, from, to)
	} else {
		s.done(*u.group)
	}
	return nil
}

// spareRows are read beyond the limit: a message may stand there twice.
const spareRows = 16

func (s *search) readSome(ctx context.Context, u unit, from, to int64) (rest *unit, err error) {
	rows, err := s.openGroup(ctx, *u.group)
	if err != nil {
		return nil, err
	}
	times, err := rows.Times()
	if err != nil {
		return nil, err
	}
	// Those of the time that is wanted, but for the ones that were read before.
	i := sort.Search(len(times), func(i int) bool { return times[i] >= from })
	j := sort.Search(len(times), func(i int) bool { return times[i] > to })
	i, j = max(i, u.skipFirst), min(j, len(times)-u.skipLast)
	if i >= j {
		return nil, nil
	}
	if most := min(s.query.Limit, 1<<20) + spareRows; j-i > most {
		left := u
		if s.query.Descending {
			i = j - most
			left.skipLast, left.last = len(times)-i, times[i-1]
		} else {
			j = i + most
			left.skipFirst, left.first = j, times[j]
		}
		rest = &left
	}
	some, err := rows.Read(i, j)
	if err != nil {
		return nil, err
	}
	for _, row := range some {
		if row.Conversation != s.conversation {
			return nil, fmt.Errorf("%s: row group %d: a row of another conversation: %w", u.group.Object, u.group.Group, store.ErrDamaged)
		}
		if place := row.Place(); s.wants(place.Position) {
			kept := row.Row
			s.found = append(s.found, entry{place, &kept})
		}
	}
	return rest, nil
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

// openGroup finds the rows of a conversation in a row group, with one request, or two if
// an older program wrote the directory and the object's footer is not known.
func (r *Reader) openGroup(ctx context.Context, g compaction.RowGroup, conversation string) (*compaction.GroupRows, error) {
	release, err := r.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if r.Derived == nil {
		return nil, errors.New("the derived bucket is not set")
	}
	layout, at := g.Layout()
	name := g.Object + "#" + g.FooterSHA256
	footer, ok := r.footers.Get(name)
	if !ok && g.Own == nil {
		if footer, err = r.Derived.GetRange(ctx, g.Object, layout.Footer, layout.Size-layout.Footer); err != nil {
			return nil, err
		}
		if err := layout.CheckFooter(footer); err != nil {
			return nil, fmt.Errorf("%s: %w", g.Object, err)
		}
		r.footers.Add(name, footer)
	}
	data, err := r.Derived.GetRange(ctx, g.Object, at.Offset, at.Length)
	if err != nil {
		return nil, err
	}
	var rows *compaction.GroupRows
	if footer != nil {
		rows, err = layout.OpenGroup(g.Group, at, data, footer, conversation)
	} else {
		rows, err = g.OpenOwn(data, conversation)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.Object, err)
	}
	return rows, nil
}
