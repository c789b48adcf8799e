package transcript

import (
	"context"
	"fmt"
	"maps"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
)

// A conversation that seldom speaks has few messages in each month, and a month takes
// three requests one after the other. Once it is known how few, the months that a screen
// will need are read side by side.

// mostAhead bounds what is in memory, and what was read in vain.
const mostAhead = 4

// ahead reads what the next months lead to, beginning with u, if more than one will be
// needed by what those before it had.
func (s *search) ahead(ctx context.Context, u unit, from, to int64) error {
	months := s.needed(u, from, to)
	if len(months) < 2 {
		return nil
	}
	read := make([]*sources, len(months))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, m := range months {
		read[i] = newSources(s.reader, s.call, s.conversation)
		group.Go(func() (err error) {
			defer func() { // outside of the request's goroutine a panic would end the program
				if p := recover(); p != nil {
					err = fmt.Errorf("reading %s: panic: %v\n%s", m.month, p, debug.Stack())
				}
			}()
			if err = read[i].month(groupCtx, m, s.query.Descending, from, to); err != nil && cannotRead(err) {
				return nil // who comes to it will find that out
			}
			return err
		})
	}
	err := group.Wait()
	for _, m := range read {
		s.adopt(m)
	}
	return err
}

// needed are the months from u on that the rest of the page is likely to lie in, as far as
// the requests go.
func (s *search) needed(u unit, from, to int64) []unit {
	if s.covered == 0 || s.dense {
		return nil
	}
	most := mostAhead
	if s.most > 0 {
		most = min(most, (s.most-s.spent-s.toFill())/monthCost)
	}
	// As often as it spoke so far, and once a month at least.
	likely := func(m unit) float64 {
		return max(1, float64(len(s.found))*float64(m.length(from, to))/float64(s.covered))
	}
	months, expected := []unit{u}, likely(u)
	rest := search{sources: s.sources, query: s.query, units: nil}
	for _, other := range s.units {
		if other.walk == nil && other.group == nil {
			rest.units = append(rest.units, other)
		}
	}
	for len(months) < most && len(rest.units) > 0 && float64(len(s.found))+expected < float64(s.query.Limit) {
		next := rest.nextUnit()
		if s.until != nil && s.before(*s.until, next) {
			break
		}
		months, expected = append(months, next), expected+likely(next)
	}
	return months
}

// month reads what openMonth, step and readGroup ask for first.
func (s *sources) month(ctx context.Context, u unit, descending bool, from, to int64) error {
	m, err := s.compaction(ctx, u.month)
	if err != nil {
		return err
	}
	if len(m.Runs) > 1 { // that takes more than monthCost
		return nil
	}
	for _, run := range m.Runs {
		w := &walk{directory: s.directory(u.month, run), near: near(u, descending, from, to)}
		g, err := w.next(ctx, descending)
		if err != nil {
			return err
		}
		if g == nil || !g.MayHold(s.conversation, from, to) {
			continue
		}
		if _, err := s.openGroup(ctx, *g); err != nil {
			return err
		}
	}
	return nil
}

// adopt takes over what others have read, unless it is known.
func (s *sources) adopt(other *sources) {
	s.spent += other.spent
	for run, d := range other.runs {
		if s.runs[run] == nil {
			d.sources = s
			s.runs[run] = d
		}
	}
	maps.Copy(s.switches, other.switches)
	for name, rows := range other.rows {
		if s.rows[name] == nil {
			s.rows[name] = rows
		}
	}
}
