package main

import (
	"context"
	"fmt"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/consent"
	"wecom-archive/shared/metrics"
	"wecom-archive/shared/reparse"
	"wecom-archive/shared/transcript"
	"wecom-archive/shared/upkeep"
)

// App is the function.
type App struct {
	compact.Config
	catalog    *catalog.Catalog
	compactor  *compact.Compactor
	transcript *transcript.Reader
	now        func() time.Time
	meter      *metrics.Writer
}

// NewApp makes the function. meter may be nil.
// What c says of the index is replaced: it is cat's.
func NewApp(cat *catalog.Catalog, c compact.Config, now func() time.Time, meter *metrics.Writer) *App {
	compactions := compaction.NewIndex(cat.Table)
	c.Conversations, c.People, c.Compactions = cat.Conversations, cat.People, compactions
	messages := transcript.New(transcript.Config{
		Objects: c.Objects, Derived: c.Derived,
		Conversations: cat.Conversations, Pages: cat.Pages, Compactions: compactions,
	})
	return &App{c, cat, compact.New(c), messages, now, meter}
}

// Event is what the function is started with. Without a mode, as the schedule's, it
// compacts what is not compacted yet.
type Event struct {
	Mode  upkeep.Mode `json:"mode"`
	Month string      `json:"month"` // of an upkeep.Order

	// Of a consent.Question.
	After  consent.Place         `json:"after"`
	Limit  int                   `json:"limit"`
	Status archive.ConsentStatus `json:"status"`
}

// Handle is the Lambda handler. It answers the schedule with a compact.Summary, an
// order with a upkeep.Answer, and a question with a consent.Reply.
func (a *App) Handle(ctx context.Context, event Event) (any, error) {
	switch event.Mode {
	case "":
		return a.compact(ctx)
	case upkeep.ModeCompact:
		sum, err := a.compact(ctx)
		if err != nil {
			return nil, err
		}
		return upkeep.NewAnswer(event.Mode, sum.More, sum)
	case upkeep.ModeRecompact:
		if err := checkMonth(event.Month); err != nil {
			return nil, err
		}
		started := a.now()
		sum, err := reparse.Recompact(ctx, a.catalog.People, a.catalog.Journal, a.compactor, event.Month, started)
		if err := a.done("compacted again", started, sum, err); err != nil {
			return nil, err
		}
		return upkeep.NewAnswer(event.Mode, sum.More, sum)
	case upkeep.ModeReparse:
		started := a.now()
		report, err := (&reparse.Reparser{
			Objects: a.Objects, Conversations: a.catalog.Conversations, People: a.catalog.People, Consents: a.catalog.Consents, Pages: a.catalog.Pages, Journal: a.catalog.Journal,
			Compactor: a.compactor, Transcript: a.transcript, Read: a.Read, Parser: a.Parser, Log: a.Log,
		}).Run(ctx, started)
		if err := a.done("reparsed", started, report.Summary, err); err != nil {
			return nil, err
		}
		return upkeep.NewAnswer(event.Mode, report.More, report)
	case consent.ModeConsent:
		return consent.Lister{Consents: a.catalog.Consents, People: a.catalog.People, Transcript: a.transcript}.
			Ask(ctx, consent.Question{After: event.After, Limit: event.Limit, Status: event.Status})
	}
	return nil, fmt.Errorf("mode %q is none of this version", event.Mode)
}

// compact merges what is not compacted yet.
func (a *App) compact(ctx context.Context) (compact.Summary, error) {
	started := a.now()
	sum, err := a.compactor.Run(ctx, started)
	return sum, a.done("compacted", started, sum, err)
}

// done measures and logs what a run did, and returns its error.
func (a *App) done(what string, started time.Time, sum compact.Summary, err error) error {
	a.meter.Put(metrics.Values{metrics.Compacted: float64(sum.Messages), metrics.Seconds: a.now().Sub(started).Seconds()})
	if err != nil {
		return err
	}
	a.Log.Info(what, "months", sum.Months, "parts", sum.Parts, "messages", sum.Messages, "rows", sum.Rows, "damaged", sum.Damaged, "more", sum.More)
	return nil
}

func checkMonth(month string) error {
	if month == compact.All {
		return nil
	}
	if _, err := time.Parse(archive.MonthLayout, month); err != nil {
		return fmt.Errorf("month %q: not of the form 2026-11", month)
	}
	return nil
}
