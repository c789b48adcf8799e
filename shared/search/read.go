package search

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/query"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
)

// result is what reading a unit gave.
type result struct {
	hits    []Hit // those that can be on the page
	looked  Looked
	damaged []string // names of what cannot be read
	err     error
}

// read reads a unit. best is what is known to be next: what comes behind it is not
// looked for.
func (r *run) read(ctx context.Context, u unit, best []Hit, stop query.Stop) (res result) {
	res.looked.Contents = map[string]int64{}
	if bounds, known := r.boundsOf(u); known && (bounds == nil || r.idle(*bounds, best)) {
		res.looked.Skipped = 1
		return res
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		res.err = ctx.Err()
		return res
	}
	defer func() { // outside of the request's goroutine a panic would end the program
		if p := recover(); p != nil {
			res.err = fmt.Errorf("searching %s: panic: %v\n%s", u.name(), p, debug.Stack())
		}
	}()
	if u.stretch == nil { // it counts its row groups
		res.looked.Parts = 1
	}
	t := &taker{run: r, unit: u, best: best, res: &res, stop: stop}
	if res.err = r.readUnit(ctx, u, t); res.err == nil {
		res.hits = t.found
	}
	return res
}

func (r *run) readUnit(ctx context.Context, u unit, t *taker) error {
	if u.stretch != nil {
		return r.readStretch(ctx, u.stretch, t)
	}
	if u.group != nil {
		err := r.readGroup(ctx, *u.group, t)
		if err != nil && r.isDamage(err) {
			err = r.groupLost(u.month, u.name(), err)
		}
		return err
	}
	err := r.readSegment(ctx, u.key, t)
	if err == nil || !r.isDamage(err) {
		return err
	}
	if !r.storedAgain(ctx, u.key) {
		t.res.damaged = append(t.res.damaged, u.key)
	}
	return nil
}

func (r *run) boundsOf(u unit) (*compaction.TimeBounds, bool) {
	if u.key == "" {
		return u.bounds, u.bounds != nil
	}
	return r.bounds.Get(u.key)
}

// storedAgain says whether what a damaged segment should hold lies in another part.
func (r *run) storedAgain(ctx context.Context, key string) bool {
	_, asked, _, _ := archive.ParseSegmentKey(key)
	page, err := r.Pages.Page(ctx, asked)
	return err == nil && slices.Contains(page.Damaged, key)
}

// taker collects what a unit holds.
type taker struct {
	*run
	unit  unit
	stop  query.Stop
	best  []Hit // of the search so far
	found []Hit // of the unit, Limit+1 at most
	res   *result
}

// counts notes a message that is looked at.
func (t *taker) counts(r archive.Reading) {
	t.res.looked.Messages++
	if len(r.Media) > 0 && t.matcher.Admits(r) {
		t.countFiles(r)
	}
}

// countFiles notes the files of a message that the filters admit.
func (t *taker) countFiles(r archive.Reading) {
	for kind := range r.FileKinds() {
		if !textless[kind] {
			t.res.looked.Contents[kind]++
		}
	}
}

// behind says whether a time is so far back that the page is full before it.
func (t *taker) behind(ms int64) bool {
	limit := t.query.Limit
	return len(t.best) > limit && t.before(t.best[limit].Place.Time.UnixMilli(), ms) ||
		len(t.found) > limit && t.before(t.found[limit].Place.Time.UnixMilli(), ms)
}

func (t *taker) offer(h Hit) {
	if t.wanted(h.Place.Position) && !t.behind(h.Place.Time.UnixMilli()) {
		h.unit = t.unit.name()
		t.found = t.add(t.found, h)
	}
}

// keptText is the longest text that is kept until the page is known; longer ones are read
// again.
const keptText = 16 << 10

// whole looks at a row that was read with its place, the n-th of where.
func (t *taker) whole(row archive.Row, place archive.Place, where *textRef, n int) error {
	if !row.Readable() {
		t.res.looked.Unreadable++
		return nil
	}
	t.counts(row.Reading)
	if t.matcher.AdmitsTime(row.MsgTime) && reading.Unopened(row.Raw, row.Reading) {
		t.res.looked.Unopened++
	}
	meant, err := t.matcher.Meant(row, t.stop)
	if err != nil || !meant {
		return err
	}
	row.Raw = nil // not kept in memory
	h := Hit{Row: row, Place: place, size: len(row.Text)}
	if h.size > keptText {
		ref := *where
		ref.row, h.text, h.Text = n, &ref, ""
	}
	t.offer(h)
	return nil
}

func (r *run) readSegment(ctx context.Context, key string, t *taker) error {
	_, asked, _, _ := archive.ParseSegmentKey(key)
	t.res.looked.Requests++
	stored, err := store.ReadObject(ctx, r.Objects, key)
	t.res.looked.Bytes += int64(len(stored))
	if err != nil {
		return err
	}
	_, rows, err := segment.Decode(stored)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	var bounds *compaction.TimeBounds
	for i, row := range rows {
		place := archive.Place{Object: key, Row: i, Position: archive.Position{Time: row.MsgTime, Seq: row.Seq, Page: asked, Envelope: row.Position}}
		if err := t.whole(row, place, &textRef{segment: key}, i); err != nil {
			return err
		}
		if !row.Readable() {
			continue
		}
		ms := row.MsgTime.UnixMilli()
		if bounds == nil {
			bounds = &compaction.TimeBounds{First: ms, Last: ms}
		}
		bounds.First, bounds.Last = min(bounds.First, ms), max(bounds.Last, ms)
	}
	r.bounds.Add(key, bounds)
	return nil
}

// readGroup looks at a row group whose extracts cannot be used.
func (r *run) readGroup(ctx context.Context, g compaction.RowGroup, t *taker) error {
	t.res.looked.Plain++
	rows, err := r.groupRows(ctx, g, t.res)
	if err != nil {
		return err
	}
	for i, row := range rows {
		if err := t.whole(row.Row, row.Place(), &textRef{group: &g}, i); err != nil {
			return err
		}
	}
	return nil
}

// groupRows reads a row group.
func (r *run) groupRows(ctx context.Context, g compaction.RowGroup, res *result) ([]compaction.Row, error) {
	layout, at := g.Layout()
	data, err := r.derivedRange(ctx, g.Object, res, at.Offset, at.Length)
	if err != nil {
		return nil, err
	}
	rows, err := g.OpenOwn(data, "")
	if len(g.Own) == 0 { // an older program wrote the directory
		var footer []byte
		if footer, err = r.derivedRange(ctx, g.Object, res, layout.Footer, layout.Size-layout.Footer); err != nil {
			return nil, err
		}
		if err = layout.CheckFooter(footer); err == nil {
			rows, err = layout.OpenGroup(g.Group, at, data, footer, "")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.Object, err)
	}
	all, err := rows.Read(0, rows.Len())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.Object, err)
	}
	return all, nil
}

// maxRange is more than anything that is read at once.
const maxRange = 1 << 30

func (r *run) derivedRange(ctx context.Context, key string, res *result, offset, length int64) ([]byte, error) {
	if r.Derived == nil {
		return nil, errors.New("the derived bucket is not set")
	}
	if offset < 0 || length < 0 || length > maxRange {
		return nil, fmt.Errorf("%s: it is said to have %d bytes from %d on: %w", key, length, offset, store.ErrDamaged)
	}
	res.looked.Requests++
	data, err := r.Derived.GetRange(ctx, key, offset, length)
	res.looked.Bytes += int64(len(data))
	return data, err
}
