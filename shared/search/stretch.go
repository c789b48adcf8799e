package search

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
	return groupName(compaction.Key(s.month, s.run, s.object), s.blocks[i].Group)
}

// cut is a section out of bytes that begin somewhere in the object; empty if they are too
// few: that is noticed where the section is verified.
func cut(data []byte, from int64, s extract.Section) []byte {
	at := s.Offset - from
	if at < 0 || s.Length < 0 || at > int64(len(data)) || s.Length > int64(len(data))-at {
		return nil
	}
	return data[at:][:s.Length]
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
func (r *run) runStretches(ctx context.Context, month string, c compaction.Run) (units []unit, over skipped, err error) {
	groups, rows := 0, int64(0)
	for n := range c.Extracts {
		blocks, err := r.directory(ctx, month, c, n)
		if err != nil {
			return nil, skipped{}, err
		}
		groups += len(blocks)
		var wanted []extract.Block
		for i := range blocks {
			rows += int64(blocks[i].Rows)
			if r.blockMayHold(&blocks[i]) {
				wanted = append(wanted, blocks[i])
			} else if !r.outside(blocks[i].Bounds) {
				over.unopened += int64(blocks[i].Unopened)
			}
		}
		over.parts += len(blocks) - len(wanted)
		units = append(units, stretches(month, c.ID, wanted)...)
	}
	if groups != c.Groups || rows != c.Rows {
		return nil, skipped{}, fmt.Errorf("run %s: %d row groups of %d are in the directories of its extracts: %w", c.ID, groups, c.Groups, store.ErrDamaged)
	}
	return units, over, nil
}

// directory reads and keeps a directory of extracts.
func (r *run) directory(ctx context.Context, month string, c compaction.Run, n int) ([]extract.Block, error) {
	key := extract.DirectoryKey(month, c.ID, n)
	if blocks, ok := r.blocks.Get(key); ok {
		return blocks, nil
	}
	var read result
	data, err := r.derivedRange(ctx, key, &read, 0, c.Extracts[n].Length)
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

// readStretch looks at the blocks of a stretch that can have something of the page.
func (r *run) readStretch(ctx context.Context, s *stretch, t *taker) error {
	var wanted []int
	for i := range s.blocks {
		switch {
		case r.known.avoid[s.blockName(i)]:
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
	data, err := r.derivedRange(ctx, s.key(), t.res, from, to-from)
	if err != nil && !useless(err) {
		return err
	}
	t.res.looked.Parts += len(wanted)
	for _, i := range wanted {
		b := &s.blocks[i]
		x := &opened{taker: t, block: b, texts: cut(data, from, b.Texts), facts: cut(data, from, b.Facts)}
		found, err := x.look(ctx)
		if err == nil {
			err = x.count()
		}
		if errors.Is(err, store.ErrDamaged) {
			r.known.replaced(s.blockName(i))
			if err := r.readInstead(ctx, s, i, t); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		for _, h := range found {
			h.text = &textRef{stretch: s, block: i, row: h.text.row}
			t.offer(h)
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
		err = r.groupLost(s.month, s.blockName(i), err)
	}
	return err
}
