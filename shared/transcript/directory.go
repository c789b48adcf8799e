package transcript

import (
	"context"
	"fmt"
	"slices"

	"wecom-archive/shared/compaction"
	"wecom-archive/shared/store"
)

// directory is what was read of the directory of a run: row groups that follow each
// other, read from where the conversation's messages of some time are, as far as
// somebody walks.
type directory struct {
	sources    *sources
	month      string
	run        compaction.Run
	groups     []compaction.RowGroup // in order
	read       bool
	start, end bool // nothing is before, behind groups
}

// Entries are long: few are asked for at a time.
const (
	groupsAtFirst = 2
	groupsLater   = 8
)

func (s *sources) directory(month string, run compaction.Run) *directory {
	d, ok := s.runs[run.ID]
	if !ok {
		d = &directory{sources: s, month: month, run: run}
		s.runs[run.ID] = d
	}
	return d
}

// seek reads the first row groups from a time (ms) of the conversation on.
func (d *directory) seek(ctx context.Context, ms int64) error {
	if d.read {
		return nil
	}
	d.sources.spent++
	groups, err := d.sources.reader.Compactions.RowGroupsFrom(ctx, d.run.ID, d.sources.conversation, ms, groupsAtFirst)
	if err != nil {
		return err
	}
	d.groups, d.start, d.end = groups, false, len(groups) < groupsAtFirst
	// Entries in front may be gone, unless the first one begins before what is looked for.
	if len(groups) == 0 && d.run.Groups > 0 || len(groups) > 0 && groups[0].Number > 0 && groups[0].First.After(d.sources.conversation, ms) {
		if _, err := d.back(ctx); err != nil {
			return err
		}
	}
	if err := d.check(); err != nil {
		return err
	}
	d.read = true
	return nil
}

// check says whether the groups follow each other, and are all that there are at an end:
// items of the index have no sums, and may be gone. ErrDamaged.
func (d *directory) check() error {
	gone := func(number int) error {
		return fmt.Errorf("row group %d is not in the directory of run %s: %w", number, d.run.ID, store.ErrDamaged)
	}
	for i, g := range d.groups {
		if err := g.Check(d.month, d.run); err != nil {
			return err
		}
		if i > 0 && (g.Number != d.groups[i-1].Number+1 || g.First.Before(d.groups[i-1].Last.Conversation, d.groups[i-1].Last.Time)) {
			return gone(d.groups[i-1].Number + 1)
		}
	}
	n := len(d.groups)
	switch {
	case d.run.Groups == 0:
	case d.start && d.end && n == 0:
		return gone(0)
	case d.start && n > 0 && d.groups[0].Number > 0:
		return gone(d.groups[0].Number - 1)
	case d.end && n > 0 && d.groups[n-1].Number < d.run.Groups-1:
		return gone(d.groups[n-1].Number + 1)
	}
	return nil
}

// forward reads what is behind groups.
func (d *directory) forward(ctx context.Context) error {
	d.sources.spent++
	some, err := d.sources.reader.Compactions.AllRowGroups(ctx, d.run.ID, &d.groups[len(d.groups)-1], groupsLater)
	if err != nil {
		return err
	}
	d.groups, d.end = append(d.groups, some...), len(some) < groupsLater
	return d.check()
}

// back reads what is before groups, and says how many there were.
func (d *directory) back(ctx context.Context) (int, error) {
	var first *compaction.RowGroup
	if len(d.groups) > 0 {
		first = &d.groups[0]
	}
	d.sources.spent++
	some, err := d.sources.reader.Compactions.RowGroupsBefore(ctx, d.run.ID, first, groupsAtFirst)
	if err != nil {
		return 0, err
	}
	slices.Reverse(some)
	d.groups, d.start = append(some, d.groups...), len(some) < groupsAtFirst
	return len(some), d.check()
}

// walk goes through the row groups of a run in an order of reading, from the one that
// holds what is at near (ms) on.
type walk struct {
	directory *directory
	near      int64
	began     bool
	// last is the row group that it stood at: others may read more of the directory
	// in between.
	last compaction.RowGroup
}

// next is the next row group; nil: there are no more. One that has nothing of the
// conversation is among them.
func (w *walk) next(ctx context.Context, descending bool) (*compaction.RowGroup, error) {
	d := w.directory
	if err := d.seek(ctx, w.near); err != nil {
		return nil, err
	}
	at := 0 // of what comes next, in d.groups
	if w.began {
		at = slices.IndexFunc(d.groups, func(g compaction.RowGroup) bool { return g.Number == w.last.Number })
		if at++; descending {
			at -= 2
		}
	} else {
		var err error
		if at, err = w.begin(ctx, descending); err != nil {
			return nil, err
		}
	}
	if at < 0 && !d.start {
		n, err := d.back(ctx)
		if err != nil {
			return nil, err
		}
		at += n
	}
	if at >= len(d.groups) && !d.end && len(d.groups) > 0 {
		if err := d.forward(ctx); err != nil {
			return nil, err
		}
	}
	if at < 0 || at >= len(d.groups) {
		return nil, nil
	}
	g := d.groups[at]
	w.began, w.last = true, g
	return &g, nil
}

// begin is where in the directory's groups a walk begins; -1 or one too far: beside them.
func (w *walk) begin(ctx context.Context, descending bool) (at int, err error) {
	d, conversation := w.directory, w.directory.sources.conversation
	// passed says whether the messages up to near go on behind a row group.
	passed := func(g compaction.RowGroup) bool {
		return g.Last.Before(conversation, w.near) || descending && !g.Last.After(conversation, w.near)
	}
	for len(d.groups) > 0 && !d.end && passed(d.groups[len(d.groups)-1]) {
		if err := d.forward(ctx); err != nil {
			return 0, err
		}
	}
	for at < len(d.groups) && passed(d.groups[at]) {
		at++
	}
	if descending && at == len(d.groups) {
		at--
	}
	return at, nil
}
