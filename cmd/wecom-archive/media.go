package main

import (
	"context"
	"encoding/json"

	"wecom-archive/shared/archive"
)

// mediaCommand lists files that are lost or failed.
type mediaCommand struct {
	target `embed:""`
	Failed bool `xor:"what" help:"Only those that failed, which redrive --media tries again."`
	Lost   bool `xor:"what" help:"Only those that WeCom no longer has."`
}

// Run prints one JSON object a line, the newest first.
func (c *mediaCommand) Run(ctx context.Context, to streams) error {
	return c.with(ctx, to, func(o *opened) error {
		lines := json.NewEncoder(to.Out)
		for before := ""; ; {
			troubles, next, err := o.Catalog.Media.MediaTroublesBefore(ctx, before, 500)
			if err != nil {
				return err
			}
			for _, t := range troubles {
				if c.Failed && t.State != archive.MediaFailed || c.Lost && t.State != archive.MediaLost {
					continue
				}
				if err := lines.Encode(t); err != nil {
					return err
				}
			}
			if next == "" {
				return nil
			}
			before = next
		}
	})
}
