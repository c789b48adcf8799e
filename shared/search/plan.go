package search

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/extract"
	"wecom-archive/shared/query"
	"wecom-archive/shared/store"
)

// unit is a part of the archive that is read at once: a stretch of extracts, a row group
// without them or a segment.
type unit struct {
	stretch *stretch
	group   *compaction.RowGroup
	month   string // of its run
	key     string // of a segment
	bounds  *compaction.TimeBounds
}

// name is what answers call it.
func (u unit) name() string {
	switch {
	case u.stretch != nil:
		return u.stretch.name()
	case u.group != nil:
		return groupName(u.group.Object, u.group.Group)
	}
	return u.key
}

// identity says what a cursor means by a unit: what it is read from, how far it goes, and
// how that was folded.
func (u unit) identity() string {
	if u.stretch != nil {
		last := len(u.stretch.blocks) - 1
		return fmt.Sprintf("extract %s to %s, %d, folded as %s", u.stretch.blockName(0), u.stretch.blockName(last), last, query.FoldVersion)
	}
	return u.name()
}

// plan is what to look at, in this order: the segments that are not compacted, then those
// of months whose runs cannot be read, the row groups by their bounds, and the segments
// that came since the search's first page. The order depends on what lies in the archive, the query and the
// cursor's lastKey, so that a cursor can say how far it got.
type plan struct {
	units   []unit
	lastKey string           // of the segments that come first
	digest  [digestSize]byte // of all units but the segments that came since
}

const digestSize = 16

func (r *run) makePlan(ctx context.Context) error {
	tail, err := r.tail(ctx)
	if err != nil {
		return err
	}
	lastKey := ""
	if p := r.goesOn(); p != nil {
		lastKey = p.lastKey
	} else if len(tail) > 0 {
		lastKey = tail[len(tail)-1]
	}
	known, _ := slices.BinarySearch(tail, lastKey+"\x00")
	months, err := r.Compactions.Months(ctx) // after the tail
	if err != nil {
		return err
	}
	if months, err = r.monthsOf(ctx, months); err != nil {
		return err
	}
	groups, err := r.runs(ctx, months)
	if err != nil {
		return err
	}
	r.sort(groups)
	lost, err := r.segmentsOf(ctx, r.known.lostMonths(), tail)
	if err != nil {
		return err
	}
	p := &r.plan
	p.lastKey = lastKey
	add := func(keys []string) {
		for _, key := range keys {
			p.units = append(p.units, unit{key: key})
		}
	}
	add(tail[:known])
	add(lost)
	p.units = append(p.units, groups...)
	hash := sha256.New()
	for _, u := range p.units {
		fmt.Fprintln(hash, u.identity())
	}
	copy(p.digest[:], hash.Sum(nil))
	add(tail[known:])
	return nil
}

