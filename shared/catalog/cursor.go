package catalog

import (
	"context"
	"fmt"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// Cursor is how far the stream of the corp is stored. Only pages move it; the
// totals are those of the pages it passed.
type Cursor struct {
	Seq       uint64    `json:"seq"`
	Page      uint64    `json:"page"` // seq asked of the last page, whose end Seq is
	Pages     int64     `json:"pages"`
	Envelopes int64     `json:"envelopes"`
	Bytes     int64     `json:"bytes"`              // of replies
	PulledAt  time.Time `json:"pulled_at,omitzero"` // of the last page that is no alternate

	revision int64
}

// over is the cursor after a page.
func (c Cursor) over(page archive.PageHeader) Cursor {
	if page.Alternate > 0 { // pulled later than what comes behind it
		page.PulledAt = c.PulledAt
	}
	return Cursor{
		Seq:       page.End(),
		Page:      page.SeqAsked,
		Pages:     c.Pages + 1,
		Envelopes: c.Envelopes + int64(page.Count),
		Bytes:     c.Bytes + page.Size,
		PulledAt:  page.PulledAt,
		revision:  c.revision + 1,
	}
}

// Cursor returns the cursor; zero if no page was stored yet.
func (c *Pages) Cursor(ctx context.Context) (Cursor, error) {
	var cur Cursor
	rev, err := c.table.Read(ctx, partitionPuller, "cursor", &cur)
	cur.revision = rev
	return cur, err
}

// AdvanceCursor moves the cursor over the page, or alternate, that was asked for at its
// seq. It returns ErrConflict if somebody else moved it first.
func (c *Pages) AdvanceCursor(ctx context.Context, from Cursor, page archive.PageHeader) (Cursor, error) {
	if page.SeqAsked != from.Seq || page.End() <= from.Seq {
		return from, fmt.Errorf("moving the cursor from %d over the page asked at %d that ends at %d: %w",
			from.Seq, page.SeqAsked, page.End(), store.ErrDamaged)
	}
	return c.moveCursor(ctx, from, from.over(page))
}

// PassHole moves the cursor to the end of a hole that begins there. The hole must be
// recorded: it is what the cursor has passed without a page.
func (c *Pages) PassHole(ctx context.Context, from Cursor, h archive.ChainHole) (Cursor, error) {
	if h.From > from.Seq || h.To <= from.Seq {
		return from, fmt.Errorf("moving the cursor from %d over a hole from %d to %d: %w", from.Seq, h.From, h.To, store.ErrDamaged)
	}
	next := from
	next.Seq = h.To
	next.revision++
	return c.moveCursor(ctx, from, next)
}

func (c *Pages) moveCursor(ctx context.Context, from, next Cursor) (Cursor, error) {
	if err := c.table.WriteIf(ctx, partitionPuller, "cursor", from.revision, next); err != nil {
		return from, fmt.Errorf("moving the cursor from %d to %d: %w", from.Seq, next.Seq, err)
	}
	return next, nil
}

// Behind is the cursor behind a hole, for who makes the index again.
func (c Cursor) Behind(seq uint64) Cursor {
	c.Seq = max(c.Seq, seq)
	return c
}

// CursorAheadError says that the index knows of more than is stored.
type CursorAheadError struct{ Recorded, Stored uint64 } // seqs

func (e *CursorAheadError) Error() string {
	return fmt.Sprintf("the index says that everything up to seq %d is stored, but the last page ends at %d", e.Recorded, e.Stored)
}

// RestoreCursor puts the cursor behind the last page. It returns a
// *CursorAheadError if the recorded one is further; then nothing is changed.
func (c *Pages) RestoreCursor(ctx context.Context, cursor Cursor) error {
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
	if err := c.table.WriteIf(ctx, partitionPuller, "cursor", recorded.revision, cursor); err != nil {
		return fmt.Errorf("restoring the cursor: %w", err)
	}
	return nil
}

// Over is the cursor after one more page of the chain.
func (c Cursor) Over(page archive.PageHeader) Cursor { return c.over(page) }
