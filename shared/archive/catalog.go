package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Catalog is what the index holds, by name. docs/format.md lists its partitions
// and sort keys; nothing else knows them.
type Catalog struct {
	index Index
}

// NewCatalog reads and writes the catalog in index.
func NewCatalog(index Index) *Catalog { return &Catalog{index: index} }

// Partitions.
const (
	partitionPuller     = "puller" // cursor, state, lease
	partitionPages      = "pages"
	partitionPending    = "pages:pending"
	partitionQuarantine = "quarantine"
	partitionRuns       = "runs#" // + stage
	partitionGaps       = "gaps"
	partitionIncidents  = "incidents"
	partitionKeys       = "keys"
	partitionConv       = "conversation#" // + conversation id
	partitionDay        = "day#"          // + yyyy-mm-dd#shard
	partitionRebuild    = "rebuild"       // how far reindex is
	partitionCompaction = "compaction"
	partitionGroups     = "compaction#" // + run
	partitionCompacted  = "compacted#"  // + yyyy-mm
)

// Cursor is how far the stream of the corp is stored. Only pages move it; the
// totals are those of the pages it passed.
type Cursor struct {
	Seq       uint64    `json:"seq"`
	Pages     int64     `json:"pages"`
	Envelopes int64     `json:"envelopes"`
	Bytes     int64     `json:"bytes"`              // of replies
	PulledAt  time.Time `json:"pulled_at,omitzero"` // of the last page

	revision int64
}

// over is the cursor after a page.
func (c Cursor) over(page PageHeader) Cursor {
	return Cursor{
		Seq:       page.LastSeq,
		Pages:     c.Pages + 1,
		Envelopes: c.Envelopes + int64(page.Count),
		Bytes:     c.Bytes + page.Size,
		PulledAt:  page.PulledAt,
		revision:  c.revision + 1,
	}
}

// Cursor returns the cursor; zero if no page was stored yet.
func (c *Catalog) Cursor(ctx context.Context) (Cursor, error) {
	var cur Cursor
	rev, err := c.get(ctx, partitionPuller, "cursor", &cur)
	cur.revision = rev
	return cur, err
}

// AdvanceCursor moves the cursor over the page that was asked for at its seq. It
// returns ErrConflict if somebody else moved it first.
func (c *Catalog) AdvanceCursor(ctx context.Context, from Cursor, page PageHeader) (Cursor, error) {
	if page.SeqAsked != from.Seq || page.LastSeq <= from.Seq {
		return from, fmt.Errorf("moving the cursor from %d over the page asked at %d that ends at %d: %w",
			from.Seq, page.SeqAsked, page.LastSeq, ErrDamaged)
	}
	next := from.over(page)
	if err := c.putIf(ctx, partitionPuller, "cursor", from.revision, next); err != nil {
		return from, fmt.Errorf("moving the cursor from %d to %d: %w", from.Seq, page.LastSeq, err)
	}
	return next, nil
}

// PageState is what the index knows of a page.
type PageState struct {
	Key        string          `json:"key"`
	SeqAsked   uint64          `json:"seq_asked"`
	LastSeq    uint64          `json:"last_seq"`
	Count      int             `json:"count"`
	PulledAt   time.Time       `json:"pulled_at"`
	Archived   bool            `json:"archived"`             // its segment is stored and indexed
	ArchivedAt time.Time       `json:"archived_at,omitzero"` //
	Parts      int             `json:"parts,omitempty"`      // segment objects
	Damaged    []string        `json:"damaged,omitempty"`    // keys of those that cannot be read
	OK         int             `json:"ok,omitempty"`         // readable envelopes
	Unreadable map[Outcome]int `json:"unreadable,omitempty"`
	QueuedAt   time.Time       `json:"queued_at,omitzero"` // last put on the archiver's queue again

	// RedriveAt is when somebody last asked to try the page again. Envelopes that
	// WeCom's library died of before are offered to it again; see decode.
	RedriveAt time.Time `json:"redrive_at,omitzero"`
}

// troubled says whether the quarantine lists the page.
func (s PageState) troubled() bool { return len(s.Unreadable) > 0 || len(s.Damaged) > 0 }

func stateOf(h PageHeader) PageState {
	return PageState{Key: PageKey(h.SeqAsked), SeqAsked: h.SeqAsked, LastSeq: h.LastSeq, Count: h.Count, PulledAt: h.PulledAt}
}

