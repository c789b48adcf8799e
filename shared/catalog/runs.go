package catalog

import (
	"context"
	"fmt"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// PutRun records a run of a stage for the status page.
func (c *Journal) PutRun(ctx context.Context, r archive.Run) error {
	return c.table.Write(ctx, partitionRuns+r.Stage, fmt.Sprintf("%013d-%s", r.StartedAt.UnixMilli(), r.ID), r)
}

// Runs returns the last runs of a stage, newest first.
func (c *Journal) Runs(ctx context.Context, stage string, limit int) ([]archive.Run, error) {
	return table.List[archive.Run](ctx, c.table, store.IndexQuery{Partition: partitionRuns + stage, Descending: true, Limit: limit})
}

// RunsBefore returns runs of a stage, newest first, of those that started before
// the run that next names; empty: from the newest. next is empty at the end.
func (c *Journal) RunsBefore(ctx context.Context, stage, before string, limit int) (runs []archive.Run, next string, err error) {
	return table.ListBefore[archive.Run](ctx, c.table, partitionRuns+stage, before, limit)
}

// PutGap records a gap; of the records with the same Since the last one counts.
func (c *Journal) PutGap(ctx context.Context, g archive.Gap) error {
	return c.table.Write(ctx, partitionGaps, fmt.Sprintf("%013d", g.Since.UnixMilli()), g)
}

// Gaps returns the known gaps, newest first.
func (c *Journal) Gaps(ctx context.Context, limit int) ([]archive.Gap, error) {
	return table.List[archive.Gap](ctx, c.table, store.IndexQuery{Partition: partitionGaps, Descending: true, Limit: limit})
}

// GapsBefore is like RunsBefore, for gaps.
func (c *Journal) GapsBefore(ctx context.Context, before string, limit int) (gaps []archive.Gap, next string, err error) {
	return table.ListBefore[archive.Gap](ctx, c.table, partitionGaps, before, limit)
}

// Progress reads how far a rebuild of this name is; found is false if none is
// under way.
func (c *Journal) Progress(ctx context.Context, name string, progress any) (found bool, err error) {
	revision, err := c.table.Read(ctx, partitionRebuild, name, progress)
	return revision > 0, err
}

// SaveProgress saves how far a rebuild is.
func (c *Journal) SaveProgress(ctx context.Context, name string, progress any) error {
	return c.table.Write(ctx, partitionRebuild, name, progress)
}

// ForgetProgress says that a rebuild is done.
func (c *Journal) ForgetProgress(ctx context.Context, name string) error {
	if err := c.table.Delete(ctx, store.Item{Partition: partitionRebuild, Sort: name}); err != nil {
		return fmt.Errorf("ending %s: %w", name, err)
	}
	return nil
}
