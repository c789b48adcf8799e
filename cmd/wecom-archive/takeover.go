package main

import (
	"context"
	"time"

	"wecom-archive/infra/local"
	"wecom-archive/shared/program"
	"wecom-archive/shared/rebuild"
)

// takeoverCommand makes a folder of this version of an older one.
type takeoverCommand struct {
	Dir     string `required:"" type:"path" placeholder:"DIR" help:"The folder. No other wecom-archive may be at work in it."`
	Verbose bool   `short:"v" help:"Log what is done."`
}

func (c *takeoverCommand) Run(ctx context.Context, to streams) error {
	taken, err := local.TakeOver(ctx, local.Config{Dir: c.Dir, Program: program.Version(), Log: newLogger(to.Err, c.Verbose), Now: time.Now})
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case err != nil:
		return rebuild.Advise(err)
	}
	return printJSON(to.Out, taken)
}
