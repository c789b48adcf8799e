package search

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/store"
)

// fetchTexts reads the texts of the hits, of those alone that are on the page.
func (r *run) fetchTexts(ctx context.Context) error {
	type place struct {
		stretch *stretch
		block   int
	}
	hits := map[place][]*Hit{}
	for i := range r.answer.Hits {
		if h := &r.answer.Hits[i]; h.text != nil {
			at := place{h.text.stretch, h.text.block}
			hits[at] = append(hits[at], h)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	var mu sync.Mutex
	for at, of := range hits {
		group.Go(func() error {
			n, err := r.fetchSome(ctx, at.stretch, at.block, of)
			mu.Lock()
			defer mu.Unlock()
			r.answer.Looked.Requests++
			r.answer.Looked.Bytes += n
			return err
		})
	}
	return group.Wait()
}

func (r *run) fetchSome(ctx context.Context, s *stretch, block int, hits []*Hit) (bytes int64, err error) {
	b := &s.blocks[block]
	slices.SortFunc(hits, func(h, g *Hit) int { return h.text.row - g.text.row })
	rows := make([]int, len(hits))
	for i, h := range hits {
		rows[i] = h.text.row
	}
	data, err := r.Derived.GetRange(ctx, s.key(), b.Originals.Offset, b.Originals.Length)
	var texts []string
	if err == nil {
		texts, err = b.OpenOriginals(data, rows)
	}
	for i, h := range hits {
		if err != nil {
			break
		}
		meant := false
		h.Text = texts[i]
		if h.Ranges, meant = r.matcher.Words().Match(h.Text); !meant {
			err = fmt.Errorf("row %d was folded to another text: %w", rows[i], store.ErrDamaged)
		}
		h.text = nil
	}
	if err != nil && useless(err) {
		err = &spoiltError{s.blockName(block), err}
	}
	return int64(len(data)), err
}
