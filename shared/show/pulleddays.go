package show

import (
	"context"
	"fmt"
	"time"
)

const (
	plotBatch = 500   // runs of one query
	plotRuns  = 5_000 // runs that counting may read: of 14 days with a pull every five minutes
)

// pulledDays counts what was pulled on each day from one on.
type pulledDays struct {
	from  string // first day
	Begin string // first of which all runs are known
	Ended bool   // begin is the day of the first pull of all
	Count map[string]int
}

// PulledSince reads runs back to a day, or as many as a plot may read.
func (s *Books) PulledSince(ctx context.Context, from time.Time) (pulledDays, error) {
	days := pulledDays{from: from.Format(time.DateOnly), Count: map[string]int{}}
	before, oldest := "", ""
	for range plotRuns / plotBatch {
		runs, next, err := s.config.Catalog.Journal.RunsBefore(ctx, pullerStage, before, plotBatch)
		if err != nil {
			return days, fmt.Errorf("counting what was pulled: %w", err)
		}
		for _, run := range runs {
			oldest = run.StartedAt.In(s.Days(ctx)).Format(time.DateOnly)
			if oldest < days.from {
				days.Begin = days.from
				return days, nil
			}
			days.Count[oldest] += run.Envelopes
		}
		if next == "" {
			days.Begin, days.Ended = oldest, true
			return days, nil
		}
		before = next
	}
	// Of the oldest day some runs are not read.
	if last, err := time.Parse(time.DateOnly, oldest); err == nil {
		days.Begin = last.AddDate(0, 0, 1).Format(time.DateOnly)
	}
	return days, nil
}
