package rebuild

import (
	"context"
	"errors"
	"fmt"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/plural"
	"wecom-archive/shared/reparse"
	"wecom-archive/shared/upkeep"
)

// Advise adds to an error of a Reindexer what to do.
func Advise(err error) error {
	if _, ahead := errors.AsType[*catalog.CursorAheadError](err); ahead {
		return fmt.Errorf("%w: is this the right bucket? If it is, wecom-archive reindex --drop goes on from what is stored", err)
	}
	return err
}

// Compactions are the runs of months.
type Compactions interface {
	Months(ctx context.Context) ([]compaction.State, error)
}

// Standing says in a line how far an order is that a function works on, from what
// stands in the index; empty: there is nothing to say yet.
func Standing(ctx context.Context, journal reparse.Journal, compactions Compactions, mode upkeep.Mode) (string, error) {
	switch mode {
	case upkeep.ModeReindex:
		var p progress
		if found, err := journal.Progress(ctx, progressName, &p); err != nil || !found {
			return "", err
		}
		return fmt.Sprintf("%s %s: %s, %s, %s", p.Phase, p.After, plural.Of(p.Report.Pages, "page"), plural.Of(p.Report.Events, "event"), plural.Of(p.Report.Names, "name")), nil
	case upkeep.ModeReparse:
		if line, err := reparse.Standing(ctx, journal); err != nil || line != "" {
			return line, err
		}
	}
	months, err := compactions.Months(ctx)
	if err != nil {
		return "", err
	}
	var rows int64
	line := ""
	for _, m := range months {
		for _, run := range m.Runs {
			rows += run.Rows
		}
		if m.Rebuild != nil && line == "" && mode != upkeep.ModeCompact {
			line = fmt.Sprintf("month %s again, up to %s", m.Month, m.Rebuild.After)
		}
	}
	if line == "" {
		line = plural.Of(rows, "message") + " compacted"
	}
	return line, nil
}
