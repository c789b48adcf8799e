package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// Hole is what the index knows of a hole in the chain of pages.
type Hole struct {
	archive.ChainHole

	// While it is open: what no page and no segment has of it. Who may read segments
	// says so; until then it is not examined.
	Examined bool      `json:"examined,omitempty"`
	Ask      []Ask     `json:"ask,omitempty"`
	First    time.Time `json:"first,omitzero"` // when the pages on either side were pulled
	Last     time.Time `json:"last,omitzero"`
}

// Ask is a stretch that WeCom is to be asked for. Used is the greatest number of an
// alternate of its first page of which rows are stored: no other has it again, even if
// that alternate is gone.
type Ask struct {
	archive.Stretch
	Used int `json:"used,omitempty"`
}

const (
	partitionHoles     = "holes"
	partitionHolesOpen = "holes:open" // the same, of those that are open
)

func holeName(from, to uint64) string {
	return archive.SeqName(from) + "-" + archive.SeqName(to)
}

// HoleWriter notes holes in the index; *Journal is one.
type HoleWriter interface {
	PutHole(ctx context.Context, h archive.ChainHole) error
}

// Findings is where what is not as it must be is told; *damage.Book is one.
type Findings interface {
	Report(ctx context.Context, f archive.Finding) error
	Mended(ctx context.Context, f archive.Finding, by string) error
}

// RecordHole records what is known of a hole: as an event, as a finding that stands until
// WeCom gave all of it, then in the index. What stands there need not be recorded again.
func RecordHole(ctx context.Context, objects store.Objects, holes HoleWriter, findings Findings, corp string, h archive.ChainHole) error {
	if err := archive.PutHole(ctx, objects, corp, h); err != nil {
		return err
	}
	var err error
	if h.Outcome == archive.HoleOpen || h.Outcome == archive.HoleLost {
		err = findings.Report(ctx, h.Finding())
	} else {
		err = findings.Mended(ctx, h.Finding(), h.By)
	}
	if err != nil {
		return err
	}
	return holes.PutHole(ctx, h)
}

// outcomeRank orders outcomes of one time: the later in a hole's life is greater.
func outcomeRank(outcome string) int {
	return slices.Index([]string{archive.HoleOpen, archive.HoleCovered, archive.HoleLost, archive.HoleFilled}, outcome)
}

// PutHole notes what an event says of a hole. One that is older than what is known
// changes nothing.
func (c *Journal) PutHole(ctx context.Context, h archive.ChainHole) error {
	return c.changeHole(ctx, h.From, h.To, func(known Hole, found bool) (Hole, bool) {
		if found && cmp.Or(h.At.Compare(known.At), outcomeRank(h.Outcome)-outcomeRank(known.Outcome)) < 0 {
			return known, false
		}
		if found && known.NoticedAt.Before(h.NoticedAt) {
			h.NoticedAt, h.By = known.NoticedAt, known.By
		}
		known.ChainHole = h
		if h.Outcome != archive.HoleOpen {
			known = Hole{ChainHole: h}
		}
		return known, true
	})
}

// NoteExamined notes what has to be asked for of an open hole, and when the pages on
// either side were pulled.
func (c *Journal) NoteExamined(ctx context.Context, from, to uint64, ask []Ask, first, last time.Time) error {
	return c.changeHole(ctx, from, to, func(known Hole, found bool) (Hole, bool) {
		if !found || known.Outcome != archive.HoleOpen {
			return known, false
		}
		known.Examined, known.Ask, known.First, known.Last = true, ask, first.UTC(), last.UTC()
		return known, true
	})
}

// changeHole changes a hole, and then the list of open ones, also when an earlier call
// broke off between the two.
func (c *Journal) changeHole(ctx context.Context, from, to uint64, change func(known Hole, found bool) (Hole, bool)) error {
	name := holeName(from, to)
	var now Hole
	is := false
	err := table.Change(ctx, c.table, partitionHoles, name, func(known Hole, found bool) (Hole, bool) {
		next, changed := change(known, found)
		now, is = next, found || changed
		return next, changed
	})
	switch {
	case err != nil || !is:
	case now.Outcome == archive.HoleOpen:
		err = c.table.Write(ctx, partitionHolesOpen, name, now)
	default:
		err = c.table.Delete(ctx, store.Item{Partition: partitionHolesOpen, Sort: name})
	}
	if err != nil {
		return fmt.Errorf("noting the hole after %d: %w", from, err)
	}
	return nil
}

// Hole returns what is known of a hole.
func (c *Journal) Hole(ctx context.Context, from, to uint64) (h Hole, found bool, err error) {
	revision, err := c.table.Read(ctx, partitionHoles, holeName(from, to), &h)
	return h, revision > 0, err
}

// OpenHoles returns at most limit holes for which WeCom is to be asked, in order.
func (c *Journal) OpenHoles(ctx context.Context, limit int) ([]Hole, error) {
	return table.List[Hole](ctx, c.table, store.IndexQuery{Partition: partitionHolesOpen, Limit: limit})
}

// Holes returns at most limit holes from a seq on, in order.
func (c *Journal) Holes(ctx context.Context, from uint64, limit int) ([]Hole, error) {
	return table.List[Hole](ctx, c.table, store.IndexQuery{Partition: partitionHoles, From: archive.SeqName(from), Limit: limit})
}

// HoleAround is where the hole begins that has the message after a seq, whatever became
// of it; the seq itself if there is none. Of several that overlap, all count.
func (c *Journal) HoleAround(ctx context.Context, seq uint64) (from uint64, err error) {
	const looked = 100
	holes, err := table.List[Hole](ctx, c.table, store.IndexQuery{Partition: partitionHoles, To: archive.SeqName(seq) + "~", Descending: true, Limit: looked})
	if err != nil {
		return seq, err
	}
	from = seq
	for _, h := range holes {
		if h.From <= from && h.To > from {
			from = h.From
		}
	}
	return from, nil
}
