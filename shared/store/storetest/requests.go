package storetest

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"time"

	"wecom-archive/shared/store"
)

// Requests is how many requests to S3 something took.
type Requests struct{ Put, Get, Head, List, Delete int }

// Total is all of them.
func (r Requests) Total() int { return r.Put + r.Get + r.Head + r.List + r.Delete }

// RequestCounter counts the requests that the S3 adapters would send for what is
// asked of the ports that it wraps: with the listings that find the earliest
// version of a key in the archive bucket, and without those for keys that it has
// seen. Retries and conflicts are not in it. It is safe for concurrent use.
type RequestCounter struct {
	mu    sync.Mutex
	count Requests
	known map[string]bool // keys of the archive bucket whose earliest version is known
}

// NewRequestCounter makes a counter that has seen nothing.
func NewRequestCounter() *RequestCounter { return &RequestCounter{known: map[string]bool{}} }

// Count is what was counted since the last Reset.
func (c *RequestCounter) Count() Requests {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// Reset begins to count anew. What is known of keys stays so.
func (c *RequestCounter) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count = Requests{}
}

// Forget forgets which keys were seen, as a process does that starts.
func (c *RequestCounter) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.known)
}

func (c *RequestCounter) add(f func(*Requests)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.count)
}

// Objects wraps an archive bucket.
func (c *RequestCounter) Objects(o store.Objects) store.Objects { return &countedObjects{o, c} }

// Derived wraps a derived bucket.
func (c *RequestCounter) Derived(d store.Derived) store.Derived { return &countedDerived{d, c} }

// pages is 1, and 1 more for every 1,000 that seq yields.
func pages[T any](c *RequestCounter, seq iter.Seq2[T, error], seen func(T)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		c.add(func(r *Requests) { r.List++ })
		n := 0
		for v, err := range seq {
			if err == nil {
				if n > 0 && n%1000 == 0 {
					c.add(func(r *Requests) { r.List++ })
				}
				n++
				seen(v)
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

type countedObjects struct {
	store.Objects
	counter *RequestCounter
}

// resolve counts the listing for a key that is not known.
func (o *countedObjects) resolve(key string) {
	o.counter.mu.Lock()
	defer o.counter.mu.Unlock()
	if !o.counter.known[key] {
		o.counter.count.List++
	}
}

// learn notes that a key was found.
func (o *countedObjects) learn(key string, err error) {
	if err != nil {
		return
	}
	o.counter.mu.Lock()
	defer o.counter.mu.Unlock()
	o.counter.known[key] = true
}

func (o *countedObjects) PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error {
	err := o.Objects.PutIfAbsent(ctx, key, body)
	o.counter.add(func(r *Requests) {
		r.Put++
		if err == nil {
			r.List++
		}
	})
	o.learn(key, err)
	return err
}

func (o *countedObjects) Get(ctx context.Context, key string) (io.ReadCloser, store.ObjectInfo, error) {
	o.resolve(key)
	body, info, err := o.Objects.Get(ctx, key)
	if !errors.Is(err, store.ErrNotFound) {
		o.counter.add(func(r *Requests) { r.Get++ })
	}
	o.learn(key, err)
	return body, info, err
}

func (o *countedObjects) GetRange(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	o.resolve(key)
	part, err := o.Objects.GetRange(ctx, key, offset, length)
	if length != 0 && !errors.Is(err, store.ErrNotFound) {
		o.counter.add(func(r *Requests) { r.Get++ })
	}
	o.learn(key, err)
	return part, err
}

func (o *countedObjects) Head(ctx context.Context, key string) (store.ObjectInfo, error) {
	o.counter.add(func(r *Requests) { r.List++ })
	info, err := o.Objects.Head(ctx, key)
	o.learn(key, err)
	return info, err
}

func (o *countedObjects) List(ctx context.Context, prefix, after string) iter.Seq2[store.ObjectInfo, error] {
	return pages(o.counter, o.Objects.List(ctx, prefix, after), func(info store.ObjectInfo) { o.learn(info.Key, nil) })
}

func (o *countedObjects) PresignGet(ctx context.Context, key, fileName string, ttl time.Duration) (string, error) {
	o.resolve(key)
	url, err := o.Objects.PresignGet(ctx, key, fileName, ttl)
	o.learn(key, err)
	return url, err
}

type countedDerived struct {
	store.Derived
	counter *RequestCounter
}

func (d *countedDerived) Put(ctx context.Context, key string, body io.ReadSeeker) error {
	d.counter.add(func(r *Requests) { r.Put++ })
	return d.Derived.Put(ctx, key, body)
}

func (d *countedDerived) Get(ctx context.Context, key string) (io.ReadCloser, store.ObjectInfo, error) {
	d.counter.add(func(r *Requests) { r.Get++ })
	return d.Derived.Get(ctx, key)
}

func (d *countedDerived) GetRange(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	d.counter.add(func(r *Requests) {
		if length == 0 {
			r.Head++
		} else {
			r.Get++
		}
	})
	return d.Derived.GetRange(ctx, key, offset, length)
}

func (d *countedDerived) Head(ctx context.Context, key string) (store.ObjectInfo, error) {
	d.counter.add(func(r *Requests) { r.Head++ })
	return d.Derived.Head(ctx, key)
}

func (d *countedDerived) List(ctx context.Context, prefix, after string) iter.Seq2[store.ObjectInfo, error] {
	return pages(d.counter, d.Derived.List(ctx, prefix, after), func(store.ObjectInfo) {})
}

func (d *countedDerived) Delete(ctx context.Context, keys ...string) error {
	d.counter.add(func(r *Requests) { r.Delete += (len(keys) + 999) / 1000 })
	return d.Derived.Delete(ctx, keys...)
}
