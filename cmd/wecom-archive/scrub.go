package main

import (
	"context"
	"errors"

	"wecom-archive/infra/local"
	"wecom-archive/shared/scrub"
)

// scrubCommand reads the whole archive again.
type scrubCommand struct {
	target `embed:""`
}

// errDamaged makes scrub exit with 1 if something is not as it must be.
var errDamaged = errors.New("not all is as it must be: see wecom-archive damage")

func (c *scrubCommand) Run(ctx context.Context, to streams) error {
	if c.Dir == "" && (c.Stack != "" || c.AWS.Bucket != "") {
		return errors.New("--stack: no role for people reads messages; the stack reads a share of the archive again each day by itself, and the status says how far it is")
	}
	return c.with(ctx, to, func(o *opened) error {
		return runScrub(ctx, o.system, to)
	})
}

func runScrub(ctx context.Context, system *local.System, to streams) error {
	all, files, err := system.Scrub(ctx)
	if err != nil {
		return err
	}
	if err := printJSON(to.Out, struct {
		Archive scrub.Report `json:"archive"`
		Files   scrub.Report `json:"files"`
	}{all, files}); err != nil {
		return err
	}
	if all.Damaged+files.Damaged > 0 {
		return errDamaged
	}
	return nil
}
