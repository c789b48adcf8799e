package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/store"
)

// Objects is the archive bucket in memory, with versions as S3 keeps them. It is
// safe for concurrent use.
type Objects struct {
	memory
	unlocked bool

	links  map[string]link
	server *httptest.Server // of presigned URLs; nil until the first one
}

type link struct {
	key, fileName string
	until         time.Time
}

var (
	_ store.Objects  = (*Objects)(nil)
	_ store.Versions = (*Objects)(nil)
	_ store.Lock     = (*Objects)(nil)
)

// NewObjects makes an empty bucket that locks.
func NewObjects() *Objects {
	return &Objects{memory: newMemory(earliest), links: map[string]link{}}
}

// NewUnlockedObjects makes an empty bucket that CheckLock refuses.
func NewUnlockedObjects() *Objects {
	o := NewObjects()
	o.unlocked = true
	return o
}

// PutIfAbsent implements store.Objects. As in S3, a put over a delete marker
// leaves a version, even if it is too late to be the truth.
func (o *Objects) PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error {
	if err := errors.Join(ctx.Err(), store.CheckObjectKey(key)); err != nil {
		return fmt.Errorf("putting %q: %w", key, err)
	}
	stored, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("putting %q: reading the body: %w", key, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	versions := o.stored[key]
	if len(versions) > 0 && !versions[len(versions)-1].marker {
		return fmt.Errorf("putting %q: %w", key, store.ErrExists)
	}
	o.add(key, &object{body: stored})
	if earliest(versions) != nil {
		return fmt.Errorf("putting %q: an earlier version lies under a delete marker: %w", key, store.ErrExists)
	}
	return nil
}

// PlantDeleteMarker deletes a key as somebody with the bucket's rights could: a
// delete marker is laid on it. It returns the marker's version id.
func (o *Objects) PlantDeleteMarker(key string) (version string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.add(key, &object{marker: true})
}

// PlantVersion overwrites a key as somebody with the bucket's rights could: a
// later version is laid on it. It returns its version id.
func (o *Objects) PlantVersion(key string, body []byte) (version string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.add(key, &object{body: bytes.Clone(body)})
}

// ListVersions implements store.Versions. What is put while it runs may be
// missing.
func (o *Objects) ListVersions(ctx context.Context, prefix, after string) iter.Seq2[store.ObjectVersion, error] {
	return func(yield func(store.ObjectVersion, error) bool) {
		for _, v := range o.versions(prefix, after) {
			if err := ctx.Err(); err != nil {
				yield(store.ObjectVersion{}, fmt.Errorf("listing %q: %w", prefix, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(store.ObjectVersion{}, fmt.Errorf("listing %q: %w", prefix, err))
		}
	}
}

func (o *Objects) versions(prefix, after string) (found []store.ObjectVersion) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, key := range o.below(prefix, after) {
		truth := earliest(o.stored[key])
		for _, v := range slices.Backward(o.stored[key]) {
			found = append(found, store.ObjectVersion{
				Key: key, Version: v.info.Version, Modified: v.info.Modified, Size: v.info.Size,
				DeleteMarker: v.marker, Earliest: v == truth,
			})
		}
	}
	return found
}

// PresignGet implements store.Objects. The first call starts a server on
// 127.0.0.1 that Close stops.
func (o *Objects) PresignGet(ctx context.Context, key, fileName string, ttl time.Duration) (string, error) {
	if err := errors.Join(ctx.Err(), store.CheckObjectKey(key)); err != nil {
		return "", fmt.Errorf("presigning %q: %w", key, err)
	}
	if ttl < time.Second || ttl > store.MaxPresign {
		return "", fmt.Errorf("presigning %q: a time of %v is not between 1 s and %v", key, ttl, store.MaxPresign)
	}
	if _, err := o.find(ctx, key); err != nil {
		return "", fmt.Errorf("presigning %q: %w", key, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.server == nil {
		o.server = httptest.NewServer(http.HandlerFunc(o.serveLink))
	}
	token := rand.Text()
	o.links[token] = link{key, fileName, time.Now().Add(ttl)}
	return o.server.URL + "/" + token, nil
}

func (o *Objects) serveLink(w http.ResponseWriter, r *http.Request) {
	o.mu.RLock()
	l, ok := o.links[strings.TrimPrefix(r.URL.Path, "/")]
	found := earliest(o.stored[l.key])
	o.mu.RUnlock()
	switch {
	case r.Method != http.MethodGet || !ok || !time.Now().Before(l.until):
		http.Error(w, "no such link, or it has expired", http.StatusForbidden)
	case found == nil:
		http.NotFound(w, r)
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", store.Attachment(l.fileName))
		http.ServeContent(w, r, "", found.info.Modified, bytes.NewReader(found.body))
	}
}

// CheckLock implements store.Lock.
func (o *Objects) CheckLock(ctx context.Context) error {
	if o.unlocked {
		return fmt.Errorf("checking the lock: %w", store.ErrNotLocked)
	}
	return ctx.Err()
}

// Verify returns an error for every object whose bytes are no longer those that
// were put. Nothing in the port can change them; this proves that nothing did.
func (o *Objects) Verify() error {
	o.mu.RLock()
	defer o.mu.RUnlock()
	var errs []error
	left := 0
	for _, key := range slices.Sorted(maps.Keys(o.stored)) {
		for _, v := range o.stored[key] {
			left++
			if sha256.Sum256(v.body) != v.sum {
				errs = append(errs, fmt.Errorf("object %q was changed after it was put", key))
			}
		}
	}
	if left != o.count {
		errs = append(errs, fmt.Errorf("%d versions are left of %d", left, o.count))
	}
	return errors.Join(errs...)
}

// Close stops the server of presigned URLs, if one was started.
func (o *Objects) Close() {
	o.mu.Lock()
	server := o.server
	o.server = nil
	o.mu.Unlock()
	if server != nil {
		server.Close() // waits for requests, which take the lock
	}
}
