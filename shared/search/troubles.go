package search

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/store"
)

// What is derived can be lost or damaged, and hides nothing: an extract is replaced by its
// row group, a row group by the segments of its month, which hold the truth. A search that
// comes upon damage notes it here and begins anew, knowing.

// troubles are what one search came to know, over its runs.
type troubles struct {
	avoid  map[string]bool // row groups, by name, whose extracts say what the messages do not
	lost   map[string]bool // months whose segments are read instead of their runs
	forget bool            // the cursor's progress: what it was made of cannot be read any more

	mu    sync.Mutex
	named map[string]bool // what cannot be read and was replaced
	// directories of runs, read once: row groups by name.
	directories map[string]func() (map[string]compaction.RowGroup, error)
}

func newTroubles(p *progress) *troubles {
	t := &troubles{avoid: map[string]bool{}, lost: map[string]bool{}, named: map[string]bool{}, directories: map[string]func() (map[string]compaction.RowGroup, error){}}
	if p != nil {
		for _, month := range p.lost {
			t.lost[month] = true
		}
	}
	return t
}

// foundError says what a search came upon.
type foundError struct {
	avoid  []string // names of row groups
	lost   string   // month
	forget bool
	name   string // of what cannot be read
	err    error
}

func (e *foundError) Error() string { return fmt.Sprintf("%s: %v", e.name, e.err) }
func (e *foundError) Unwrap() error { return e.err }

// add says whether that was news.
func (t *troubles) add(e *foundError) (news bool) {
	for _, name := range e.avoid {
		news = news || !t.avoid[name]
		t.avoid[name] = true
		t.replaced(name)
	}
	if e.lost != "" {
		news = news || !t.lost[e.lost]
		t.lost[e.lost] = true
		t.replaced(e.name)
	}
	news = news || e.forget && !t.forget
	t.forget = t.forget || e.forget
	return news
}

// replaced notes what cannot be read, though what it should hold can.
func (t *troubles) replaced(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.named[name] = true
}

const maxInstead = 100 // names in an answer

func (t *troubles) instead() []string {
	names := slices.Sorted(maps.Keys(t.named))
	return names[:min(len(names), maxInstead)]
}

// lostMonths are in order.
func (t *troubles) lostMonths() []string { return slices.Sorted(maps.Keys(t.lost)) }

// groupLost is what a row group, or a run, that cannot be read comes to: its month is read
// in the segments. No runs of such a month are planned, so this is news once for a month.
func (r *run) groupLost(month, name string, err error) error {
	return &foundError{lost: month, name: name, err: err}
}

// segmentsOf are the segments of months, those in tail aside: they are read anyway. Both
// are in order.
func (r *run) segmentsOf(ctx context.Context, months, tail []string) (keys []string, err error) {
	for _, month := range months {
		for info, err := range r.Objects.List(ctx, archive.SegmentsPrefix+"dt="+month+"-", "") {
			if err != nil {
				return nil, fmt.Errorf("listing the segments of %s: %w", month, err)
			}
			if _, _, _, ok := archive.ParseSegmentKey(info.Key); !ok {
				continue
			}
			if _, listed := slices.BinarySearch(tail, info.Key); !listed {
				keys = append(keys, info.Key)
			}
		}
	}
	return keys, nil
}

// rowGroup looks for a row group in the directory of its run, which is read once for all.
func (r *run) rowGroup(ctx context.Context, run, object string, number int) (compaction.RowGroup, error) {
	t := r.known
	t.mu.Lock()
	directory := t.directories[run]
	if directory == nil {
		directory = sync.OnceValues(func() (map[string]compaction.RowGroup, error) {
			groups := map[string]compaction.RowGroup{}
			for g, err := range r.directoryOf(ctx, run) {
				if err != nil {
					return nil, err
				}
				g.Conversations = nil
				groups[groupName(g.Object, g.Group)] = g
			}
			return groups, nil
		})
		t.directories[run] = directory
	}
	t.mu.Unlock()
	groups, err := directory()
	if err != nil {
		t.mu.Lock()
		delete(t.directories, run) // perhaps only this reader was ended
		t.mu.Unlock()
		return compaction.RowGroup{}, err
	}
	g, ok := groups[groupName(object, number)]
	if !ok {
		err = fmt.Errorf("row group %d of %s: %w", number, object, store.ErrNotFound)
	}
	return g, err
}

// groupName is what answers call a row group.
func groupName(object string, number int) string { return fmt.Sprintf("%s#%d", object, number) }
