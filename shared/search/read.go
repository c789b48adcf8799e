package search

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
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
func (r *run) read(ctx context.Context, u unit, best []Hit) (res result) {
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
	t := &taker{run: r, unit: u.name(), best: best, res: &res}
	var err error
	switch {
	case u.stretch != nil:
		err = r.readStretch(ctx, u.stretch, t)
	case u.group == nil:
		err = r.readSegment(ctx, u.key, t)
	default:
		err = r.readGroup(ctx, *u.group, t)
	}
	switch {
	case err == nil:
		res.hits = t.found
	case r.isDamage(err):
		if u.key == "" || !r.storedAgain(ctx, u.key) {
			res.damaged = append(res.damaged, u.name())
		}
	default:
		res.err = err
	}
	return res
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
	unit  string
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
		h.unit = t.unit
		t.found = t.add(t.found, h)
	}
}

// whole looks at a row that was read with its place.
func (t *taker) whole(row archive.Row, place archive.Place) {
	if !row.Readable() {
		t.res.looked.Unreadable++
		return
	}
	t.counts(row.Reading)
	if ranges, ok := t.matcher.Match(row); ok {
		row.Raw = nil // not kept in memory
		t.offer(Hit{Row: row, Place: place, Ranges: ranges})
	}
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
		t.whole(row, place)
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

// readGroup reads a row group whose extracts cannot be used.
func (r *run) readGroup(ctx context.Context, g compaction.RowGroup, t *taker) error {
	layout, at := g.Layout()
	data, err := r.derivedRange(ctx, g.Object, t, at.Offset, at.Length)
	if err != nil {
		return err
	}
	rows, err := g.OpenOwn(data, "")
	if len(g.Own) == 0 { // an older program wrote the directory
		var footer []byte
		if footer, err = r.derivedRange(ctx, g.Object, t, layout.Footer, layout.Size-layout.Footer); err != nil {
			return err
		}
		if err = layout.CheckFooter(footer); err == nil {
			rows, err = layout.OpenGroup(g.Group, at, data, footer, "")
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", g.Object, err)
	}
	all, err := rows.Read(0, rows.Len())
	if err != nil {
		return fmt.Errorf("%s: %w", g.Object, err)
	}
	for _, row := range all {
		t.whole(row.Row, row.Place())
	}
	return nil
}

func (r *run) derivedRange(ctx context.Context, key string, t *taker, offset, length int64) ([]byte, error) {
	if r.Derived == nil {
		return nil, errors.New("the derived bucket is not set")
	}
	t.res.looked.Requests++
	data, err := r.Derived.GetRange(ctx, key, offset, length)
	t.res.looked.Bytes += int64(len(data))
	return data, err
}
