package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

// checkCursor compares the cursor with the page that it stands behind: a wrong one
// would skip messages, or pull them twice.
func (r *run) checkCursor(ctx context.Context) error {
	c := r.cursor
	if c.Seq == 0 {
		return nil
	}
	wrong := func(why error) error {
		return own(fmt.Errorf("the cursor says seq %d, behind page %d: %w: %w", c.Seq, c.Page, store.ErrIndexDamaged, why))
	}
	end, gone, err := r.endOf(ctx, c.Page)
	if err != nil {
		return err
	}
	if end == c.Seq {
		return nil
	}
	// Behind a hole, which is recorded, the cursor stands without a page.
	if behind, err := r.behindHoles(ctx, max(end, c.Page)); err != nil || behind {
		return err
	}
	// Its last page is gone: then the index has to agree with itself.
	if gone != nil {
		state, err := r.config.Pages.Page(ctx, c.Page)
		if errors.Is(err, store.ErrNotFound) {
			return wrong(gone)
		}
		if err != nil {
			return own(err)
		}
		if state.LastSeq != c.Seq {
			return wrong(fmt.Errorf("that page ended at %d", state.LastSeq))
		}
		return r.lastPageGone(ctx)
	}
	return wrong(fmt.Errorf("that page ends at %d", end))
}

// behindHoles says whether the cursor stands at the end of a hole, and between it and the
// end of a page there are nothing but holes.
func (r *run) behindHoles(ctx context.Context, end uint64) (bool, error) {
	const most = 1000
	at := r.cursor.Seq
	for range most {
		holes, err := r.holesAt(ctx, at-1)
		if err != nil {
			return false, err
		}
		if at == r.cursor.Seq {
			holes = slices.DeleteFunc(holes, func(h catalog.Hole) bool { return h.To != at })
		}
		if len(holes) == 0 {
			return false, nil
		}
		for _, h := range holes {
			at = min(at, h.From)
		}
		if at <= end {
			return true, nil
		}
	}
	return false, nil
}

// endOf is where a page ends, or its highest alternate that can be read. gone says why it
// cannot be known.
func (r *run) endOf(ctx context.Context, asked uint64) (end uint64, gone, err error) {
	head, err := r.config.Objects.GetRange(ctx, archive.PageKey(asked), 0, archive.HeaderProbe)
	if err == nil {
		var h archive.PageHeader
		if h, err = archive.DecodePageHeader(head); err == nil {
			return h.End(), nil, nil
		}
	}
	if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrDamaged) {
		return 0, nil, own(fmt.Errorf("reading page %d, which the cursor stands behind: %w", asked, err))
	}
	at, lookErr := r.look(ctx, asked)
	if lookErr != nil {
		return 0, nil, lookErr
	}
	if at.found {
		return at.page.End(), nil, nil
	}
	return 0, err, nil
}

// lastPageGone has the archiver look at what is stored of the page that the cursor stands
// behind, which is missing or cannot be read.
func (r *run) lastPageGone(ctx context.Context) error {
	known, found, err := r.config.Holes.Hole(ctx, r.cursor.Page, r.cursor.Seq)
	if err != nil || found && known.Outcome != archive.HoleOpen {
		return own(err)
	}
	if !found {
		now := r.now()
		hole := archive.ChainHole{From: r.cursor.Page, To: r.cursor.Seq, Outcome: archive.HoleOpen, By: stage, NoticedAt: now, At: now}
		if err := r.recordHole(ctx, hole); err != nil {
			return err
		}
	}
	return nil
}
