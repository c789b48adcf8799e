package catalog

import (
	"context"
	"fmt"

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
