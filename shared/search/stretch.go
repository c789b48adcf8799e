package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/extract"
	"wecom-archive/shared/query"
	"wecom-archive/shared/store"
)

// stretch is neighbours in an object of extracts, read with one request.
type stretch struct {
	month, run string
	object     int // of the run
	blocks     []extract.Block
}

const (
	stretchBytes = 2 << 20   // of a stretch, one block at least
	stretchGap   = 256 << 10 // bytes between two of its blocks, read in vain
)

func (s *stretch) key() string  { return extract.Key(s.month, s.run, s.object) }
func (s *stretch) name() string { return s.blockName(0) }

// blockName is what answers call a row group.
func (s *stretch) blockName(i int) string {
	return fmt.Sprintf("%s#%d", compaction.Key(s.month, s.run, s.object), s.blocks[i].Group)
}

// start and end are where texts and facts of a block are.
func start(b *extract.Block) int64 { return b.Texts.Offset }
func end(b *extract.Block) int64   { return b.Facts.Offset + b.Facts.Length }

// useless says whether an error means that extracts cannot be used, and the row groups
// are to be read.
func useless(err error) bool {
	return errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrNotFound) || errors.Is(err, archive.ErrNewFormat)
}

// runStretches are the stretches of a run that can hold what the filters want.
func (r *run) runStretches(ctx context.Context, month string, c compaction.Run) (units []unit, skipped int, err error) {
	groups, rows := 0, int64(0)
	for n := range c.Extracts {
		blocks, err := r.directory(ctx, month, c, n)
		if err != nil {
			return nil, 0, err
		}
		groups += len(blocks)
		var wanted []extract.Block
		for i := range blocks {
			rows += int64(blocks[i].Rows)
			if r.blockMayHold(&blocks[i]) {
				wanted = append(wanted, blocks[i])
			}
		}
		skipped += len(blocks) - len(wanted)
		units = append(units, stretches(month, c.ID, wanted)...)
	}
	if groups != c.Groups || rows != c.Rows {
		return nil, 0, fmt.Errorf("run %s: %d row groups of %d are in the directories of its extracts: %w", c.ID, groups, c.Groups, store.ErrDamaged)
	}
	return units, skipped, nil
}

// directory reads and keeps a directory of extracts.
func (r *run) directory(ctx context.Context, month string, c compaction.Run, n int) ([]extract.Block, error) {
	if r.Derived == nil {
		return nil, errors.New("the derived bucket is not set")
	}
	key := extract.DirectoryKey(month, c.ID, n)
	if blocks, ok := r.blocks.Get(key); ok {
		return blocks, nil
	}
	data, err := r.Derived.GetRange(ctx, key, 0, c.Extracts[n].Length)
	if err != nil {
		return nil, err
	}
	blocks, err := extract.DecodeDirectory(data, c.Extracts[n])
	if err == nil && len(data) <= keptDirectoryBytes {
		r.blocks.Add(key, blocks)
	}
	return blocks, err
}

func (r *run) blockMayHold(b *extract.Block) bool {
	q := r.query
	if q.Conversation != "" && !b.MayHold(q.Conversation) {
		return false
	}
	for _, ids := range []query.IDs{q.Person, q.Sender} {
		if len(ids) > 0 && !slices.ContainsFunc(ids, b.MayHoldPerson) {
			return false
		}
	}
	return !r.outside(b.Bounds)
}

// stretches cuts blocks, which are in order, into units. A unit keeps copies of its blocks
// only, not of their directory.
func stretches(month, run string, blocks []extract.Block) (units []unit) {
	for len(blocks) > 0 {
		n, bounds := 1, blocks[0].Bounds
		for n < len(blocks) {
			b := &blocks[n]
			if b.Object != blocks[0].Object || end(b)-start(&blocks[0]) > stretchBytes || start(b)-end(&blocks[n-1]) > stretchGap {
				break
			}
			bounds.First, bounds.Last = min(bounds.First, b.Bounds.First), max(bounds.Last, b.Bounds.Last)
			n++
		}
		s := &stretch{month: month, run: run, object: blocks[0].Object, blocks: make([]extract.Block, n)}
		for i := range s.blocks {
			s.blocks[i] = blocks[i].Slim()
		}
		units = append(units, unit{stretch: s, bounds: &bounds})
		blocks = blocks[n:]
	}
	return units
}

// texts are buffers for unpacked texts.
var texts = sync.Pool{New: func() any { return new([]byte) }}

