package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// PageState is what the index knows of a page, and of its alternates: they are one, since
// their rows stand in one segment.
type PageState struct {
	Key        string                  `json:"key"` // of the page; if it cannot be read, of its last alternate
	SeqAsked   uint64                  `json:"seq_asked"`
	LastSeq    uint64                  `json:"last_seq"`
	Count      int                     `json:"count"`
	PulledAt   time.Time               `json:"pulled_at"`            // on the day of its segment
	Archived   bool                    `json:"archived"`             // its segment is stored and indexed
	ArchivedAt time.Time               `json:"archived_at,omitzero"` //
	Parts      int                     `json:"parts,omitempty"`      // segment objects
	Damaged    []string                `json:"damaged,omitempty"`    // keys of those that cannot be read
	OK         int                     `json:"ok,omitempty"`         // readable envelopes
	Types      MsgTypes                `json:"types,omitempty"`      // the readable ones; nil: archived before they were counted
	Unreadable map[archive.Outcome]int `json:"unreadable,omitempty"`
	QueuedAt   time.Time               `json:"queued_at,omitzero"` // last put on the archiver's queue again

	// RedriveAt is when somebody last asked to try the page again. Envelopes that
	// WeCom's library died of before are offered to it again; see decode.
	RedriveAt time.Time `json:"redrive_at,omitzero"`
}

// troubled says whether the quarantine lists the page.
func (s PageState) troubled() bool { return len(s.Unreadable) > 0 || len(s.Damaged) > 0 }

func stateOf(h archive.PageHeader) PageState {
	return PageState{Key: h.Key(), SeqAsked: h.SeqAsked, LastSeq: h.End(), Count: h.Count, PulledAt: h.Filed(h.Stem).PulledAt}
}

// NotePage records a stored page as waiting for the archiver, unless the
// archiver was quicker.
func (c *Pages) NotePage(ctx context.Context, h archive.PageHeader) error {
	name, state := archive.SeqName(h.SeqAsked), stateOf(h)
	// First: FinishPage removes it last, so a page that is finished meanwhile is
	// seen as such below.
	if err := c.table.Write(ctx, partitionPending, name, state); err != nil {
		return fmt.Errorf("noting page %d: %w", h.SeqAsked, err)
	}
	err := c.table.WriteIf(ctx, partitionPages, name, 0, state)
	if !errors.Is(err, store.ErrConflict) {
		if err != nil {
			return fmt.Errorf("noting page %d: %w", h.SeqAsked, err)
		}
		return nil
	}
	var known PageState
	if _, err := c.table.Read(ctx, partitionPages, name, &known); err != nil || !known.Archived {
		return err
	}
	if slices.Contains(known.Damaged, state.Key) { // what was there before is gone
		return c.ReopenPage(ctx, h)
	}
	if err := c.table.Delete(ctx, store.Item{Partition: partitionPending, Sort: name}); err != nil {
		return fmt.Errorf("noting page %d: %w", h.SeqAsked, err)
	}
	return nil
}

// FinishPage records what became of a page's envelopes. Everything that the
// page's readers need must be written before. A state that knows fewer parts of
// the segment than the recorded one comes late and changes nothing.
func (c *Pages) FinishPage(ctx context.Context, s PageState) error {
	s.Archived, s.Types = true, s.Types.bounded()
	name := archive.SeqName(s.SeqAsked)
	// Before the page counts as done: nobody would look for what is missing.
	if s.troubled() {
		if err := c.putQuarantine(ctx, name, s); err != nil {
			return err
		}
	}
	recorded, err := c.replaceState(ctx, name, s)
	if err != nil {
		return err
	}
	if !s.troubled() || recorded.Parts != s.Parts || !recorded.RedriveAt.Equal(s.RedriveAt) {
		if err := c.putQuarantine(ctx, name, recorded); err != nil {
			return err
		}
	}
	// Last: until then the page counts as waiting and is handled again.
	if err := c.table.Delete(ctx, store.Item{Partition: partitionPending, Sort: name}); err != nil {
		return fmt.Errorf("finishing page %d: %w", s.SeqAsked, err)
	}
	return nil
}

// putQuarantine lists a page in the quarantine, or takes it out.
func (c *Pages) putQuarantine(ctx context.Context, name string, s PageState) error {
	var err error
	if s.troubled() {
		err = c.table.Write(ctx, partitionQuarantine, name, s)
	} else {
		err = c.table.Delete(ctx, store.Item{Partition: partitionQuarantine, Sort: name})
	}
	if err != nil {
		return fmt.Errorf("finishing page %d: quarantine: %w", s.SeqAsked, err)
	}
	return nil
}

// replaceState writes the state of a page unless a newer one is recorded, and
// returns which is recorded then.
func (c *Pages) replaceState(ctx context.Context, name string, s PageState) (recorded PageState, err error) {
	const tries = 20
	for range tries {
		var known PageState
		revision, err := c.table.Read(ctx, partitionPages, name, &known)
		if err != nil {
			return s, err
		}
		if known.Archived && known.Parts > s.Parts {
			return known, nil
		}
		if known.RedriveAt.After(s.RedriveAt) {
			s.RedriveAt = known.RedriveAt
		}
		err = c.table.WriteIf(ctx, partitionPages, name, revision, s)
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return s, fmt.Errorf("finishing page %d: %w", s.SeqAsked, err)
		}
	}
	return s, fmt.Errorf("finishing page %d: %d others were quicker: %w", s.SeqAsked, tries, store.ErrConflict)
}

