package compact

import (
	"context"
	"errors"
	"maps"
	"slices"

	"wecom-archive/shared/compaction"
)

// A month is made again from its segments, and a run may be the last that has what stood
// in a segment which cannot be read any more. What runs of before have of such parts is
// taken over.

// mostLost is how many lost parts a switch names; if there are more, all that runs of
// before have is taken over, which may show a message at two readings.
const mostLost = 1000

// owe notes the compacted parts after a key: a rebuild must find them again.
func (b *batch) owe(ctx context.Context, after string) error {
	parts, err := b.c.Conversations.CompactedParts(ctx, b.month)
	if err != nil {
		return err
	}
	b.owed = map[string]bool{}
	for _, key := range parts.Keys() {
		if key > after {
			b.owed[key] = true
		}
	}
	return nil
}

// lost are the parts of those looked at that are compacted and were not found or could
// not be read.
func (b *batch) lost() (keys []string) {
	for _, key := range slices.Sorted(maps.Keys(b.owed)) {
		if b.exhausted || key <= b.last {
			keys = append(keys, key)
		}
	}
	return keys
}

// lose notes lost parts in a rebuild.
func lose(r *compaction.Rebuild, keys []string) {
	if r.ManyLost || len(r.Lost)+len(keys) > mostLost {
		r.Lost, r.ManyLost = nil, true
		return
	}
	r.Lost = slices.Concat(r.Lost, keys)
}

// kept are sources of what the runs that readers see have of lost parts.
func (c *Compactor) kept(m *compaction.State, r *compaction.Rebuild) (sources []source) {
	if !r.ManyLost && len(r.Lost) == 0 {
		return nil
	}
	lost := map[string]bool{}
	for _, key := range r.Lost {
		lost[key] = true
	}
	c.Log.Error("parts of segments are lost: what runs have of them is kept", "month", m.Month, "parts", len(lost), "many", r.ManyLost)
	for _, run := range m.Runs {
		sources = append(sources, &keptSource{runSource{c: c, month: m.Month, run: run}, lost, r.ManyLost})
	}
	return sources
}

// keptSource gives the rows of a run that lie in lost parts, as far as it can be read.
type keptSource struct {
	of   runSource
	lost map[string]bool
	all  bool
}

func (s *keptSource) next(ctx context.Context) ([]compaction.Row, error) {
	for {
		rows, err := s.of.next(ctx)
		if broken := (*brokenRun)(nil); errors.As(err, &broken) && ctx.Err() == nil {
			s.of.c.Log.Error("what a run has of lost parts cannot be read", "key", broken.key, "error", err)
			if broken.key == compaction.RunPrefix(s.of.month, s.of.run.ID) {
				return nil, nil // its directory does not lead further
			}
			continue
		}
		if err != nil || len(rows) == 0 {
			return nil, err
		}
		if !s.all {
			rows = slices.DeleteFunc(rows, func(r compaction.Row) bool { return !s.lost[r.Place().Object] })
		}
		if len(rows) > 0 {
			return rows, nil
		}
	}
}