// NotePage records a stored page as waiting for the archiver, unless the
// archiver was quicker.
func (c *Catalog) NotePage(ctx context.Context, h PageHeader) error {
	name, state := seqName(h.SeqAsked), stateOf(h)
	// First: FinishPage removes it last, so a page that is finished meanwhile is
	// seen as such below.
	if err := c.put(ctx, partitionPending, name, state); err != nil {
		return fmt.Errorf("noting page %d: %w", h.SeqAsked, err)
	}
	err := c.putIf(ctx, partitionPages, name, 0, state)
	if !errors.Is(err, ErrConflict) {
		if err != nil {
			return fmt.Errorf("noting page %d: %w", h.SeqAsked, err)
		}
		return nil
	}
	var known PageState
	if _, err := c.get(ctx, partitionPages, name, &known); err != nil || !known.Archived {
		return err
	}
	if err := c.index.Delete(ctx, Item{Partition: partitionPending, Sort: name}); err != nil {
		return fmt.Errorf("noting page %d: %w", h.SeqAsked, err)
	}
	return nil
}

// FinishPage records what became of a page's envelopes. Everything that the
// page's readers need must be written before. A state that knows fewer parts of
// the segment than the recorded one comes late and changes nothing.
func (c *Catalog) FinishPage(ctx context.Context, s PageState) error {
	s.Archived = true
	name := seqName(s.SeqAsked)
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
	if err := c.index.Delete(ctx, Item{Partition: partitionPending, Sort: name}); err != nil {
		return fmt.Errorf("finishing page %d: %w", s.SeqAsked, err)
	}
	return nil
}

// putQuarantine lists a page in the quarantine, or takes it out.
func (c *Catalog) putQuarantine(ctx context.Context, name string, s PageState) error {
	var err error
	if s.troubled() {
		err = c.put(ctx, partitionQuarantine, name, s)
	} else {
		err = c.index.Delete(ctx, Item{Partition: partitionQuarantine, Sort: name})
	}
	if err != nil {
		return fmt.Errorf("finishing page %d: quarantine: %w", s.SeqAsked, err)
	}
	return nil
}

// replaceState writes the state of a page unless a newer one is recorded, and
// returns which is recorded then.
func (c *Catalog) replaceState(ctx context.Context, name string, s PageState) (recorded PageState, err error) {
	const tries = 20
	for range tries {
		var known PageState
		revision, err := c.get(ctx, partitionPages, name, &known)
		if err != nil {
			return s, err
		}
		if known.Archived && known.Parts > s.Parts {
			return known, nil
		}
		if known.RedriveAt.After(s.RedriveAt) {
			s.RedriveAt = known.RedriveAt
		}
		err = c.putIf(ctx, partitionPages, name, revision, s)
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, ErrConflict) {
			return s, fmt.Errorf("finishing page %d: %w", s.SeqAsked, err)
		}
	}
	return s, fmt.Errorf("finishing page %d: %d others were quicker: %w", s.SeqAsked, tries, ErrConflict)
}

// Page returns the state of the page asked at seq, or ErrNotFound.
func (c *Catalog) Page(ctx context.Context, asked uint64) (PageState, error) {
	var s PageState
	rev, err := c.get(ctx, partitionPages, seqName(asked), &s)
	if err == nil && rev == 0 {
		err = fmt.Errorf("page %d: %w", asked, ErrNotFound)
	}
	return s, err
}

// Pages returns at most limit pages, from seq from on.
func (c *Catalog) Pages(ctx context.Context, from uint64, limit int) ([]PageState, error) {
	return list[PageState](ctx, c, IndexQuery{Partition: partitionPages, From: seqName(from), Limit: limit})
}

// PendingPages returns at most limit pages without a finished segment, from seq
// from on.
func (c *Catalog) PendingPages(ctx context.Context, from uint64, limit int) ([]PageState, error) {
	return list[PageState](ctx, c, IndexQuery{Partition: partitionPending, From: seqName(from), Limit: limit})
}

