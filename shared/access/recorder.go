package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// Recorder stores looks. All its fields are required; it is safe for concurrent
// use.
type Recorder struct {
	Objects store.Objects    // the archive bucket; its default retention locks the records
	Now     func() time.Time // for looks without a time
	NewID   func() string    // unique names: 8 to 64 letters, digits, "-" or "_"
}

var goodID = regexp.MustCompile(`^[0-9A-Za-z_-]{8,64}$`)

// Record stores a look and returns once that is durable. Until then nothing of
// what it describes may leave. It may be called again after an error; that can
// leave two records of one look, never none.
func (r *Recorder) Record(ctx context.Context, l Look) error {
	if l.At.IsZero() {
		l.At = r.Now()
	}
	l.At = l.At.UTC().Truncate(time.Millisecond)
	doc, err := Encode(l)
	if err != nil {
		return fmt.Errorf("recording a look: %w", err)
	}
	const tries = 3
	for range tries {
		id := r.NewID()
		if !goodID.MatchString(id) {
			return fmt.Errorf("recording a look: %q is no name for it", id)
		}
		key := Key(l.At, id)
		err = r.Objects.PutIfAbsent(ctx, key, bytes.NewReader(doc))
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrExists) {
			return fmt.Errorf("recording a look as %s: %w", key, err)
		}
		// The store may have repeated our own put after an answer that got lost.
		stored, err := store.ReadObject(ctx, r.Objects, key)
		if err != nil {
			return fmt.Errorf("recording a look: %w", err)
		}
		if bytes.Equal(stored, doc) {
			return nil
		}
	}
	return fmt.Errorf("recording a look: %d names were taken: %w", tries, store.ErrExists)
}

// Key is the key of a look's object.
func Key(at time.Time, id string) string {
	return fmt.Sprintf("%sdt=%s/%013d-%s.json", archive.AccessPrefix, archive.Day(at), at.UnixMilli(), id)
}
