package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// PullState is what the puller remembers to judge its own health. All of it can
// be read again from pages and events.
type PullState struct {
	FirstRunAt    time.Time     `json:"first_run_at,omitzero"`
	EndReachedAt  time.Time     `json:"end_reached_at,omitzero"`  // last proof that nothing waits at WeCom
	LastSuccessAt time.Time     `json:"last_success_at,omitzero"` // last run that ended without error
	LastRecordAt  time.Time     `json:"last_record_at,omitzero"`  // last run event written
	LastError     string        `json:"last_error,omitempty"`     // of the last run; empty if it ended well
	LastRemedy    string        `json:"last_remedy,omitempty"`
	Seats         *int          `json:"seats,omitempty"` // employees WeCom archives; nil: not known
	Quiet         archive.Quiet `json:"quiet,omitzero"`

	// EventsAt says that what events up to this time say is in the index; zero if
	// they were never read.
	EventsAt   time.Time  `json:"events_at,omitzero"`
	Events     int64      `json:"events,omitempty"`           // Known.Number of the last one
	Unreadable Unreadable `json:"unreadable_events,omitzero"` // among those read
}

// Unreadable counts the events that could not be read.
type Unreadable struct {
	Count  int       `json:"count"`
	Key    string    `json:"key"`     // of the last one
	SeenAt time.Time `json:"seen_at"` // when it was found
}

// PullState returns the state, zero before the first run.
func (c *Pages) PullState(ctx context.Context) (PullState, error) {
	var s PullState
	_, err := c.table.Read(ctx, partitionPuller, "state", &s)
	return s, err
}

// UpdatePullState applies change to the stored state. change may be called more
// than once, if another run writes at the same time.
func (c *Pages) UpdatePullState(ctx context.Context, change func(*PullState)) (PullState, error) {
	const tries = 20
	for range tries {
		var s PullState
		rev, err := c.table.Read(ctx, partitionPuller, "state", &s)
		if err != nil {
			return s, err
		}
		change(&s)
		err = c.table.WriteIf(ctx, partitionPuller, "state", rev, s)
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return s, fmt.Errorf("writing the puller's state: %w", err)
		}
	}
	return PullState{}, fmt.Errorf("writing the puller's state: %d others were quicker: %w", tries, store.ErrConflict)
}

// LastProof is when it was last sure that nothing older waits at WeCom: the end
// of the stream was reached, or archiving had not begun.
func (s PullState) LastProof() time.Time {
	if s.EndReachedAt.IsZero() {
		return s.FirstRunAt
	}
	return s.EndReachedAt
}
