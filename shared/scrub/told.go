package scrub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

// Index is what the index says of pages and segments (catalog.Catalog).
type Index struct {
	Pages interface {
		Page(ctx context.Context, asked uint64) (catalog.PageState, error)
	}
	Conversations interface {
		Told(ctx context.Context, key string, rows []archive.Row) error
	}
	People interface {
		Aliases(ctx context.Context) (catalog.Aliases, error)
	}
	// Rows reads the rows of a segment.
	Rows   func(stored []byte) ([]archive.Row, error)
	Parser int // version of the newest parser: what an older one read may be indexed otherwise
	Now    func() time.Time
}

// settled is how long after its pull a page surely has all that it is to have in the
// index, unless it waits for the archiver, which others watch.
const settled = time.Hour

// page compares what the index says of a page. Only what the index must have is missed:
// one that is on its way there is not.
func (x *Index) page(ctx context.Context, h archive.PageHeader) error {
	if x == nil || x.Now().Sub(h.PulledAt) < settled {
		return nil
	}
	state, err := x.Pages.Page(ctx, h.SeqAsked)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("the index does not know the page: %w", catalog.ErrUntold)
	case errors.Is(err, store.ErrIndexDamaged):
		return fmt.Errorf("%w: %w", err, catalog.ErrUntold)
	case err != nil:
		return err
	case state.LastSeq != h.LastSeq || state.Archived && state.Count != h.Count:
		return fmt.Errorf("the index says of the page that it has %d messages up to %d, it has %d up to %d: %w",
			state.Count, state.LastSeq, h.Count, h.LastSeq, catalog.ErrUntold)
	}
	return nil
}

// segment compares what the index says of a part of a segment, whose page is archived.
func (x *Index) segment(ctx context.Context, key string, asked uint64, stored []byte) error {
	if x == nil {
		return nil
	}
	state, err := x.Pages.Page(ctx, asked)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrIndexDamaged) || err == nil && !state.Archived {
		return nil // the check of the page says so; else it waits for the archiver
	}
	if err != nil {
		return err
	}
	rows, err := x.Rows(stored)
	if err != nil {
		return err
	}
	aliases, err := x.People.Aliases(ctx)
	if err != nil {
		return err
	}
	if len(aliases) > 0 {
		return nil // where they are indexed depends on who is whom
	}
	for _, r := range rows {
		if r.Readable() && r.ParserVersion < x.Parser {
			return nil
		}
	}
	return x.Conversations.Told(ctx, key, rows)
}
