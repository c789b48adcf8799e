package compact

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/damage"
)

// stage is who says what was found and mended here.
const stage = "compactor"

// Damage keeps what is not as it must be, until it is (*damage.Book).
type Damage interface {
	Report(ctx context.Context, f archive.Finding) error
	Mended(ctx context.Context, f archive.Finding, by string) error
	List(ctx context.Context, as archive.ClosedAs, after string, limit int) ([]damage.Entry, string, error)
}

// brokenRun is an error of a run that cannot be read.
type brokenRun struct {
	key string // of the object, or of the run
	err error
}

func (b *brokenRun) Error() string { return b.err.Error() }
func (b *brokenRun) Unwrap() error { return b.err }

// findings are those of what is compacted that did not end, or that somebody took note
// of, by id.
func (c *Compactor) findings(ctx context.Context) (map[string]archive.Finding, error) {
	all := map[string]archive.Finding{}
	if c.Damage == nil {
		return all, nil
	}
	for _, as := range []archive.ClosedAs{"", archive.Acknowledged} {
		for after := ""; ; {
			entries, next, err := c.Damage.List(ctx, as, after, 1000)
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				if e.Finding.Where == archive.InDerived {
					all[e.ID] = e.Finding
				}
			}
			if after = next; next == "" {
				break
			}
		}
	}
	return all, nil
}

// report notes what is wrong. What nobody can write down is made again all the same.
func (c *Compactor) report(ctx context.Context, open map[string]archive.Finding, found ...archive.Finding) {
	for _, f := range found {
		c.Log.Error("what is compacted is not as it must be", "kind", f.Kind, "key", f.Key, "detail", f.Detail)
		open[f.ID()] = f
		if c.Damage == nil {
			continue
		}
		if err := c.Damage.Report(ctx, f); err != nil {
			c.Log.Error("recording what is wrong failed", "key", f.Key, "error", err)
		}
	}
}

// mended ends the findings of a month, and says how many there were.
func (c *Compactor) mended(ctx context.Context, open map[string]archive.Finding, month string) (n int, err error) {
	for id, f := range open {
		if !ofMonth(f.Key, month) {
			continue
		}
		if c.Damage != nil {
			if err := c.Damage.Mended(ctx, f, stage); err != nil {
				return n, fmt.Errorf("noting that %s is whole: %w", f.Key, err)
			}
		}
		delete(open, id)
		n++
	}
	return n, nil
}

// renew begins to make a month again from its segments, whatever is there.
func (c *Compactor) renew(ctx context.Context, month string) (compaction.State, error) {
	aliases, err := c.People.Aliases(ctx)
	if err != nil {
		return compaction.State{}, err
	}
	m, err := c.Compactions.Month(ctx, month)
	if err != nil && !cannotRead(err) {
		return m, err
	}
	m.Rebuild = &compaction.Rebuild{Parser: c.Parser, Aliases: len(aliases)}
	return c.Compactions.PutMonth(ctx, m)
}

// monthOrRenew is month. A run that cannot be merged has the month made again from its
// segments, once.
func (c *Compactor) monthOrRenew(ctx context.Context, now time.Time, m compaction.State, open map[string]archive.Finding, sum *Summary) (goOn bool, err error) {
	renewed := m.Rebuild != nil
	goOn, err = c.month(ctx, now, m, sum)
	if broken := (*brokenRun)(nil); errors.As(err, &broken) && ctx.Err() == nil {
		k := checkup{c: c}
		k.note(broken.key, broken.err)
		c.report(ctx, open, k.found...)
		if m, err = c.renew(ctx, m.Month); err != nil {
			return false, err
		}
		sum.Months-- // it is counted once
		renewed = true
		goOn, err = c.month(ctx, now, m, sum)
	}
	if err != nil || !goOn || !renewed {
		return goOn, err
	}
	n, err := c.mended(ctx, open, m.Month)
	if n > 0 {
		sum.Renewed = joined(sum.Renewed, m.Month)
	}
	return goOn, err
}

// run is Run.
func (c *Compactor) run(ctx context.Context, now time.Time, sum *Summary) error {
	open, err := c.findings(ctx)
	if err != nil {
		return err
	}
	suspects := map[string]bool{}
	for _, f := range open {
		suspects[f.Key] = true
	}
	wrong, err := c.checkMonths(ctx, now, suspects)
	if err != nil {
		return err
	}
	for _, month := range slices.Sorted(maps.Keys(wrong)) { // at once: there may be no time for all
		c.report(ctx, open, wrong[month]...)
	}
	return c.eachMonth(ctx, now, func(month string) (bool, error) {
		found, checked := wrong[month]
		m, err := c.Compactions.Month(ctx, month)
		switch {
		case err != nil && cannotRead(err), err == nil && len(found) > 0 && m.Rebuild == nil:
			m, err = c.renew(ctx, month)
		case err == nil && m.Rebuild != nil: // begun by an older program, perhaps
			m, err = c.startRebuild(ctx, month)
		}
		if err != nil {
			return false, err
		}
		if checked && len(found) == 0 {
			if _, err := c.mended(ctx, open, month); err != nil {
				return false, err
			}
		}
		if m.Closed && m.Rebuild == nil && len(m.Replaced) == 0 && now.Sub(m.ListedAt) < relist {
			return true, nil
		}
		return c.monthOrRenew(ctx, now, m, open, sum)
	})
}

// joined is a list with commas.
func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", " + b
}
