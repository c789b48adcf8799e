package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/user"
	"slices"
	"time"

	"github.com/google/uuid"

	"wecom-archive/infra/local"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/program"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/rebuild"
	"wecom-archive/shared/reparse"
	"wecom-archive/shared/upkeep"
	"wecom-archive/shared/wecom"
)

// pullCommand pulls once.
type pullCommand struct {
	target `embed:""`
	Corpus string `type:"existingfile" help:"With --dir: the file that the archive was made of, if it was."`
}

func (c *pullCommand) Run(ctx context.Context, to streams) error {
	pull := func(o *opened) error {
		run, err := o.pull(ctx)
		if err != nil {
			if run.Remedy != "" {
				err = fmt.Errorf("%w\n%s", err, run.Remedy)
			}
			return err
		}
		if err := o.drain(ctx); err != nil {
			return err
		}
		return printJSON(to.Out, run)
	}
	if c.Dir == "" {
		return c.with(ctx, to, pull)
	}
	system, err := local.Reopen(ctx, local.Config{Dir: c.Dir, Corpus: c.Corpus, Program: program.Version(), Log: newLogger(to.Err, c.Verbose), Now: time.Now})
	if err != nil {
		return err
	}
	return errors.Join(pull(openedFolder(system)), system.Close())
}

func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// reindexCommand makes the index again.
type reindexCommand struct {
	target `embed:""`
	Drop   bool `help:"Empty the index first, so that nothing stays in it that no object accounts for."`
}

func (c *reindexCommand) Run(ctx context.Context, to streams) error {
	return c.with(ctx, to, func(o *opened) error {
		if o.Remote != nil {
			var report rebuild.Report
			return o.Remote.order(ctx, to, upkeep.Order{Mode: upkeep.ModeReindex, Drop: c.Drop, By: "reindex-" + uuid.NewString()}, &report)
		}
		report, err := rebuild.NewReindexer(rebuild.Config{
			Corp: o.Corp, Objects: o.Objects, Versions: o.Versions, Catalog: o.Catalog, Dropper: o.Dropper, Queue: o.Queue, Now: time.Now, Log: o.Log,
		}).Run(ctx, c.Drop)
		switch {
		case ctx.Err() != nil:
			return errInterrupted
		case err != nil:
			return rebuild.Advise(err)
		}
		if err := o.drain(ctx); err != nil {
			return err
		}
		return printJSON(to.Out, report)
	})
}

// redriveCommand has pages tried again.
type redriveCommand struct {
	target `embed:""`
	Page   *uint64         `xor:"what" placeholder:"SEQ" help:"The page that was asked for at this seq."`
	Reason archive.Outcome `xor:"what" placeholder:"REASON" help:"Pages with messages that are unreadable for this reason: unknown_key_version, bad_random_key, bad_message, library_crash, seq_out_of_range."`
	All    bool            `xor:"what" help:"All pages with messages that are unreadable."`
	Media  bool            `xor:"what" help:"Files that failed: they are fetched again, if WeCom still has them."`
}

// Validate refuses what redrives nothing, or more than was meant.
func (c *redriveCommand) Validate() error {
	reasons := []archive.Outcome{"", archive.OutcomeUnknownKey, archive.OutcomeBadKey, archive.OutcomeBadMessage, archive.OutcomeCrash, archive.OutcomeBadSeq}
	switch {
	case !slices.Contains(reasons, c.Reason):
		return fmt.Errorf("--reason %s: one of %v", c.Reason, reasons[1:])
	case c.Page == nil && c.Reason == "" && !c.All && !c.Media:
		return errors.New("give --page, --reason, --all or --media")
	}
	return nil
}

