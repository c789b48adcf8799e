package search

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/extract"
	"wecom-archive/shared/query"
	"wecom-archive/shared/store"
)

// opened is a row group of whose extract as much is opened as is needed.
type opened struct {
	*taker
	block        *extract.Block
	texts, facts []byte // packed

	read     *extract.Facts
	admitted []bool // rows; nil: all
}

// look finds what is meant, of which only text.row tells where the text is. ErrDamaged, or
// what stopped it.
func (x *opened) look(ctx context.Context) (found []Hit, err error) {
	defer func() { // the bytes are those that were stored; should something lie in them, the row group is read
		if p := recover(); p != nil {
			found, err = nil, fmt.Errorf("an extract: panic: %v: %w", p, store.ErrDamaged)
		}
	}()
	if x.matcher.BesideTime() || x.outsidePartly(x.block.Bounds) {
		if any, err := x.filter(); err != nil || !any {
			return nil, err
		}
	}
	words := x.matcher.Words()
	if words.Empty() {
		for i := range x.block.Rows {
			if found, err = x.hit(found, i, 0); err != nil {
				return nil, err
			}
		}
		return found, nil
	}
	size := x.block.TextsSize(x.texts)
	if size > heldTexts {
		return x.lookInParts(ctx, words)
	}
	if err := x.memory.Acquire(ctx, size); err != nil {
		return nil, err
	}
	defer x.memory.Release(size)
	buffer := texts.Get().(*[]byte)
	defer texts.Put(buffer)
	all, err := x.block.OpenTexts(*buffer, x.texts)
	if err != nil {
		return nil, err
	}
	*buffer = all
	if may, err := words.MayMatch(all, x.stop); err != nil || !may {
		return nil, err
	}
	var failed error
	err = all.Each(x.block, func(i int, folded []byte) bool {
		meant := x.admitted == nil || x.admitted[i]
		if meant {
			meant, failed = words.MatchFolded(folded, x.stop)
		}
		if meant && failed == nil {
			found, failed = x.hit(found, i, len(folded))
		}
		return failed == nil
	})
	if failed != nil {
		return nil, failed
	}
	return found, err
}

// texts are buffers for unpacked texts, of which heldTexts are held at once; what is larger
// is looked at in parts, and takes partsBytes meanwhile.
var texts = sync.Pool{New: func() any { return new([]byte) }}

const (
	heldTexts  = 8 << 20
	partsBytes = 40 << 20
)

// lookInParts looks at texts without holding all of them.
func (x *opened) lookInParts(ctx context.Context, words query.Words) (found []Hit, err error) {
	if err := x.memory.Acquire(ctx, partsBytes); err != nil {
		return nil, err
	}
	defer x.memory.Release(partsBytes)
	scan, size := words.Scan(), 0
	err = x.block.EachPart(x.texts, func(i int, part []byte, last bool) (err error) {
		if err := x.stop(); err != nil {
			return err
		}
		if x.admitted == nil || x.admitted[i] {
			scan.Write(part)
			size += len(part)
		}
		if last {
			if scan.Meant() {
				found, err = x.hit(found, i, size)
			}
			size = 0
		}
		return err
	})
	return found, err
}

// outsidePartly says whether some of it may lie outside of the times asked for.
func (r *run) outsidePartly(b compaction.TimeBounds) bool {
	q := r.query
	return !q.From.IsZero() && b.First < q.From.UnixMilli() || !q.To.IsZero() && b.Last >= q.To.UnixMilli()
}

func (x *opened) openFacts() (err error) {
	if x.read == nil {
		x.read, err = x.block.OpenFacts(x.facts)
	}
	return err
}

// filter notes which rows the filters admit.
func (x *opened) filter() (some bool, err error) {
	if err := x.openFacts(); err != nil {
		return false, err
	}
	f := x.read
	parties, files := make([]bool, len(f.Parties)), make([]bool, len(f.Files))
	for i, p := range f.Parties {
		parties[i] = x.matcher.AdmitsParty(p.Reading())
	}
	for i, list := range f.Files {
		files[i] = x.matcher.AdmitsFiles(list)
	}
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if t := x.query.From; !t.IsZero() {
		from = t.UnixMilli()
	}
	if t := x.query.To; !t.IsZero() {
		to = t.UnixMilli()
	}
	x.admitted = make([]bool, x.block.Rows)
	for i := range x.admitted {
		x.admitted[i] = parties[f.Party[i]] && files[f.List[i]] && f.Times[i] >= from && f.Times[i] < to
		some = some || x.admitted[i]
	}
	return some, nil
}

// hit adds a row, unless it cannot be on the page.
func (x *opened) hit(found []Hit, i, size int) ([]Hit, error) {
	if x.admitted != nil && !x.admitted[i] {
		return found, nil
	}
	if err := x.openFacts(); err != nil {
		return nil, err
	}
	if x.behind(x.read.Times[i]) {
		return found, nil
	}
	row, err := x.read.Row(i)
	if err != nil {
		return nil, err
	}
	return append(found, Hit{Row: row.Row, Place: row.Place(), size: size, text: &textRef{row: i}}), nil
}

// count notes what was looked at.
func (x *opened) count() error {
	looked := &x.res.looked
	if x.block.Unopened > 0 || x.admitted != nil {
		if err := x.openFacts(); err != nil {
			return err
		}
	}
	looked.Messages += int64(x.block.Rows)
	if x.block.Unopened > 0 {
		for i, unopened := range x.read.Unopened {
			if unopened && x.matcher.AdmitsTime(time.UnixMilli(x.read.Times[i])) {
				looked.Unopened++
			}
		}
	}
	if x.admitted == nil {
		for kind, n := range x.block.Files {
			if !textless[kind] {
				looked.Contents[kind] += n
			}
		}
		return nil
	}
	for i, admitted := range x.admitted {
		if admitted {
			x.countFiles(archive.Reading{Media: x.read.Files[x.read.List[i]]})
		}
	}
	return nil
}
