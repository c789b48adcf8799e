package rebuild

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
)

// Mode is what is to be made again, or, Compact, made at all.
type Mode string

// Modes. A function of the stack has the rights for each of them: the compactor for
// all but Reindex, which the reindexer has.
const (
	ModeCompact   Mode = "compact"   // what is not compacted yet
	ModeRecompact Mode = "recompact" // compacted months, from the segments
	ModeReparse   Mode = "reparse"
	ModeReindex   Mode = "reindex"
)

// Order is what the command asks a function for. The function works for as long as it
// may; the same order again goes on from there.
type Order struct {
	Mode  Mode   `json:"mode,omitempty"`
	Month string `json:"month,omitempty"` // 2026-11, with ModeRecompact: this one only
	Drop  bool   `json:"drop,omitempty"`  // with ModeReindex: empty the index first
	By    string `json:"by,omitempty"`    // with ModeReindex: who goes on; between two orders by the same nobody pulls
}

// Answer is what a function says to an Order.
type Answer struct {
	Mode   Mode            `json:"mode"`            // that was ordered
	More   bool            `json:"more"`            // the order must be given again
	Report json.RawMessage `json:"report"`          // of the mode; what was done so far, but with ModeCompact what this invocation did
	Queue  []string        `json:"queue,omitempty"` // pages for the archiver's queue, which the reindexer does not reach
}

// NewAnswer makes an Answer.
func NewAnswer(mode Mode, more bool, report any, queue ...string) (Answer, error) {
	text, err := json.Marshal(report)
	if err != nil {
		return Answer{}, fmt.Errorf("answering %s: %w", mode, err)
	}
	return Answer{Mode: mode, More: more, Report: text, Queue: queue}, nil
}

// margin is how long before the deadline nothing new begins.
const margin = time.Minute

// DeadlineNear says that there is no time left for another step.
func DeadlineNear(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < margin
}

// Advise adds to an error of a Reindexer what to do.
func Advise(err error) error {
	if _, ahead := errors.AsType[*catalog.CursorAheadError](err); ahead {
		return fmt.Errorf("%w: is this the right bucket? If it is, wecom-archive reindex --drop goes on from what is stored", err)
	}
	return err
}

// Standing says in a line how far an order is that a function works on, from what
// stands in the index; empty: there is nothing to say yet.
func Standing(ctx context.Context, catalog *catalog.Catalog, mode Mode) (string, error) {
	switch mode {
	case ModeReindex:
		var p progress
		if found, err := catalog.Journal.Progress(ctx, progressName, &p); err != nil || !found {
			return "", err
		}
		return fmt.Sprintf("%s %s: %d pages, %d events, %d names", p.Phase, p.After, p.Report.Pages, p.Report.Events, p.Report.Names), nil
	case ModeReparse:
		var p reparsing
		found, err := catalog.Journal.Progress(ctx, reparseName, &p)
		if err != nil || found && p.Compacted {
			return fmt.Sprintf("lists of conversations, up to %s", p.Listed), err
		}
	}
	months, err := compaction.NewIndex(catalog.Table).Months(ctx)
	if err != nil {
		return "", err
	}
	var rows int64
	line := ""
	for _, m := range months {
		for _, run := range m.Runs {
			rows += run.Rows
		}
		if m.Rebuild != nil && line == "" && mode != ModeCompact {
			line = fmt.Sprintf("month %s again, up to %s", m.Month, m.Rebuild.After)
		}
	}
	if line == "" {
		line = fmt.Sprintf("%d messages compacted", rows)
	}
	return line, nil
}
