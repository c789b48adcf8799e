package transcript

import (
	"context"
	"slices"

	"wecom-archive/shared/compaction"
)

// directory is what was read of the directory of a run: row groups that follow each
// other, read from where the conversation's messages of some time are, as far as
// somebody walks.
type directory struct {
	sources    *sources
	run        string
	groups     []compaction.RowGroup // in order
	read       bool
	start, end bool // nothing is before, behind groups
}

// Entries are long: few are asked for at a time.
const (
	groupsAtFirst = 2
	groupsLater   = 8
)

func (s *sources) directory(run string) *directory {
	d, ok := s.runs[run]
	if !ok {
		d = &directory{sources: s, run: run}
		s.runs[run] = d
	}
	return d
}

// seek reads the first row groups from a time (ms) of the conversation on.
func (d *directory) seek(ctx context.Context, ms int64) error {
	if d.read {
		return nil
	}
	d.sources.spent++
	groups, err := d.sources.reader.Compactions.RowGroupsFrom(ctx, d.run, d.sources.conversation, ms, groupsAtFirst)
	if err == nil {
		d.groups, d.end, d.read = groups, len(groups) < groupsAtFirst, true
	}
	return err
}

// forward reads what is behind groups.
func (d *directory) forward(ctx context.Context) error {
	d.sources.spent++
	some, err := d.sources.reader.Compactions.AllRowGroups(ctx, d.run, &d.groups[len(d.groups)-1], groupsLater)
	if err == nil {
		d.groups, d.end = append(d.groups, some...), len(some) < groupsLater
	}
	return err
}

// back reads what is before groups, and says how many there were.
func (d *directory) back(ctx context.Context) (int, error) {
	var first *compaction.RowGroup
	if len(d.groups) > 0 {
		first = &d.groups[0]
	}
	d.sources.spent++
	some, err := d.sources.reader.Compactions.RowGroupsBefore(ctx, d.run, first, groupsAtFirst)
	if err != nil {
		return 0, err
	}
	slices.Reverse(some)
	d.groups, d.start = append(some, d.groups...), len(some) < groupsAtFirst
	return len(some), nil
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
