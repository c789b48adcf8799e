package search

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/compaction"
	"wecom-archive/shared/query"
	"wecom-archive/shared/store"
)

// outside says whether all of it lies outside of the times asked for.
func (r *run) outside(b compaction.TimeBounds) bool {
	q := r.query
	return !q.From.IsZero() && b.Last < q.From.UnixMilli() || !q.To.IsZero() && b.First >= q.To.UnixMilli()
}

// idle says whether none of a unit's messages can be on the page.
func (r *run) idle(b compaction.TimeBounds, best []Hit) bool {
	q := r.query
	if r.outside(b) {
		return true
	}
	near, far := b.First, b.Last
	if q.Descending {
		near, far = far, near
	}
	if after := q.Cursor.After; after != nil && r.before(far, after.Time.UnixMilli()) {
		return true
	}
	return len(best) > q.Limit && r.before(best[q.Limit].Place.Time.UnixMilli(), near)
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
		stop := r.stop(ctx, i > must)
		group.Go(func() error {
			ch <- r.read(ctx, u, best, stop)
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
		if errors.Is(res.err, errLate) { // begun in vain: it is not done
			return order[i], ctx.Err()
		}
		if res.err != nil {
			return 0, res.err
		}
		if i < must && len(res.damaged) > 0 { // what was found in it, and made others idle, is gone
			return 0, &foundError{forget: true}
		}
		r.take(res)
		if i >= must && r.late() {
			return order[i] + 1, ctx.Err()
		}
	}
	return len(r.plan.units), nil
}

// errLate ends the reading of a part when the time is over.
var errLate = errors.New("the time of the search is over")

// stop ends the reading of a part within it: when nobody waits for the answer any more,
// and, unless the part has to be read, when the time is over. One has to be in each call,
// so that calls get on.
func (r *run) stop(ctx context.Context, mayEnd bool) query.Stop {
	return func() error {
		if mayEnd && r.late() {
			return errLate
		}
		return ctx.Err()
	}
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
	l.Unopened += res.looked.Unopened
	l.Plain += res.looked.Plain
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
