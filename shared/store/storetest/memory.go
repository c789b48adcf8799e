package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"wecom-archive/shared/store"
)

// memory is a versioned bucket in memory. What of a key's versions is read
// current says.
type memory struct {
	current func(versions []*object) *object // nil: there is no such object

	mu     sync.RWMutex
	stored map[string][]*object // versions by key, oldest first
	keys   []string             // sorted
	count  int                  // of versions and delete markers ever put
}

// object is one version of a key.
type object struct {
	body   []byte
	sum    [sha256.Size]byte // of body, when it was put
	info   store.ObjectInfo
	marker bool // a delete marker
}

func newMemory(current func([]*object) *object) memory {
	return memory{current: current, stored: map[string][]*object{}}
}

// earliest is the truth of a key in the archive bucket.
func earliest(versions []*object) *object {
	for _, v := range versions {
		if !v.marker {
			return v
		}
	}
	return nil
}

// latest is what counts in the derived bucket.
func latest(versions []*object) *object {
	if n := len(versions); n > 0 && !versions[n-1].marker {
		return versions[n-1]
	}
	return nil
}

// add lays a version on top of a key.
func (m *memory) add(key string, v *object) (version string) {
	m.count++
	v.sum = sha256.Sum256(v.body)
	v.info = store.ObjectInfo{
		Key: key, Size: int64(len(v.body)), Modified: time.Now().UTC(), Version: "v" + strconv.Itoa(m.count),
	}
	if len(m.stored[key]) == 0 {
		at, _ := slices.BinarySearch(m.keys, key)
		m.keys = slices.Insert(m.keys, at, key)
	}
	m.stored[key] = append(m.stored[key], v)
	return v.info.Version
}

// Get implements store.ObjectReader.
func (m *memory) Get(ctx context.Context, key string) (io.ReadCloser, store.ObjectInfo, error) {
	found, err := m.find(ctx, key)
	if err != nil {
		return nil, store.ObjectInfo{}, fmt.Errorf("getting %q: %w", key, err)
	}
	return io.NopCloser(bytes.NewReader(found.body)), found.info, nil
}

// GetRange implements store.ObjectReader.
func (m *memory) GetRange(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	if offset < 0 || length < 0 {
		return nil, fmt.Errorf("getting %d bytes at %d of %q: negative range", length, offset, key)
	}
	found, err := m.find(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("getting a range of %q: %w", key, err)
	}
	rest := found.body[min(offset, found.info.Size):]
	return bytes.Clone(rest[:min(length, int64(len(rest)))]), nil
}

// Head implements store.ObjectReader.
func (m *memory) Head(ctx context.Context, key string) (store.ObjectInfo, error) {
	found, err := m.find(ctx, key)
	if err != nil {
		return store.ObjectInfo{}, fmt.Errorf("head of %q: %w", key, err)
	}
	return found.info, nil
}

func (m *memory) find(ctx context.Context, key string) (*object, error) {
	if err := errors.Join(ctx.Err(), store.CheckObjectKey(key)); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	found := m.current(m.stored[key])
	if found == nil {
		return nil, store.ErrNotFound
	}
	return found, nil
}

// List implements store.ObjectReader. Objects put while it runs may be missing.
func (m *memory) List(ctx context.Context, prefix, after string) iter.Seq2[store.ObjectInfo, error] {
	return func(yield func(store.ObjectInfo, error) bool) {
		for _, info := range m.infos(prefix, after) {
			if err := ctx.Err(); err != nil {
				yield(store.ObjectInfo{}, fmt.Errorf("listing %q: %w", prefix, err))
				return
			}
			if !yield(info, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(store.ObjectInfo{}, fmt.Errorf("listing %q: %w", prefix, err))
		}
	}
}

func (m *memory) infos(prefix, after string) (infos []store.ObjectInfo) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, key := range m.below(prefix, after) {
		if v := m.current(m.stored[key]); v != nil {
			infos = append(infos, v.info)
		}
	}
	return infos
}

// below gives the keys with prefix that are greater than after.
func (m *memory) below(prefix, after string) []string {
	first, _ := slices.BinarySearch(m.keys, max(prefix, after))
	keys := m.keys[first:]
	if len(keys) > 0 && keys[0] == after {
		keys = keys[1:]
	}
	for i, key := range keys {
		if !strings.HasPrefix(key, prefix) {
			return keys[:i]
		}
	}
	return keys
}
