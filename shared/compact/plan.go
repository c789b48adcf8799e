package compact

import (
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
)

// plan is what a round does: merge the batch with inputs, leave keep alone.
type plan struct {
	merge        bool
	takeOver     bool // with what the runs of before have of lost parts
	inputs, keep []compaction.Run
	next         state
}

// state is a month's state in the making.
type state struct{ compaction.State }

// planOf decides which runs the parts of a batch are merged with.
func planOf(m *compaction.State, b *batch, now time.Time) plan {
	p := plan{next: state{*m}}
	p.next.Replaced = slices.Clone(m.Replaced)
	runs := m.Runs
	if m.Rebuild != nil {
		rebuild := *m.Rebuild
		p.next.Rebuild, runs = &rebuild, rebuild.Runs
	}
	over := b.exhausted && isOver(m.Month, now)
	closing := over && (!m.Closed || m.Rebuild != nil)
	if over {
		p.next.Closed = true
	}
	fresh := b.sorter.rows
	if m.Rebuild != nil {
		lose(p.next.Rebuild, b.lost())
		p.takeOver = b.exhausted && (p.next.Rebuild.ManyLost || len(p.next.Rebuild.Lost) > 0)
	}
	if fresh == 0 && !p.takeOver && (!closing || len(runs) < 2) {
		p.keep = runs
		return p
	}
	p.merge = true
	switch {
	case len(runs) == 0:
	case closing, (newer(runs)+fresh)*4 >= runs[0].Rows:
		p.inputs = runs
	default:
		p.keep, p.inputs = runs[:1], runs[1:]
	}
	return p
}

// newer counts the rows of all runs but the first.
func newer(runs []compaction.Run) (rows int64) {
	for _, run := range runs[1:] {
		rows += run.Rows
	}
	return rows
}

// isOver says whether no page of the month is pulled any more.
func isOver(month string, now time.Time) bool {
	start, err := time.Parse(archive.MonthLayout, month)
	return err == nil && now.After(start.AddDate(0, 1, 0).Add(graceMonth))
}

// set puts runs in place of those that are there.
func (s *state) set(rebuild bool, runs []compaction.Run) {
	if rebuild {
		s.Rebuild.Runs = runs
	} else {
		s.Runs = runs
	}
}

// finishRebuild makes the runs of the rebuild those that readers see.
func (s *state) finishRebuild(now time.Time) {
	s.Runs, s.Rebuild = s.Rebuild.Runs, nil
}

// replace notes which of the runs that readers saw in old they no longer see.
func (s *state) replace(old *compaction.State, now time.Time) {
	for _, run := range old.Runs {
		if !slices.ContainsFunc(s.Runs, func(r compaction.Run) bool { return r.ID == run.ID }) {
			s.Replaced = append(s.Replaced, compaction.ReplacedRun{ID: run.ID, At: now.UTC()})
		}
	}
}
