package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/damage"
)

// damageCommand is about what is not as it must be.
type damageCommand struct {
	List        damageListCommand        `cmd:"" default:"withargs" help:"List it."`
	Acknowledge damageAcknowledgeCommand `cmd:"" help:"Take note of something that nothing mends; its alarm ends, and the reason stays on record for ever."`
}

type damageListCommand struct {
	target `embed:""`
	form   `embed:""`
	State  string `enum:"open,acknowledged,mended" default:"open" help:"open, acknowledged or mended."`
}

// damagedLine is a finding in a list.
type damagedLine struct{ damage.Entry }

func (l damagedLine) fields() []string {
	f := l.Finding
	stretch := ""
	if f.Kind == archive.Hole {
		stretch = fmt.Sprintf("after %d up to %d", f.From, f.To)
	}
	return []string{l.ID, string(f.Where), string(f.Kind), f.Key, stretch, f.Noticed.UTC().Format(time.RFC3339), f.By, l.By, l.Reason}
}

func (c *damageListCommand) Run(ctx context.Context, to streams) error {
	return c.with(ctx, to, func(o *opened) error {
		book := damage.New(o.Objects, o.Catalog.Table, o.Corp, time.Now)
		state := archive.ClosedAs(c.State)
		if c.State == "open" {
			state = ""
		}
		list := newLister(c.form, []string{"id", "where", "what", "key", "seqs", "noticed", "by", "ended by", "reason"}, to.Out)
		for after := ""; ; {
			entries, next, err := book.List(ctx, state, after, listPage)
			if err != nil {
				return err
			}
			lines := make([]listed, len(entries))
			for i, e := range entries {
				lines[i] = damagedLine{e}
			}
			if err := list.write(lines); err != nil {
				return err
			}
			if after = next; next == "" {
				return nil
			}
		}
	})
}

type damageAcknowledgeCommand struct {
	target `embed:""`
	ID     string `arg:"" help:"As the list says it."`
	Reason string `required:"" help:"Why nothing mends it. Never what messages say."`
}

func (c *damageAcknowledgeCommand) Run(ctx context.Context, to streams) error {
	return c.with(ctx, to, func(o *opened) error {
		err := damage.New(o.Objects, o.Catalog.Table, o.Corp, time.Now).Acknowledge(ctx, c.ID, operator(), c.Reason)
		if errors.Is(err, damage.ErrUnknown) {
			return fmt.Errorf("%w: wecom-archive damage lists those that are", err)
		}
		return err
	})
}
