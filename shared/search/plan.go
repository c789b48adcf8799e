package search

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/store"
)

// unit is a part of the archive that is read at once: a stretch of extracts, a row group
// without them or a segment.
type unit struct {
	stretch *stretch
	group   *compaction.RowGroup
	key     string // of a segment
	bounds  *compaction.TimeBounds
}

// name is what answers call it.
func (u unit) name() string {
	switch {
	case u.stretch != nil:
		return u.stretch.name()
	case u.group != nil:
		return fmt.Sprintf("%s#%d", u.group.Object, u.group.Group)
	}
	return u.key
}

// plan is what to look at, in this order: the segments that are not compacted, then
// the row groups by their bounds, then the segments that came since the search's
// first page. The order depends on what lies in the archive, the query and the
// cursor's lastKey, so that a cursor can say how far it got.
type plan struct {
	units   []unit
	lastKey string           // of the segments that come first
	digest  [digestSize]byte // of all but the segments that came since
}

const digestSize = 8

func (r *run) makePlan(ctx context.Context) error {
	tail, err := r.tail(ctx)
	if err != nil {
		return err
	}
	lastKey := ""
	if p := r.query.Cursor.progress; p != nil {
		lastKey = p.lastKey
	} else if len(tail) > 0 {
		lastKey = tail[len(tail)-1]
	}
	known, _ := slices.BinarySearch(tail, lastKey+"\x00")
	hash := sha256.New()
	for _, key := range tail[:known] {
		fmt.Fprintln(hash, key)
	}
	months, err := r.Compactions.Months(ctx) // after the tail
	if err != nil {
		return err
	}
	if months, err = r.monthsOf(ctx, months); err != nil {
		return err
	}
	groups, err := r.runs(ctx, months, hash)
	if err != nil {
		return err
	}
	r.sort(groups)
	p := &r.plan
	p.lastKey = lastKey
	copy(p.digest[:], hash.Sum(nil))
	add := func(keys []string) {
		for _, key := range keys {
			p.units = append(p.units, unit{key: key})
		}
	}
	add(tail[:known])
	p.units = append(p.units, groups...)
	add(tail[known:])
	return nil
}

// runs are the units of the runs of months, in order of these. hash gets what tells these
// units from others of the same query.
func (r *run) runs(ctx context.Context, months []compaction.State, hash io.Writer) ([]unit, error) {
	type part struct {
		run     compaction.Run
		units   []unit
		skipped int
	}
	var parts []*part
	var group errgroup.Group
	group.SetLimit(readers)
	for _, m := range months {
		for _, c := range m.Runs {
			p := &part{run: c}
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
		fmt.Fprintln(hash, p.run.ID, len(p.units))
		units = append(units, p.units...)
		r.answer.Looked.Skipped += p.skipped
	}
	return units, nil
}

// runUnits are the units of a run that can hold what the filters want: of its extracts or,
// if they cannot be used, its row groups.
func (r *run) runUnits(ctx context.Context, month string, c compaction.Run) (units []unit, skipped int, err error) {
	if len(c.Extracts) > 0 {
		units, skipped, err = r.runStretches(ctx, month, c)
		if err == nil || !useless(err) {
			return units, skipped, err
		}
	}
	groups, skipped, err := r.runGroups(ctx, c)
	if err != nil {
		return nil, 0, err
	}
	units = make([]unit, len(groups))
	for i := range groups {
		units[i] = unit{group: &groups[i]}
	}
	return units, skipped, nil
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
func (r *run) runGroups(ctx context.Context, c compaction.Run) (out []compaction.RowGroup, skipped int, err error) {
	seen := 0
	for g, err := range r.directoryOf(ctx, c.ID) {
		if err != nil {
			return nil, 0, err
		}
		seen++
		if q := r.query; q.Conversation != "" && !g.MayHold(q.Conversation, math.MinInt64, math.MaxInt64) {
			skipped++
			continue
		}
		out = append(out, g)
	}
	if seen != c.Groups {
		return nil, 0, fmt.Errorf("run %s: %d row groups of %d are in its directory: %w", c.ID, seen, c.Groups, store.ErrNotFound)
	}
	return out, skipped, nil
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

// outside says whether all of it lies outside of the times asked for.
func (r *run) outside(b compaction.TimeBounds) bool {
	q := r.query
	return !q.From.IsZero() && b.Last < q.From.UnixMilli() || !q.To.IsZero() && b.First >= q.To.UnixMilli()
}

// readAll reads the units that an earlier page found something in again, and then
// those from the done-th on, until the time is over. It returns how many of the
// plan's are done then: at least one more than before.
func (r *run) readAll(ctx context.Context, done int, again []int) (int, error) {
	order := slices.Clone(again)
	for i := done; i < len(r.plan.units); i++ {
		order = append(order, i)
	}
	return r.pipeline(ctx, order, len(again))
}

// pipeline reads units, readers at a time, and adds what they hold in their order.
func (r *run) pipeline(ctx context.Context, order []int, must int) (done int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group errgroup.Group
	defer func() { // nothing of this search runs on when it returns
		cancel()
		_ = group.Wait()
	}()
	results := make([]chan result, len(order))
	begin := func(i int) {
		if i >= len(order) {
			return
		}
		ch := make(chan result, 1)
		results[i] = ch
		u, best := r.plan.units[order[i]], slices.Clone(r.best)
		group.Go(func() error {
			ch <- r.read(ctx, u, best)
			return nil
		})
	}
	started := 0
	for i := range order {
		for started < len(order) && started < i+readers {
			begin(started)
			started++
		}
		res := <-results[i]
		results[i] = nil
		if res.err != nil {
			return 0, res.err
		}
		r.take(res)
		if i >= must && r.late() {
			return order[i] + 1, ctx.Err()
		}
	}
	return len(r.plan.units), nil
}

func (r *run) late() bool { return !r.until.IsZero() && !r.Now().Before(r.until) }

// take adds what was found in a unit to the answer.
func (r *run) take(res result) {
	l := &r.answer.Looked
	l.Messages += res.looked.Messages
	l.Bytes += res.looked.Bytes
	l.Requests += res.looked.Requests
	l.Parts += res.looked.Parts
	l.Skipped += res.looked.Skipped
	l.Unreadable += res.looked.Unreadable
	for kind, n := range res.looked.Contents {
		l.Contents[kind] += n
	}
	r.answer.Damaged = append(r.answer.Damaged, res.damaged...)
	for _, h := range res.hits {
		r.best = r.add(r.best, h)
	}
}

// isDamage says whether an error means that a part cannot be read, now or later.
func (r *run) isDamage(err error) bool {
	return errors.Is(err, store.ErrDamaged) || r.last && errors.Is(err, store.ErrNotFound)
}