func (c *redriveCommand) Run(ctx context.Context, to streams) error {
	return c.with(ctx, to, func(o *opened) error {
		r := &rebuild.Redriver{Corp: o.Corp, Objects: o.Objects, Pages: o.Catalog.Pages, Media: o.Catalog.Media, Queue: o.Queue, Now: time.Now, NewID: uuid.NewString}
		pages, err := r.Run(ctx, rebuild.Selection{Page: c.Page, Reason: c.Reason, Media: c.Media}, operator())
		if err != nil {
			return err
		}
		if err := o.drain(ctx); err != nil {
			return err
		}
		return printJSON(to.Out, struct {
			Pages int `json:"pages"`
		}{pages})
	})
}

// operator is who runs the command, for the record: the machine's word, no proof.
func operator() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// compactCommand puts conversations together.
type compactCommand struct {
	target  `embed:""`
	Rebuild bool   `help:"Make what is compacted again, from the segments alone."`
	Month   string `placeholder:"YYYY-MM" help:"With --rebuild: this month only, by pull date."`
}

// Validate refuses a month that is none.
func (c *compactCommand) Validate() error {
	if c.Month == "" {
		return nil
	}
	if !c.Rebuild {
		return errors.New("--month goes with --rebuild")
	}
	if _, err := time.Parse(archive.MonthLayout, c.Month); err != nil {
		return fmt.Errorf("--month %s: not of the form 2026-11", c.Month)
	}
	return nil
}

func (c *compactCommand) Run(ctx context.Context, to streams) error {
	return c.with(ctx, to, func(o *opened) error {
		switch {
		case c.Rebuild && o.Remote != nil:
			return o.Remote.order(ctx, to, upkeep.Order{Mode: upkeep.ModeRecompact, Month: c.Month}, new(compact.Summary))
		case c.Rebuild:
			summary, err := reparse.Recompact(ctx, o.Catalog.People, o.Catalog.Journal, o.compactor(), c.Month, time.Now())
			if err != nil {
				return err
			}
			return printJSON(to.Out, summary)
		case o.Remote != nil: // the puller looks over the keys daily
			return o.Remote.order(ctx, to, upkeep.Order{Mode: upkeep.ModeCompact}, new(compact.Summary))
		}
		summary, err := o.compactor().Run(ctx, time.Now())
		if err != nil {
			return err
		}
		// A look over all keys, while one is at it.
		count, err := catalog.RecordIncidents(ctx, o.Versions, o.Objects, o.Catalog.Journal, o.Corp, "")
		if err != nil {
			return err
		}
		return printJSON(to.Out, struct {
			compact.Summary
			Incidents int `json:"incidents"` // delete markers and later versions in the archive bucket
		}{summary, count.Found})
	})
}

// reparseCommand reads all messages again with the parser of this program.
type reparseCommand struct {
	target `embed:""`
}

func (c *reparseCommand) Run(ctx context.Context, to streams) error {
	return c.with(ctx, to, func(o *opened) error { return runReparse(ctx, o, to) })
}

func runReparse(ctx context.Context, o *opened, to streams) error {
	if o.Remote != nil {
		return o.Remote.order(ctx, to, upkeep.Order{Mode: upkeep.ModeReparse}, new(reparse.Report))
	}
	report, err := (&reparse.Reparser{
		Objects: o.Objects, Conversations: o.Catalog.Conversations, People: o.Catalog.People, Consents: o.Catalog.Consents, Pages: o.Catalog.Pages, Journal: o.Catalog.Journal,
		Compactor: o.compactor(), Transcript: o.transcript(),
		Read: reading.Read, Parser: wecom.ParserVersion, Log: o.Log,
	}).Run(ctx, time.Now())
	if err != nil {
		return err
	}
	return printJSON(to.Out, report)
}

func (o *opened) compactor() *compact.Compactor {
	return compact.New(compact.Config{
		Objects: o.Objects, Derived: o.Derived, Program: program.Version(),
		Conversations: o.Catalog.Conversations, People: o.Catalog.People, Compactions: compaction.NewIndex(o.Catalog.Table),
		Read: reading.Read, Parser: wecom.ParserVersion, Log: o.Log,
	})
}
