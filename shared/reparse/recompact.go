package reparse

import (
	"context"
	"fmt"
	"time"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
)

const recompactName = "recompact"

// months is how far the compacted months are made again: those up to Month are, by
// this parser and with so many aliases known.
type months struct {
	Parser  int             `json:"parser"`
	Aliases int             `json:"aliases"`
	Only    string          `json:"only,omitempty"`  // 2026-11: of this month alone
	Month   string          `json:"month,omitempty"` // 2026-11
	Begun   string          `json:"begun,omitempty"` // the one that there was no time for all of
	Summary compact.Summary `json:"summary"`
}

// again makes those again that are not yet, and calls save after each. done is false
// if the deadline of ctx came near.
func (m *months) again(ctx context.Context, c *compact.Compactor, now time.Time, save func(context.Context) error) (done bool, err error) {
	all, err := c.Months(ctx, now)
	if err != nil {
		return false, err
	}
	for _, month := range all {
		if month <= m.Month || m.Only != compact.All && month != m.Only {
			continue
		}
		do := c.Rebuild
		if month == m.Begun {
			do = c.Continue
		}
		sum, err := do(ctx, month, now)
		if err != nil {
			return false, err
		}
		if sum.More {
			m.Begun = month
			sum.Months-- // it is counted when it is done
		} else {
			m.Month = month
		}
		m.Summary = m.Summary.Plus(sum)
		if err := save(ctx); err != nil || sum.More {
			return false, err
		}
	}
	m.Summary.More = false
	return true, nil
}

// goesOn says whether a rebuild by an earlier program, or when fewer aliases were
// known, can be gone on with.
func (m *months) goesOn(parser int, aliases catalog.Aliases) bool {
	return m.Parser == parser && m.Aliases == len(aliases)
}

// Recompact makes a month (2026-11), or compact.All, again from the segments alone.
// If the deadline of ctx comes near it stops, with More, and the next one goes on; one
// that broke off, too.
func Recompact(ctx context.Context, people People, journal Journal, c *compact.Compactor, month string, now time.Time) (compact.Summary, error) {
	aliases, err := people.Aliases(ctx)
	if err != nil {
		return compact.Summary{}, err
	}
	var m months
	if found, err := journal.Progress(ctx, recompactName, &m); err != nil {
		return compact.Summary{}, err
	} else if !found || m.Only != month || !m.goesOn(c.Parser, aliases) {
		m = months{Parser: c.Parser, Aliases: len(aliases), Only: month}
	}
	done, err := m.again(ctx, c, now, func(ctx context.Context) error { return journal.SaveProgress(ctx, recompactName, m) })
	if err == nil && done {
		err = journal.ForgetProgress(ctx, recompactName)
	}
	if err != nil {
		return m.Summary, fmt.Errorf("compacting again: %w", err)
	}
	return m.Summary, nil
}
