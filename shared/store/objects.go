package store

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
	// ErrDamaged: what is stored is not what was put there.
	ErrDamaged = errors.New("damaged")
	// ErrUnverified: nothing says what these bytes should be, so nothing that this
	// program did put them there. It comes with ErrDamaged.
	ErrUnverified = errors.New("its SHA-256 is not known")
	// ErrNotLocked: the bucket does not lock what is put into it.
	ErrNotLocked = errors.New("bucket does not lock its objects")
)

// ObjectInfo describes one stored object.
type ObjectInfo struct {
	Key      string
	Size     int64     // bytes
	Modified time.Time // UTC, as the store says
	Version  string    // the store's version id; may be empty in listings
}

// ObjectReader reads the objects of one bucket. Keys are as CheckObjectKey
// demands, and none is a directory of another ("a" beside "a/b"), so that they
// can be files.
//
// Adapters retry what is worth retrying (throttling, broken connections) by
// themselves; an error means that they gave up.
type ObjectReader interface {
	// Get opens the object. The caller closes it. ErrNotFound if there is none.
	// Reading fails with ErrDamaged if the bytes are not those that were put, as
	// far as the store can tell.
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
}

// Objects is the archive bucket. Nothing in it can be changed or removed through
// this port.
//
// The truth of a key is its earliest version. All methods speak of that one: a
// later version changes nothing, and under a delete marker the object is still
// there. (Its lock keeps the earliest version; nothing keeps others from being
// laid on top.) What lies on top Versions tells.
type Objects interface {
	ObjectReader

	// PutIfAbsent stores body under key and returns once it is durable. If the
	// key has a version, even under a delete marker, or gets one by a put that
	// races with this one, it returns ErrExists, and the truth is as before. After
	// any other error the object may or may not be there; the same call again is
	// safe.
	//
	// It sends a SHA-256 of the body along and no lock headers: the bucket's
	// default retention locks.
	PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error

	// PresignGet returns a URL that reads the object, and nothing else, until
	// ttl, at least a second and at most MaxPresign, has passed. fileName is what
	// a browser will save it as; the URL makes it an attachment. ErrNotFound if
	// there is no object.
	PresignGet(ctx context.Context, key, fileName string, ttl time.Duration) (string, error)
}

// ObjectVersion is one version of a key, or a delete marker on it.
type ObjectVersion struct {
	Key          string
	Version      string    // the store's version id
	Modified     time.Time // UTC, when it was put, as the store says
	Size         int64     // bytes; 0 for a delete marker
	DeleteMarker bool
	Earliest     bool // the truth of this key: its earliest version that is no delete marker
}

// Versions shows what lies in the archive bucket, whatever it is worth.
type Versions interface {
	// ListVersions yields all versions and delete markers of the keys below
	// prefix that are greater than after, in byte order of their keys; those of
	// one key in any order. One is Earliest, if there is any but delete markers and
	// what nobody put. The first error ends the sequence.
	ListVersions(ctx context.Context, prefix, after string) iter.Seq2[ObjectVersion, error]
}

// Derived is the bucket of what can be made again from the archive: objects can
// be replaced and deleted, and the latest put counts.
type Derived interface {
	ObjectReader

	// Put stores body under key in place of what was there, and returns once it
	// is durable. Readers see the one or the other, whole. After an error either
	// may be there; the same call again is safe. It sends a SHA-256 of the body
	// along.
	Put(ctx context.Context, key string, body io.ReadSeeker) error

	// Delete removes objects; that one is not there is no error. Not atomic.
	Delete(ctx context.Context, keys ...string) error
}

// Notifier queues work on an object: the same message that the store itself
// sends when the object appears. Delivery is at least once, possibly late,
// possibly never; who works on the message must not care.
type Notifier interface {
	Notify(ctx context.Context, keys ...string) error
}
