package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wecom-archive/shared/store"
)

// Drop empties the index, but for the puller's lease and for what SaveProgress
// has saved. The caller holds the lease.
func (c *Catalog) Drop(ctx context.Context, dropper store.Dropper) error {
	if err := dropper.Drop(ctx, partitionPuller, partitionRebuild); err != nil {
		return fmt.Errorf("emptying the index: %w", err)
	}
	if err := c.Table.Delete(ctx, store.Item{Partition: partitionPuller, Sort: "cursor"}, store.Item{Partition: partitionPuller, Sort: "state"}); err != nil {
		return fmt.Errorf("emptying the index: %w", err)
	}
	return nil
}

// Progress reads how far a rebuild of this name is; found is false if none is
// under way.
func (c *Catalog) Progress(ctx context.Context, name string, progress any) (found bool, err error) {
	revision, err := c.Table.Read(ctx, partitionRebuild, name, progress)
	return revision > 0, err
}

// SaveProgress saves how far a rebuild is.
func (c *Catalog) SaveProgress(ctx context.Context, name string, progress any) error {
	return c.Table.Write(ctx, partitionRebuild, name, progress)
}

// ForgetProgress says that a rebuild is done.
func (c *Catalog) ForgetProgress(ctx context.Context, name string) error {
	if err := c.Table.Delete(ctx, store.Item{Partition: partitionRebuild, Sort: name}); err != nil {
		return fmt.Errorf("ending %s: %w", name, err)
	}
	return nil
}

// CursorAheadError says that the index knows of more than is stored.
type CursorAheadError struct{ Recorded, Stored uint64 } // seqs

func (e *CursorAheadError) Error() string {
	return fmt.Sprintf("the index says that everything up to seq %d is stored, but the unbroken chain of pages ends at %d", e.Recorded, e.Stored)
}

// RestoreCursor puts the cursor where the chain of pages ends. It returns a
// *CursorAheadError if the recorded one is further; then nothing is changed.
func (c *Catalog) RestoreCursor(ctx context.Context, cursor Cursor) error {
	recorded, err := c.Cursor(ctx)
	if err != nil {
		return err
	}
	if recorded.Seq > cursor.Seq {
		return &CursorAheadError{Recorded: recorded.Seq, Stored: cursor.Seq}
	}
	if cursor.Seq == 0 {
		return nil // no page: an index has no cursor then
	}
	if err := c.Table.WriteIf(ctx, partitionPuller, "cursor", recorded.revision, cursor); err != nil {
		return fmt.Errorf("restoring the cursor: %w", err)
	}
	return nil
}

// Over is the cursor after one more page of the chain.
func (c Cursor) Over(page PageHeader) Cursor { return c.over(page) }

// ReopenPage records a page whose segment is not complete as waiting for the
// archiver, whatever the index says of it.
func (c *Catalog) ReopenPage(ctx context.Context, h PageHeader) error {
	name, state := seqName(h.SeqAsked), stateOf(h)
	if err := c.Table.Write(ctx, partitionPending, name, state); err != nil {
		return fmt.Errorf("reopening page %d: %w", h.SeqAsked, err)
	}
	return c.changePage(ctx, name, func(known PageState, found bool) (PageState, bool) {
		state.RedriveAt = known.RedriveAt
		return state, !found || known.Archived
	})
}

// MarkRedrive notes when somebody asked to try a page again.
func (c *Catalog) MarkRedrive(ctx context.Context, asked uint64, at time.Time) error {
	return c.changePage(ctx, seqName(asked), func(known PageState, found bool) (PageState, bool) {
		if !found || !at.After(known.RedriveAt) {
			return known, false
		}
		known.RedriveAt = at.UTC()
		return known, true
	})
}

// changePage applies change to the state of a page, if it says that there is one,
// and brings the quarantine's copy up to it, also when an earlier call broke off
// between the two.
func (c *Catalog) changePage(ctx context.Context, name string, change func(known PageState, found bool) (PageState, bool)) error {
	const tries = 20
	copied := int64(-1) // revision that the quarantine has
	for range tries {
		var known PageState
		revision, err := c.Table.Read(ctx, partitionPages, name, &known)
		if err != nil {
			return err
		}
		next, changed := change(known, revision > 0)
		if changed {
			err := c.Table.WriteIf(ctx, partitionPages, name, revision, next)
			if errors.Is(err, store.ErrConflict) {
				continue
			}
			if err != nil {
				return fmt.Errorf("changing page %s: %w", name, err)
			}
			revision++
		} else if revision == 0 || revision == copied {
			return nil
		}
		if err := c.putQuarantine(ctx, name, next); err != nil {
			return err
		}
		copied = revision // an archiver may have finished the page meanwhile: look again
	}
	return fmt.Errorf("changing page %s: %d others were quicker: %w", name, tries, store.ErrConflict)
}