// MarkQueued notes that a pending page was put on the queue again, so that a
// backlog is not queued once more by every run.
func (c *Catalog) MarkQueued(ctx context.Context, s PageState, at time.Time) error {
	s.QueuedAt = at.UTC()
	var now PageState
	rev, err := c.get(ctx, partitionPending, seqName(s.SeqAsked), &now)
	if err != nil || rev == 0 {
		return err // archived meanwhile
	}
	err = c.putIf(ctx, partitionPending, seqName(s.SeqAsked), rev, s)
	if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

// Quarantined returns at most limit pages that have unreadable envelopes, or
// damaged parts of their segment, from seq from on.
func (c *Catalog) Quarantined(ctx context.Context, from uint64, limit int) ([]PageState, error) {
	return list[PageState](ctx, c, IndexQuery{Partition: partitionQuarantine, From: seqName(from), Limit: limit})
}

// PutRun records a run of a stage for the status page.
func (c *Catalog) PutRun(ctx context.Context, r Run) error {
	return c.put(ctx, partitionRuns+r.Stage, fmt.Sprintf("%013d-%s", r.StartedAt.UnixMilli(), r.ID), r)
}

// Runs returns the last runs of a stage, newest first.
func (c *Catalog) Runs(ctx context.Context, stage string, limit int) ([]Run, error) {
	return list[Run](ctx, c, IndexQuery{Partition: partitionRuns + stage, Descending: true, Limit: limit})
}

// PutGap records a gap; of the records with the same Since the last one counts.
func (c *Catalog) PutGap(ctx context.Context, g Gap) error {
	return c.put(ctx, partitionGaps, fmt.Sprintf("%013d", g.Since.UnixMilli()), g)
}

// Gaps returns the known gaps, newest first.
func (c *Catalog) Gaps(ctx context.Context, limit int) ([]Gap, error) {
	return list[Gap](ctx, c, IndexQuery{Partition: partitionGaps, Descending: true, Limit: limit})
}

// Binding returns the id of the key that opens messages of a publickey_ver;
// empty if that is not known yet.
func (c *Catalog) Binding(ctx context.Context, version int64) (key string, err error) {
	var b KeyBinding
	_, err = c.get(ctx, partitionKeys, bindingName(version), &b)
	return b.Key, err
}

// Bind records a binding; a later one supersedes it.
func (c *Catalog) Bind(ctx context.Context, b KeyBinding) error {
	return c.put(ctx, partitionKeys, bindingName(b.PublicKeyVer), b)
}

// Bindings returns the known bindings in order of their version.
func (c *Catalog) Bindings(ctx context.Context, limit int) ([]KeyBinding, error) {
	return list[KeyBinding](ctx, c, IndexQuery{Partition: partitionKeys, From: "binding#", To: "binding$", Limit: limit})
}

func bindingName(version int64) string { return fmt.Sprintf("binding#%020d", version) }

// get decodes an item into v and returns its revision; 0, and v untouched, if
// there is none.
func (c *Catalog) get(ctx context.Context, partition, sort string, v any) (revision int64, err error) {
	item, err := c.index.Get(ctx, partition, sort)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading %s/%s of the index: %w", partition, sort, err)
	}
	if err := json.Unmarshal(item.Value, v); err != nil {
		return 0, fmt.Errorf("reading %s/%s of the index: %w: %w", partition, sort, ErrIndexDamaged, err)
	}
	return item.Revision, nil
}

func (c *Catalog) put(ctx context.Context, partition, sort string, v any) error {
	item, err := newItem(partition, sort, v)
	if err != nil {
		return err
	}
	if err := c.index.Put(ctx, item); err != nil {
		return fmt.Errorf("writing %s/%s of the index: %w", partition, sort, err)
	}
	return nil
}

func (c *Catalog) putIf(ctx context.Context, partition, sort string, revision int64, v any) error {
	item, err := newItem(partition, sort, v)
	if err != nil {
		return err
	}
	item.Revision = revision
	return c.index.PutIf(ctx, item)
}

func newItem(partition, sort string, v any) (Item, error) {
	value, err := json.Marshal(v)
	if err != nil {
		return Item{}, fmt.Errorf("encoding %s/%s for the index: %w", partition, sort, err)
	}
	return Item{Partition: partition, Sort: sort, Value: value}, nil
}

func list[T any](ctx context.Context, c *Catalog, q IndexQuery) ([]T, error) {
	items, err := c.index.Query(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("listing %s of the index: %w", q.Partition, err)
	}
	out := make([]T, len(items))
	for i, item := range items {
		if err := json.Unmarshal(item.Value, &out[i]); err != nil {
			return nil, fmt.Errorf("listing %s/%s of the index: %w: %w", q.Partition, item.Sort, ErrIndexDamaged, err)
		}
	}
	return out, nil
}