// readStretch looks at the blocks of a stretch that can have something of the page.
func (r *run) readStretch(ctx context.Context, s *stretch, t *taker) error {
	var wanted []int
	for i := range s.blocks {
		switch {
		case r.avoid[s.blockName(i)]:
			t.res.looked.Parts++
			if err := r.readInstead(ctx, s, i, t); err != nil {
				return err
			}
		case r.idle(s.blocks[i].Bounds, t.best):
			t.res.looked.Skipped++
		default:
			wanted = append(wanted, i)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	from, to := start(&s.blocks[wanted[0]]), end(&s.blocks[wanted[len(wanted)-1]])
	data, err := r.derivedRange(ctx, s.key(), t, from, to-from)
	if err != nil && !useless(err) {
		return err
	}
	buffer := texts.Get().(*[]byte)
	defer texts.Put(buffer)
	t.res.looked.Parts += len(wanted)
	for _, i := range wanted {
		b := &s.blocks[i]
		if err == nil {
			x := &opened{taker: t, block: b, buffer: buffer, texts: data[b.Texts.Offset-from:][:b.Texts.Length], facts: data[b.Facts.Offset-from:][:b.Facts.Length]}
			found, damage := x.look()
			if damage == nil {
				x.count()
				for _, h := range found {
					h.text = &textRef{s, i, h.text.row}
					t.offer(h)
				}
				continue
			}
		}
		if err := r.readInstead(ctx, s, i, t); err != nil {
			return err
		}
	}
	return nil
}

// readInstead reads a row group whose extract cannot be used.
func (r *run) readInstead(ctx context.Context, s *stretch, i int, t *taker) error {
	object, number := compaction.Key(s.month, s.run, s.object), s.blocks[i].Group
	group, err := r.rowGroup(ctx, s.run, object, number)
	if err == nil {
		err = r.readGroup(ctx, group, t)
	}
	if err != nil && r.isDamage(err) {
		t.res.damaged, err = append(t.res.damaged, s.blockName(i)), nil
	}
	return err
}

// rowGroup looks for a row group in the directory of its run.
func (r *run) rowGroup(ctx context.Context, run, object string, number int) (compaction.RowGroup, error) {
	for g, err := range r.directoryOf(ctx, run) {
		if err != nil || g.Object == object && g.Group == number {
			return g, err
		}
	}
	return compaction.RowGroup{}, fmt.Errorf("row group %d of %s: %w", number, object, store.ErrNotFound)
}

// opened is a row group of whose extract as much is opened as is needed.
type opened struct {
	*taker
	block        *extract.Block
	texts, facts []byte  // packed
	buffer       *[]byte // for texts

	read     *extract.Facts
	admitted []bool // rows; nil: all
}

// look finds what is meant, of which only text.row tells where the text is. Any error
// means damage.
func (x *opened) look() (found []Hit, err error) {
	if x.matcher.BesideTime() || x.outsidePartly(x.block.Bounds) {
		if any, err := x.filter(); err != nil || !any {
			return nil, err
		}
	}
	words := x.matcher.Words()
	if words.Empty() {
		for i := range x.block.Rows {
			if found, err = x.hit(found, i); err != nil {
				return nil, err
			}
		}
		return found, nil
	}
	all, err := x.block.OpenTexts(*x.buffer, x.texts)
	if err != nil {
		return nil, err
	}
	*x.buffer = all
	if !words.MayMatch(all) {
		return nil, nil
	}
	var failed error
	err = all.Each(x.block, func(i int, folded []byte) bool {
		if (x.admitted == nil || x.admitted[i]) && words.MatchFolded(folded) {
			found, failed = x.hit(found, i)
		}
		return failed == nil
	})
	return found, errors.Join(err, failed)
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
func (x *opened) hit(found []Hit, i int) ([]Hit, error) {
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
	return append(found, Hit{Row: row.Row, Place: row.Place(), text: &textRef{row: i}}), nil
}

// count notes what was looked at.
func (x *opened) count() {
	looked := &x.res.looked
	looked.Messages += int64(x.block.Rows)
	if x.admitted == nil {
		for kind, n := range x.block.Files {
			if !textless[kind] {
				looked.Contents[kind] += n
			}
		}
		return
	}
	for i, admitted := range x.admitted {
		if admitted {
			x.countFiles(archive.Reading{Media: x.read.Files[x.read.List[i]]})
		}
	}
}

// textRef is where the text of a hit is.
type textRef struct {
	stretch *stretch
	block   int
	row     int
}

// spoiltError says that the extract of a row group cannot be used.
type spoiltError struct {
	name string
	err  error
}

func (e *spoiltError) Error() string { return fmt.Sprintf("extract of %s: %v", e.name, e.err) }
func (e *spoiltError) Unwrap() error { return e.err }
