package catalog

import (
	"context"

	"wecom-archive/shared/archive"
)

// SaveCheckup keeps the newest checkup of its place in the index.
func (c *Journal) SaveCheckup(ctx context.Context, checkup archive.Checkup) error {
	return c.table.Write(ctx, partitionCheckup, checkup.Where, checkup)
}

// LastCheckup returns the newest checkup of a place; found is false if none is known.
func (c *Journal) LastCheckup(ctx context.Context, where string) (checkup archive.Checkup, found bool, err error) {
	revision, err := c.table.Read(ctx, partitionCheckup, where, &checkup)
	return checkup, revision > 0, err
}