// runs are the units of the runs of months, in order of these. Those of lost months are
// passed over: their segments are read.
func (r *run) runs(ctx context.Context, months []compaction.State) ([]unit, error) {
	type part struct {
		units   []unit
		skipped skipped
	}
	var parts []*part
	var group errgroup.Group
	group.SetLimit(readers)
	for _, m := range months {
		if r.known.lost[m.Month] {
			continue
		}
		for _, c := range m.Runs {
			p := &part{}
			parts = append(parts, p)
			group.Go(func() (err error) {
				if p.units, p.skipped, err = r.runUnits(ctx, m.Month, c); err != nil {
					err = fmt.Errorf("compaction of %s: %w", m.Month, err)
				}
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var units []unit
	for _, p := range parts {
		units = append(units, p.units...)
		r.answer.Looked.Skipped += p.skipped.parts
		r.answer.Looked.Unopened += p.skipped.unopened
	}
	return units, nil
}

// runUnits are the units of a run that can hold what the filters want: of its extracts or,
// if they cannot be used, its row groups.
func (r *run) runUnits(ctx context.Context, month string, c compaction.Run) (units []unit, over skipped, err error) {
	if len(c.Extracts) > 0 {
		units, over, err = r.runStretches(ctx, month, c)
		if err == nil || !useless(err) {
			return units, over, err
		}
		if !errors.Is(err, archive.ErrNewFormat) {
			r.known.replaced(extract.DirectoryKey(month, c.ID, 0))
		}
	}
	groups, over, err := r.runGroups(ctx, c)
	if err != nil {
		if r.isDamage(err) {
			err = r.groupLost(month, compaction.Prefix+month+"/"+c.ID, err)
		}
		return nil, skipped{}, err
	}
	units = make([]unit, len(groups))
	for i := range groups {
		units[i] = unit{group: &groups[i], month: month}
	}
	return units, over, nil
}

// skipped is what is passed over of a run.
type skipped struct {
	parts    int
	unopened int64 // messages, as Looked has it
}

// sort puts row groups without bounds first, then those that can hold what comes
// first.
func (r *run) sort(groups []unit) {
	edge := func(u unit) int64 {
		switch {
		case u.bounds == nil:
			return math.MinInt64
		case r.query.Descending:
			return -u.bounds.Last
		}
		return u.bounds.First
	}
	slices.SortStableFunc(groups, func(a, b unit) int {
		return cmp.Or(cmp.Compare(edge(a), edge(b)), strings.Compare(a.name(), b.name()))
	})
}

// frontier is the time before which no unit from the n-th on has a message; known
// is false if that cannot be said.
func (p plan) frontier(n int, descending bool) (ms int64, known bool) {
	for i, u := range p.units[n:] {
		if u.bounds == nil {
			return 0, false
		}
		edge := u.bounds.First
		if descending {
			edge = u.bounds.Last
		}
		if i == 0 || descending && edge > ms || !descending && edge < ms {
			ms = edge
		}
	}
	return ms, true
}

// tail lists the segments that are not compacted, in order of their keys. What is stored
// and not indexed yet waits, and counts as waiting.
func (r *run) tail(ctx context.Context) (keys []string, err error) {
	const batch = 1000
	for after := ""; ; {
		some, err := r.Conversations.OpenParts(ctx, after, batch)
		if err != nil {
			return nil, err
		}
		if keys = append(keys, some...); len(some) < batch {
			return keys, nil
		}
		after = some[batch-1]
	}
}

// monthsOf are those months that can have messages of the conversation that is asked for.
func (r *run) monthsOf(ctx context.Context, all []compaction.State) ([]compaction.State, error) {
	if r.query.Conversation == "" {
		return all, nil
	}
	spans, err := r.Conversations.ConversationMonths(ctx, r.query.Conversation)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(m compaction.State) bool {
		return !slices.ContainsFunc(spans, func(s catalog.MonthSpan) bool {
			return s.Month == m.Month && !r.outside(compaction.TimeBounds{First: s.First.UnixMilli(), Last: s.Last.UnixMilli()})
		})
	}), nil
}

// runGroups are the row groups of a run that can hold what the filters want. Their
// directory tells by conversations only: it is for readers of one.
func (r *run) runGroups(ctx context.Context, c compaction.Run) (out []compaction.RowGroup, over skipped, err error) {
	seen, rows := 0, int64(0)
	for g, err := range r.directoryOf(ctx, c.ID) {
		if err != nil {
			return nil, skipped{}, err
		}
		if _, run, ok := compaction.ParseKey(g.Object); !ok || run != c.ID {
			return nil, skipped{}, fmt.Errorf("run %s: a row group is said to lie in %q: %w", c.ID, g.Object, store.ErrDamaged)
		}
		seen++
		rows += int64(g.Rows)
		if q := r.query; q.Conversation != "" && !g.MayHold(q.Conversation, math.MinInt64, math.MaxInt64) {
			over.parts++
			continue
		}
		g.Conversations = nil
		out = append(out, g)
	}
	if seen != c.Groups || rows != c.Rows {
		return nil, skipped{}, fmt.Errorf("run %s: %d row groups of %d are in its directory: %w", c.ID, seen, c.Groups, store.ErrNotFound)
	}
	return out, over, nil
}

// directoryOf are the row groups of a run, in order.
func (r *run) directoryOf(ctx context.Context, run string) iter.Seq2[compaction.RowGroup, error] {
	return func(yield func(compaction.RowGroup, error) bool) {
		const batch = 100
		for last := (*compaction.RowGroup)(nil); ; {
			some, err := r.Compactions.AllRowGroups(ctx, run, last, batch)
			if err != nil {
				yield(compaction.RowGroup{}, err)
				return
			}
			for _, g := range some {
				if !yield(g, nil) {
					return
				}
			}
			if len(some) < batch {
				return
			}
			last = &some[batch-1]
		}
	}
}