// Page returns the state of the page asked at seq, or ErrNotFound.
func (c *Pages) Page(ctx context.Context, asked uint64) (PageState, error) {
	var s PageState
	rev, err := c.table.Read(ctx, partitionPages, archive.SeqName(asked), &s)
	if err == nil && rev == 0 {
		err = fmt.Errorf("page %d: %w", asked, store.ErrNotFound)
	}
	return s, err
}

// Pages returns at most limit pages, from seq from on.
func (c *Pages) From(ctx context.Context, from uint64, limit int) ([]PageState, error) {
	return table.List[PageState](ctx, c.table, store.IndexQuery{Partition: partitionPages, From: archive.SeqName(from), Limit: limit})
}

// PendingPages returns at most limit pages without a finished segment, from seq
// from on.
func (c *Pages) PendingPages(ctx context.Context, from uint64, limit int) ([]PageState, error) {
	return table.List[PageState](ctx, c.table, store.IndexQuery{Partition: partitionPending, From: archive.SeqName(from), Limit: limit})
}

// MarkQueued notes that a pending page was put on the queue again, so that a
// backlog is not queued once more by every run.
func (c *Pages) MarkQueued(ctx context.Context, s PageState, at time.Time) error {
	s.QueuedAt = at.UTC()
	var now PageState
	rev, err := c.table.Read(ctx, partitionPending, archive.SeqName(s.SeqAsked), &now)
	if err != nil || rev == 0 {
		return err // archived meanwhile
	}
	err = c.table.WriteIf(ctx, partitionPending, archive.SeqName(s.SeqAsked), rev, s)
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// Quarantined returns at most limit pages that have unreadable envelopes, or
// damaged parts of their segment, from seq from on.
func (c *Pages) Quarantined(ctx context.Context, from uint64, limit int) ([]PageState, error) {
	return table.List[PageState](ctx, c.table, store.IndexQuery{Partition: partitionQuarantine, From: archive.SeqName(from), Limit: limit})
}

// PageOf returns the state of the page that has the messages around a seq: the last
// one asked before it. ErrNotFound if that ends before.
func (c *Pages) PageOf(ctx context.Context, seq uint64) (PageState, error) {
	page, err := c.PageBefore(ctx, seq)
	if err == nil && page.LastSeq < seq {
		err = fmt.Errorf("the page with seq %d: %w", seq, store.ErrNotFound)
	}
	return page, err
}

// PageBefore returns the state of the last page asked before a seq, or ErrNotFound.
func (c *Pages) PageBefore(ctx context.Context, seq uint64) (PageState, error) {
	pages, err := table.List[PageState](ctx, c.table, store.IndexQuery{Partition: partitionPages, To: archive.SeqName(seq), Descending: true, Limit: 1})
	if err == nil && len(pages) == 0 {
		err = fmt.Errorf("a page before %d: %w", seq, store.ErrNotFound)
	}
	if err != nil {
		return PageState{}, err
	}
	return pages[0], nil
}

// ReopenPage records a page whose segment is not complete as waiting for the
// archiver, whatever the index says of it.
func (c *Pages) ReopenPage(ctx context.Context, h archive.PageHeader) error {
	name, state := archive.SeqName(h.SeqAsked), stateOf(h)
	if err := c.table.Write(ctx, partitionPending, name, state); err != nil {
		return fmt.Errorf("reopening page %d: %w", h.SeqAsked, err)
	}
	return c.changePage(ctx, name, func(known PageState, found bool) (PageState, bool) {
		state.RedriveAt = known.RedriveAt
		return state, !found || known.Archived
	})
}

// MarkRedrive notes when somebody asked to try a page again.
func (c *Pages) MarkRedrive(ctx context.Context, asked uint64, at time.Time) error {
	return c.changePage(ctx, archive.SeqName(asked), func(known PageState, found bool) (PageState, bool) {
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
func (c *Pages) changePage(ctx context.Context, name string, change func(known PageState, found bool) (PageState, bool)) error {
	const tries = 20
	copied := int64(-1) // revision that the quarantine has
	for range tries {
		var known PageState
		revision, err := c.table.Read(ctx, partitionPages, name, &known)
		if err != nil {
			return err
		}
		next, changed := change(known, revision > 0)
		if changed {
			err := c.table.WriteIf(ctx, partitionPages, name, revision, next)
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

// PagesBefore returns pages, those with the highest seqs first, of those before the
// page that next names; empty: from the last. next is empty at the end.
func (c *Pages) PagesBefore(ctx context.Context, before string, limit int) (pages []PageState, next string, err error) {
	return table.ListBefore[PageState](ctx, c.table, partitionPages, before, limit)
}
