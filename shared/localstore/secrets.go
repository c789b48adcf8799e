package localstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"unicode/utf8"

	"wecom-archive/shared/store"
)

// Secrets is an store.Secrets in a file: one JSON object of names and values,
// which an operator may edit. It is safe for concurrent use in one process; of
// two processes that set at once, one may undo the other.
type Secrets struct {
	path string
	mu   sync.Mutex
}

var _ store.Secrets = (*Secrets)(nil)

// OpenSecrets uses the file path, which Set creates.
func OpenSecrets(path string) *Secrets { return &Secrets{path: path} }

// Get implements store.Secrets. It reads the file each time.
func (s *Secrets) Get(ctx context.Context, name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.load(ctx)
	if err != nil {
		return "", fmt.Errorf("getting secret %q: %w", name, err)
	}
	value, ok := all[name]
	if !ok {
		return "", fmt.Errorf("getting secret %q: %w", name, store.ErrNotFound)
	}
	return value, nil
}

// Set implements store.Secrets.
func (s *Secrets) Set(ctx context.Context, name, value string) error {
	if name == "" || value == "" || !utf8.ValidString(name) || !utf8.ValidString(value) {
		return fmt.Errorf("setting secret %q: name and value must be text and not empty", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.load(ctx)
	if err != nil {
		return fmt.Errorf("setting secret %q: %w", name, err)
	}
	all[name] = value
	data, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		return fmt.Errorf("setting secret %q: %w", name, err)
	}
	if err := writeFile(s.path, append(data, '\n'), os.Rename); err != nil {
		return fmt.Errorf("setting secret %q: %w", name, err)
	}
	return nil
}

func (s *Secrets) load(ctx context.Context) (map[string]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := readPrivate(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	if err := json.Unmarshal(data, &all); err != nil || all == nil {
		// The cause is left out: it could quote a secret.
		return nil, fmt.Errorf("%s is no JSON object of strings", s.path)
	}
	return all, nil
}
