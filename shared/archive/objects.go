package archive

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Errors that every adapter of a port returns, wrapped, for its callers to
// decide on.
var (
	// ErrNotFound: no such object, index item, secret.
	ErrNotFound = errors.New("not found")
	// ErrExists: an object with this key is already stored. The stored one
	// stands; read it and go on from it.
	ErrExists = errors.New("already exists")
	// ErrConflict: an index item is not at the revision that the write asked for.
	ErrConflict = errors.New("changed by somebody else")
	// ErrNotLocked: the bucket does not lock what is put into it.
	ErrNotLocked = errors.New("bucket does not lock its objects")
)

// ObjectInfo describes one stored object.
type ObjectInfo struct {
	Key      string
	Size     int64     // bytes
	Modified time.Time // UTC, as the store says
	Version  string    // the store's version id; empty in listings
}

// Objects is one bucket. Nothing in it can be changed or removed through this
// port. Keys are as CheckObjectKey demands, and none is a directory of another
// ("a" beside "a/b"), so that they can be files.
//
// Adapters retry what is worth retrying (throttling, broken connections) by
// themselves; an error means that they gave up.
type Objects interface {
	// PutIfAbsent stores body under key and returns once it is durable. If the
	// key is taken, also by a put that races with this one, it returns
	// ErrExists and changes nothing. After any other error the object may or
	// may not be there; the same call again is safe.
	//
	// It sends a SHA-256 of the body along and no lock headers: the bucket's
	// default retention locks.
	PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error

	// Get opens the object. The caller closes it. ErrNotFound if there is none.
	Get(ctx context.Context, key string) (io.ReadCloser, ObjectInfo, error)

	// GetRange reads length bytes from offset on; fewer if the object ends
	// before. An offset at or past the end gives no bytes and no error. ErrNotFound
	// if there is no object.
	GetRange(ctx context.Context, key string, offset, length int64) ([]byte, error)

	// Head describes the object without reading it. ErrNotFound if there is none.
	Head(ctx context.Context, key string) (ObjectInfo, error)

	// List yields the objects below prefix whose keys are greater than after,
	// in byte order of their keys. A put that returned before List was called
	// is in the listing. The first error ends the sequence.
	List(ctx context.Context, prefix, after string) iter.Seq2[ObjectInfo, error]

	// PresignGet returns a URL that reads the object, and nothing else, until
	// ttl, at least a second and at most MaxPresign, has passed. fileName is what a browser will save it as; the URL makes
	// it an attachment.
	PresignGet(ctx context.Context, key, fileName string, ttl time.Duration) (string, error)

	// CheckLock returns nil if the bucket is versioned and locks every new
	// object by default, and ErrNotLocked, wrapped with what is missing,
	// otherwise.
	CheckLock(ctx context.Context) error
}

// Notifier queues work on an object: the same message that the store itself
// sends when the object appears. Delivery is at least once, possibly late,
// possibly never; who works on the message must not care.
type Notifier interface {
	Notify(ctx context.Context, keys ...string) error
}
