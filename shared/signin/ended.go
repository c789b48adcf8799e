package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"wecom-archive/shared/store"
)

const (
	endedSort = "ended"
	// A session that was ended opens pages for at most rereadEnded more; while the
	// index does not answer, for endedLasts, and then no session opens any.
	rereadEnded = 30 * time.Second
	endedLasts  = time.Minute
	endTries    = 8 // of writers that were quicker
)

// ended says which sessions are over although their cookies have not expired: those
// begun at these times or before.
type ended struct {
	Everybody time.Time            `json:"everybody,omitzero"`
	Subjects  map[string]time.Time `json:"subjects,omitempty"` // as long as a session of then could last
}

func (e ended) covers(s session) bool {
	return !s.Begun.After(e.Everybody) || !s.Begun.After(e.Subjects[s.Person.Subject])
}

// with is e and one end more, without those that no session can have survived.
func (e ended) with(subject string, at time.Time, absolute time.Duration) ended {
	next := ended{Everybody: e.Everybody, Subjects: map[string]time.Time{}}
	for who, when := range e.Subjects {
		if at.Sub(when) <= absolute {
			next.Subjects[who] = when
		}
	}
	if subject == "" {
		next.Everybody = at
	} else {
		next.Subjects[subject] = at
	}
	return next
}

// endings is what a process knows of ended sessions.
type endings struct {
	mu    sync.Mutex
	known ended
	read  time.Time // zero: not yet
	tried time.Time
	lost  error // why the last reading failed
}

// End ends all sessions of the subject, in every browser; of everybody, if it is
// empty. Other processes know it within a minute.
func (s *Sessions) End(ctx context.Context, subject string) error {
	s.ended.mu.Lock()
	defer s.ended.mu.Unlock()
	if s.Index == nil {
		s.ended.known = s.ended.known.with(subject, s.Now().UTC(), s.Absolute)
		return nil
	}
	for range endTries {
		found, revision, err := s.readEnded(ctx)
		if err != nil {
			return err
		}
		now := s.Now().UTC()
		next := found.with(subject, now, s.Absolute)
		value, err := s.sealEnded(next)
		if err != nil {
			return err
		}
		err = s.Index.PutIf(ctx, store.Item{Partition: partition, Sort: endedSort, Value: value, Revision: revision})
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("storing that sessions are over: %w", err)
		}
		s.ended.known, s.ended.read, s.ended.tried, s.ended.lost = next, now, now, nil
		return nil
	}
	return fmt.Errorf("storing that sessions are over: %w %d times", store.ErrConflict, endTries)
}

// over says whether the session was ended before its time. An error means that this
// could not be found out, and that nobody should be let in.
func (s *Sessions) over(ctx context.Context, found session) (bool, error) {
	s.ended.mu.Lock()
	defer s.ended.mu.Unlock()
	now := s.Now()
	if s.Index != nil && (s.ended.tried.IsZero() || now.Sub(s.ended.tried) >= rereadEnded) {
		known, _, err := s.readEnded(ctx)
		if err == nil {
			s.ended.known, s.ended.read = known, now
		}
		if s.ended.lost = err; ctx.Err() == nil { // who went away has not tried for the others
			s.ended.tried = now
		}
	}
	switch e := &s.ended; {
	case errors.Is(e.lost, store.ErrIndexDamaged):
		return false, e.lost
	case e.lost != nil && (e.read.IsZero() || now.Sub(e.read) > endedLasts):
		e.tried = time.Time{} // nothing is known: the next request asks again
		return false, e.lost
	}
	return s.ended.known.covers(found), nil
}

func (s *Sessions) sealEnded(e ended) ([]byte, error) {
	doc, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding which sessions are over: %w", err)
	}
	return json.Marshal(sealedDoc{s.aead.Seal(nil, nil, doc, []byte(endedSort))})
}

// readEnded returns nothing ended, at revision 0, where nothing is stored.
func (s *Sessions) readEnded(ctx context.Context) (found ended, revision int64, err error) {
	item, err := s.Index.Get(ctx, partition, endedSort)
	if errors.Is(err, store.ErrNotFound) {
		return ended{}, 0, nil
	}
	if err != nil {
		return ended{}, 0, fmt.Errorf("reading which sessions are over: %w", err)
	}
	var sealed sealedDoc
	if err := json.Unmarshal(item.Value, &sealed); err != nil {
		return ended{}, 0, fmt.Errorf("reading which sessions are over: %w", store.ErrIndexDamaged)
	}
	doc, err := s.aead.Open(nil, nil, sealed.Sealed, []byte(endedSort))
	if err != nil {
		return ended{}, 0, fmt.Errorf("which sessions are over was not stored by sign-in: %w", store.ErrIndexDamaged)
	}
	if err := json.Unmarshal(doc, &found); err != nil {
		return ended{}, 0, fmt.Errorf("reading which sessions are over: %w", store.ErrIndexDamaged)
	}
	return found, item.Revision, nil
}

// endOf ends the sessions of whom the cookie names; a request without a session of
// ours ends nothing.
func (s *Sessions) endOf(r *http.Request) error {
	var found session
	if err := s.read(r, sessionCookie, &found); err != nil || found.Person.Subject == "" {
		return nil
	}
	return s.End(r.Context(), found.Person.Subject)
}
