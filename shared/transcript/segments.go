package transcript

import (
	"context"
	"fmt"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
)

// WithSeq reads the rows with a seq of a part of a segment; first is where they begin in
// it: they stand together. That the part cannot be read is told to Damage.
func (r *Reader) WithSeq(ctx context.Context, key string, seq int64) (rows []archive.Row, first int, err error) {
	defer func() {
		if err != nil && ctx.Err() == nil && cannotRead(err) {
			newCall().report(ctx, r, findingOf(archive.InArchive, key, err))
		}
	}()
	release, err := r.slot(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer release()
	segment, err := segment.Fetch(ctx, r.Objects, key)
	if err != nil {
		return nil, 0, err
	}
	n := 0
	if err := segment.Seqs(func(row int, has int64) {
		if has == seq {
			first, n = row-n, n+1
		}
	}); err != nil {
		return nil, 0, err
	}
	rows, err = segment.Rows(first, first+n)
	return rows, first, err
}

// someRows are rows of a part of a segment.
type someRows struct {
	rows  []archive.Row
	first int // where they begin in it
	all   int // how many it has
}

// fewRows is how far apart rows may lie to be read alone: opening each column costs about
// as much as reading so many rows.
const fewRows = 100

// placed reads the rows of a part of a segment that places point to: found of wanted.
func (r *Reader) placed(ctx context.Context, key string, found []entry, wanted []int) (someRows, error) {
	release, err := r.slot(ctx)
	if err != nil {
		return someRows{}, err
	}
	defer release()
	segment, err := segment.Fetch(ctx, r.Objects, key)
	if err != nil {
		return someRows{}, err
	}
	from, to := segment.Len(), 0
	for _, i := range wanted {
		row := found[i].place.Row
		from, to = min(from, row), max(to, row+1)
	}
	if from < 0 || to > segment.Len() || to-from > fewRows {
		from, to = 0, segment.Len()
	}
	rows, err := segment.Rows(from, to)
	return someRows{rows, from, segment.Len()}, err
}

// at is the row that a place names. An index that points to anything but the
// message that it promised is damaged: the message of somebody else must not
// show.
func (s someRows) at(p archive.Place, conversation string) (archive.Row, error) {
	wrong := func(what string) (archive.Row, error) {
		return archive.Row{}, fmt.Errorf("index: row %d of %s, seq %d: %s: %w", p.Row, p.Object, p.Seq, what, store.ErrDamaged)
	}
	if p.Row < 0 || p.Row >= s.all {
		return wrong("there is no such row")
	}
	switch row := s.rows[p.Row-s.first]; {
	case !row.Readable():
		return wrong("the row holds no message")
	case !row.HasSeq || row.Seq != p.Seq || row.Position != p.Envelope:
		return wrong("the row has another seq or position")
	case row.Conversation != conversation:
		return wrong("the row belongs to another conversation")
	case !row.MsgTime.Equal(p.Time):
		return wrong("the row has another time")
	default:
		return row, nil
	}
}
