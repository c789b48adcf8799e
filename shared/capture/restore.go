package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

// catchUp returns the puller's state, after the index has been told what stands in
// events only: all of them if the index was lost, the newer ones if it was
// restored from a backup, commonly none. Else a restored index would know an old
// proof, and a gap be recorded that never was.
func (r *run) catchUp(ctx context.Context) (catalog.PullState, error) {
	state, err := r.config.Pages.PullState(ctx)
	if err != nil {
		return state, own(err)
	}
	// A state that lies ahead of the clock was written by a wrong one: the events
	// before say what is true.
	wrong := state.ProofAhead(r.did.StartedAt) || state.EventsAt.Sub(r.did.StartedAt) > archive.ClockSkew
	from := state.EventsAt
	if wrong {
		from = time.Time{}
	}
	found, err := r.listEvents(ctx, from)
	if err != nil {
		return state, own(fmt.Errorf("listing the events: %w", err))
	}
	if !from.IsZero() && len(found.runs)+len(found.gaps)+len(found.bindings)+len(found.holes) == 0 {
		r.caughtUp = true
		return state, nil
	}
	r.behind = !from.IsZero()
	known, err := r.applyEvents(ctx, found)
	if err != nil {
		return state, own(fmt.Errorf("bringing the index up to the events: %w", err))
	}
	state, err = r.config.Pages.UpdatePullState(ctx, func(s *catalog.PullState) {
		if from.IsZero() {
			s.FirstRunAt = firstRun(s.FirstRunAt, found.first, r.did.StartedAt)
			s.Unreadable = catalog.Unreadable{}
		}
		if wrong || known.Number > s.Events {
			s.EndReachedAt, s.Quiet = known.EndReachedAt, known.Quiet
			s.Events = max(s.Events, known.Number)
		}
		if r.unreadable.Count > 0 {
			count := s.Unreadable.Count + r.unreadable.Count
			s.Unreadable = r.unreadable
			s.Unreadable.Count = count
		}
		s.EventsAt = r.did.StartedAt
	})
	r.caughtUp = err == nil
	return state, own(err)
}

// firstRun is the earliest of some times that are known.
func firstRun(times ...time.Time) time.Time {
	known := slices.DeleteFunc(times, time.Time.IsZero)
	return slices.MinFunc(known, time.Time.Compare)
}

const (
	// keepRuns is how many of the newest run events are looked at for one that can
	// be read and says what was known.
	keepRuns = 1000
	// compareRuns is how many that do are compared: one of them may be dated by a
	// clock that ran ahead, and the one with the greatest number is the newest.
	compareRuns = 10
)

// eventList holds keys of events, each list oldest first, those of bindings only
// among the same version.
type eventList struct {
	first    time.Time           // of the first run
	runs     []string            // the newest keepRuns
	gaps     map[string][]string // by their Since: of each, the last record counts
	bindings []string
	holes    []string
}

// listEvents lists the events after a time. Those that lie ahead of the clock were
// written by a wrong one.
func (r *run) listEvents(ctx context.Context, from time.Time) (eventList, error) {
	found := eventList{gaps: map[string][]string{}}
	for info, err := range r.config.Objects.List(ctx, archive.EventsPrefix, archive.EventsFrom(from)) {
		if err != nil {
			return found, err
		}
		kind, at, ok := archive.ParseEventKey(info.Key)
		if !ok || !at.After(from.Truncate(time.Millisecond)) || at.Sub(r.did.StartedAt) > archive.ClockSkew {
			continue
		}
		switch kind {
		case archive.EventRun:
			if found.first.IsZero() {
				found.first = at
			}
			if found.runs = append(found.runs, info.Key); len(found.runs) > keepRuns {
				found.runs = slices.Delete(found.runs, 0, 1)
			}
		case archive.EventGap:
			name := info.Key[strings.LastIndexByte(info.Key, '/')+1:]
			since := name[:strings.LastIndexByte(name, '-')]
			found.gaps[since] = append(found.gaps[since], info.Key)
		case archive.EventBinding:
			found.bindings = append(found.bindings, info.Key)
		case archive.EventHole:
			found.holes = append(found.holes, info.Key)
		}
	}
	return found, nil
}

// applyEvents puts gaps, holes and key bindings into the index, which the archiver would
// not find again in pages that are done, and returns what the newest run knew.
func (r *run) applyEvents(ctx context.Context, found eventList) (known archive.Known, err error) {
	for _, keys := range found.gaps {
		for _, key := range slices.Backward(keys) {
			gap, ok, err := readEvent(ctx, r, key, archive.EventGap, archive.GapKey)
			if err != nil {
				return known, err
			}
			if !ok {
				continue
			}
			if err := r.config.Journal.PutGap(ctx, gap); err != nil {
				return known, err
			}
			break
		}
	}
	for _, key := range found.holes {
		hole, ok, err := readEvent(ctx, r, key, archive.EventHole, archive.HoleKey)
		if err != nil {
			return known, err
		}
		if !ok {
			continue
		}
		if err := r.config.Holes.PutHole(ctx, hole); err != nil {
			return known, err
		}
	}
	for _, key := range found.bindings {
		_, at, _ := archive.ParseEventKey(key)
		binding, ok, err := readEvent(ctx, r, key, archive.EventBinding, func(b archive.KeyBinding) string { return archive.BindingKey(b, at) })
		if err != nil {
			return known, err
		}
		if !ok {
			continue
		}
		if err := r.config.Keys.Bind(ctx, binding); err != nil {
			return known, err
		}
	}
	return r.newestKnown(ctx, found.runs)
}

// newestKnown returns what the newest of some runs knew; zero if none says so.
func (r *run) newestKnown(ctx context.Context, runs []string) (newest archive.Known, err error) {
	compared := 0
	for _, key := range slices.Backward(runs) {
		past, ok, err := readEvent(ctx, r, key, archive.EventRun, archive.RunKey)
		if err != nil {
			return newest, err
		}
		if !ok || past.Stage != stage || past.Known == nil || past.Known.EndReachedAt.Sub(r.did.StartedAt) > archive.ClockSkew {
			continue
		}
		if past.Known.Number > newest.Number {
			newest = *past.Known
		}
		if compared++; compared == compareRuns {
			break
		}
	}
	return newest, nil
}

// readEvent reads an event, whose body must have the key that it is stored under.
// One that cannot be decoded is not ok: it is counted and must hold nothing up. An
// error means that the store did not answer, which may pass.
func readEvent[T any](ctx context.Context, r *run, key, kind string, keyOf func(T) string) (body T, ok bool, err error) {
	if err := r.mayGoOn(ctx); err != nil {
		return body, false, err
	}
	var read T
	event, err := archive.GetEvent(ctx, r.config.Objects, key, &read)
	if err == nil && event.Kind == kind && event.Corp == r.config.Corp && keyOf(read) == key {
		return read, true, nil
	}
	if err == nil {
		err = fmt.Errorf("event %s: its content, of corp %s, belongs under another key: %w", key, event.Corp, store.ErrDamaged)
	}
	if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) && !errors.Is(err, store.ErrNotFound) {
		return body, false, err
	}
	r.config.Log.Error("an event cannot be read and is passed over", "key", key, "error", err)
	r.unreadable = catalog.Unreadable{Count: r.unreadable.Count + 1, Key: key, SeenAt: r.did.StartedAt}
	return body, false, nil
}
