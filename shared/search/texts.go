package search

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
)

// textRef is where the text of a hit is: in a block of a stretch, a row group or a segment.
type textRef struct {
	stretch *stretch
	block   int
	group   *compaction.RowGroup
	segment string

	row int
}

// name of the part that it is in.
func (t *textRef) name() string {
	switch {
	case t.stretch != nil:
		return t.stretch.blockName(t.block)
	case t.group != nil:
		return groupName(t.group.Object, t.group.Group)
	}
	return t.segment
}

// fetchTexts reads the texts of the hits, of those alone that are on the page, and looks
// for the places of the terms.
func (r *run) fetchTexts(ctx context.Context) error {
	hits := map[string][]*Hit{}
	for i := range r.answer.Hits {
		if h := &r.answer.Hits[i]; h.text != nil {
			hits[h.text.name()] = append(hits[h.text.name()], h)
		}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	var mu sync.Mutex
	lies := &foundError{}
	for _, of := range hits {
		group.Go(func() error {
			var read result
			lying, err := r.fetchSome(groupCtx, of, &read)
			mu.Lock()
			defer mu.Unlock()
			r.answer.Looked.Requests += read.looked.Requests
			r.answer.Looked.Bytes += read.looked.Bytes
			r.answer.Damaged = append(r.answer.Damaged, read.damaged...)
			if lying != nil {
				lies.avoid, lies.name, lies.err = append(lies.avoid, of[0].text.name()), of[0].text.name(), lying
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if len(lies.avoid) > 0 {
		return lies
	}
	words := r.matcher.Words()
	for i := range r.answer.Hits {
		h := &r.answer.Hits[i]
		h.text = nil
		var err error
		if h.Ranges, h.More, err = words.Places(h.Text, ctx.Err); err != nil {
			return err
		}
	}
	return nil
}

// fetchSome reads the texts of hits of one part: where they were found or, if they cannot be
// read there, in the compacted object and, one by one, in the segments. lying says that an
// extract was folded from other texts than the messages have.
func (r *run) fetchSome(ctx context.Context, hits []*Hit, read *result) (lying, err error) {
	slices.SortFunc(hits, func(h, g *Hit) int { return h.text.row - g.text.row })
	ref := hits[0].text
	if ref.stretch != nil {
		if err = r.originals(ctx, hits, read); err == nil {
			for _, h := range hits {
				meant, err := r.matcher.Words().Meant(h.Text, ctx.Err)
				if err != nil {
					return nil, err
				}
				if !meant {
					return fmt.Errorf("row %d was folded to another text: %w", h.text.row, store.ErrDamaged), nil
				}
			}
			return nil, nil
		}
		if !useless(err) {
			return nil, err
		}
		r.known.replaced(ref.name())
	}
	if ref.segment == "" {
		err = r.groupTexts(ctx, hits, read)
		if err == nil || !useless(err) {
			return nil, err
		}
		r.known.replaced(ref.name())
	}
	return nil, r.segmentTexts(ctx, hits, read)
}

// originals reads texts in an extract.
func (r *run) originals(ctx context.Context, hits []*Hit, read *result) error {
	s := hits[0].text.stretch
	b := &s.blocks[hits[0].text.block]
	rows := make([]int, len(hits))
	for i, h := range hits {
		rows[i] = h.text.row
	}
	data, err := r.derivedRange(ctx, s.key(), read, b.Originals.Offset, b.Originals.Length)
	if err != nil {
		return err
	}
	size := min(b.OriginalsSize(data), unpackedBytes)
	if err := r.memory.Acquire(ctx, size); err != nil {
		return err
	}
	defer r.memory.Release(size)
	texts, err := b.OpenOriginals(data, rows)
	if err != nil {
		return err
	}
	for i, h := range hits {
		h.Text = texts[i]
	}
	return nil
}

// groupTexts reads texts in a compacted object.
func (r *run) groupTexts(ctx context.Context, hits []*Hit, read *result) (err error) {
	ref := hits[0].text
	var g compaction.RowGroup
	if ref.group != nil {
		g = *ref.group
	} else {
		s := ref.stretch
		if g, err = r.rowGroup(ctx, s.run, compaction.Key(s.month, s.run, s.object), s.blocks[ref.block].Group); err != nil {
			return err
		}
	}
	rows, err := r.groupRows(ctx, g, read)
	if err != nil {
		return err
	}
	for _, h := range hits {
		if h.text.row >= len(rows) || !samePlace(rows[h.text.row].Place(), h.Place) {
			return fmt.Errorf("%s: row %d is another message: %w", ref.name(), h.text.row, store.ErrDamaged)
		}
		h.Text = rows[h.text.row].Text
	}
	return nil
}

func samePlace(a, b archive.Place) bool {
	return a.Object == b.Object && a.Row == b.Row && a.Compare(b.Position) == 0
}

// segmentTexts reads texts where the truth lies. Those that cannot be read there are
// missing, and their segments named.
func (r *run) segmentTexts(ctx context.Context, hits []*Hit, read *result) error {
	of := map[string][]*Hit{}
	for _, h := range hits {
		of[h.Place.Object] = append(of[h.Place.Object], h)
	}
	for key, hits := range of {
		read.looked.Requests++
		stored, err := store.ReadObject(ctx, r.Objects, key)
		read.looked.Bytes += int64(len(stored))
		if err == nil {
			_, rows, decodeErr := segment.Decode(stored)
			err = decodeErr
			for _, h := range hits {
				if err == nil && h.Place.Row < len(rows) && rows[h.Place.Row].Seq == h.Seq {
					h.Text = rows[h.Place.Row].Text
				} else {
					h.Unread = true
				}
			}
		}
		if err != nil && !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err != nil {
			read.damaged = append(read.damaged, key)
			for _, h := range hits {
				h.Text, h.Unread = "", true
			}
		}
	}
	return nil
}
