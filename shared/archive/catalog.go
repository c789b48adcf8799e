package archive

import (
	"context"
	"fmt"
	"time"

	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// Catalog is what the index holds, by name. docs/format.md lists its partitions
// and sort keys; nothing else knows them.
type Catalog struct {
	Table table.Table // what rooms above this one keep their own items in
}

// NewCatalog reads and writes the catalog in index.
func NewCatalog(index store.Index) *Catalog { return &Catalog{Table: table.Table{Index: index}} }

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
	partitionCheckup    = "checkup"
	partitionCompacted  = "compacted#" // + yyyy-mm
	partitionOpen       = "open"       // parts of segments that are in no run yet, by their keys
)

// Cursor is how far the stream of the corp is stored. Only pages move it; the
// totals are those of the pages it passed.
type Cursor struct {
	Seq       uint64    `json:"seq"`
	Page      uint64    `json:"page"` // seq asked of the last page, whose end Seq is
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
		Page:      page.SeqAsked,
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
	rev, err := c.Table.Read(ctx, partitionPuller, "cursor", &cur)
	cur.revision = rev
	return cur, err
}

// AdvanceCursor moves the cursor over the page that was asked for at its seq. It
// returns ErrConflict if somebody else moved it first.
func (c *Catalog) AdvanceCursor(ctx context.Context, from Cursor, page PageHeader) (Cursor, error) {
	if page.SeqAsked != from.Seq || page.LastSeq <= from.Seq {
		return from, fmt.Errorf("moving the cursor from %d over the page asked at %d that ends at %d: %w",
			from.Seq, page.SeqAsked, page.LastSeq, store.ErrDamaged)
	}
	next := from.over(page)
	if err := c.Table.WriteIf(ctx, partitionPuller, "cursor", from.revision, next); err != nil {
		return from, fmt.Errorf("moving the cursor from %d to %d: %w", from.Seq, page.LastSeq, err)
	}
	return next, nil
}

// PutRun records a run of a stage for the status page.
func (c *Catalog) PutRun(ctx context.Context, r Run) error {
	return c.Table.Write(ctx, partitionRuns+r.Stage, fmt.Sprintf("%013d-%s", r.StartedAt.UnixMilli(), r.ID), r)
}

// Runs returns the last runs of a stage, newest first.
func (c *Catalog) Runs(ctx context.Context, stage string, limit int) ([]Run, error) {
	return table.List[Run](ctx, c.Table, store.IndexQuery{Partition: partitionRuns + stage, Descending: true, Limit: limit})
}

// RunsBefore returns runs of a stage, newest first, of those that started before
// the run that next names; empty: from the newest. next is empty at the end.
func (c *Catalog) RunsBefore(ctx context.Context, stage, before string, limit int) (runs []Run, next string, err error) {
	return table.ListBefore[Run](ctx, c.Table, partitionRuns+stage, before, limit)
}

// PutGap records a gap; of the records with the same Since the last one counts.
func (c *Catalog) PutGap(ctx context.Context, g Gap) error {
	return c.Table.Write(ctx, partitionGaps, fmt.Sprintf("%013d", g.Since.UnixMilli()), g)
}

// Gaps returns the known gaps, newest first.
func (c *Catalog) Gaps(ctx context.Context, limit int) ([]Gap, error) {
	return table.List[Gap](ctx, c.Table, store.IndexQuery{Partition: partitionGaps, Descending: true, Limit: limit})
}

// GapsBefore is like RunsBefore, for gaps.
func (c *Catalog) GapsBefore(ctx context.Context, before string, limit int) (gaps []Gap, next string, err error) {
	return table.ListBefore[Gap](ctx, c.Table, partitionGaps, before, limit)
}

// Binding returns the id of the key that opens messages of a publickey_ver;
// empty if that is not known yet.
func (c *Catalog) Binding(ctx context.Context, version int64) (key string, err error) {
	var b KeyBinding
	_, err = c.Table.Read(ctx, partitionKeys, bindingName(version), &b)
	return b.Key, err
}

// Bind records a binding; a later one supersedes it.
func (c *Catalog) Bind(ctx context.Context, b KeyBinding) error {
	return c.Table.Write(ctx, partitionKeys, bindingName(b.PublicKeyVer), b)
}

// Bindings returns the known bindings in order of their version.
func (c *Catalog) Bindings(ctx context.Context, limit int) ([]KeyBinding, error) {
	return table.List[KeyBinding](ctx, c.Table, store.IndexQuery{Partition: partitionKeys, From: "binding#", To: "binding$", Limit: limit})
}

func bindingName(version int64) string { return fmt.Sprintf("binding#%020d", version) }
