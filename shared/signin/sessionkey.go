package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"wecom-archive/shared/person"
	"wecom-archive/shared/store"
)

// Items of the index that sign-in keeps, so that the pages' function, which has no way
// to the provider, can read them; ended.go has a third. Without the first everybody
// signs in once more. Other functions write to the index, too, so no item is believed
// for being there: the first opens only in KMS, the others only with the first.
const (
	partition      = "signin"
	sessionKeySort = "session-key"
	issuerSort     = "issuer"
)

// Wrapper makes keys of sessions and opens them again (*awsstore.SessionKeys).
type Wrapper interface {
	// New makes KeySize random bytes, and wraps them.
	New(ctx context.Context) (key, wrapped []byte, err error)
	// Unwrap opens what New has wrapped, and nothing else.
	Unwrap(ctx context.Context, wrapped []byte) ([]byte, error)
}

type wrappedKey struct {
	Wrapped []byte `json:"wrapped"`
}

// FindKey returns the key of sessions that MakeKey has stored, or store.ErrNotFound.
func FindKey(ctx context.Context, index store.Index, w Wrapper) ([]byte, error) {
	item, err := index.Get(ctx, partition, sessionKeySort)
	if err != nil {
		return nil, fmt.Errorf("reading the key of sessions: %w", err)
	}
	var stored wrappedKey
	if err := json.Unmarshal(item.Value, &stored); err != nil {
		return nil, fmt.Errorf("reading the key of sessions: %w", store.ErrIndexDamaged)
	}
	key, err := w.Unwrap(ctx, stored.Wrapped)
	if err != nil {
		return nil, fmt.Errorf("unwrapping the key of sessions: %w", err)
	}
	return key, nil
}

// MakeKey returns the stored key of sessions, and makes it if there is none. Of
// several at a time all return the same one.
func MakeKey(ctx context.Context, index store.Index, w Wrapper) ([]byte, error) {
	key, err := FindKey(ctx, index, w)
	if !errors.Is(err, store.ErrNotFound) {
		return key, err
	}
	key, wrapped, err := w.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("making a key of sessions: %w", err)
	}
	value, err := json.Marshal(wrappedKey{wrapped})
	if err != nil {
		return nil, err
	}
	err = index.PutIf(ctx, store.Item{Partition: partition, Sort: sessionKeySort, Value: value})
	if errors.Is(err, store.ErrConflict) {
		return FindKey(ctx, index, w)
	}
	if err != nil {
		return nil, fmt.Errorf("storing the key of sessions: %w", err)
	}
	return key, nil
}

// Stored are the sessions under the stored key, which is fetched when first needed. It
// is what the pages' function has: it cannot make the key, and starts before there
// is one. It is safe for concurrent use.
type Stored struct {
	Index    store.Index
	Wrapper  Wrapper
	Settings Settings // without Key and Index

	mu       sync.Mutex
	sessions *Sessions
}

// Sessions returns store.ErrNotFound, wrapped, if nobody has ever signed in.
func (s *Stored) Sessions(ctx context.Context) (*Sessions, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions != nil {
		return s.sessions, nil
	}
	key, err := FindKey(ctx, s.Index, s.Wrapper)
	if err != nil {
		return nil, err
	}
	settings := s.Settings
	settings.Key, settings.Index = key, s.Index
	s.sessions, err = NewSessions(settings)
	return s.sessions, err
}

// Visitor says who looks at a page, as package pages asks for it.
func (s *Stored) Visitor(w http.ResponseWriter, r *http.Request) (person.Person, error) {
	sessions, err := s.Sessions(r.Context())
	if errors.Is(err, store.ErrNotFound) {
		return person.Person{}, fmt.Errorf("%w: nobody has signed in yet", person.ErrUnauthenticated)
	}
	if err != nil {
		return person.Person{}, err
	}
	return sessions.Visitor(w, r)
}
