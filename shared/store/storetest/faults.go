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

var (
	// ErrCrashed is what every call returns after a crash.
	ErrCrashed = errors.New("crashed here for the test")
	// ErrInjected is what the one call returns that was told to fail.
	ErrInjected = errors.New("failed here for the test")
)

// When says how far a broken operation gets.
type When int

// How far a broken operation gets.
const (
	Before When = iota // no effect
	After              // the whole effect, then the error
	Partly             // Put, Delete and Notify: the first half of their items or keys; others: as After
)

// Faults breaks a program off at one durable operation: PutIfAbsent of Objects;
// Put and Delete of Derived; Put, PutIf and Delete of Index; Notify of Notifier. Operations are counted
// over all the ports that it wraps. It is safe for concurrent use.
//
//	for k := 1; ; k++ {
//		faults := storetest.NewFaults()
//		faults.CrashAt(k, storetest.After)
//		run(faults.Objects(objects), faults.Index(index)) // until it gives up
//		if !faults.Crashed() {
//			break // fewer than k operations: every one had its turn
//		}
//		faults.Restart()
//		run(faults.Objects(objects), faults.Index(index))
//		// compare with an undisturbed run
//	}
type Faults struct {
	mu      sync.Mutex
	count   int
	at      int // break the operation that makes count reach at; 0: none
	when    When
	crash   bool
	crashed bool
}

// NewFaults makes Faults that break nothing yet.
func NewFaults() *Faults { return &Faults{} }

// CrashAt arranges that the k-th durable operation from now on (1 is the next)
// returns ErrCrashed, and with it every later call of every port, reads too,
// until Restart.
func (f *Faults) CrashAt(k int, when When) { f.arm(k, when, true) }

// FailAt arranges that the k-th durable operation from now on (1 is the next)
// returns ErrInjected. Later calls work.
func (f *Faults) FailAt(k int, when When) { f.arm(k, when, false) }

func (f *Faults) arm(k int, when When, crash bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.when, f.crash = f.count+k, when, crash
}

// Restart lets calls through again. Stop what still runs from before the crash
// first.
func (f *Faults) Restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashed, f.at = false, 0
}

// Crashed says whether the crash has happened and Restart has not.
func (f *Faults) Crashed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.crashed
}

// Count is how many durable operations have been called so far.
func (f *Faults) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// alive returns ErrCrashed after a crash.
func (f *Faults) alive() error {
	if f.Crashed() {
		return ErrCrashed
	}
	return nil
}

// next counts a durable operation and says what becomes of it: without fault it
// goes on undisturbed.
func (f *Faults) next() (when When, fault error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed {
		return Before, ErrCrashed
	}
	f.count++
	if f.count != f.at {
		return 0, nil
	}
	f.crashed = f.crash
	if f.crash {
		return f.when, ErrCrashed
	}
	return f.when, ErrInjected
}

// durable runs one operation on n items; effect gets how many of them to do.
func (f *Faults) durable(n int, effect func(n int) error) error {
	when, fault := f.next()
	if fault == nil {
		if err := effect(n); err != nil {
			return err
		}
		// Somebody else's operation may have crashed the program meanwhile.
		return f.alive()
	}
	switch {
	case when == Before:
		return fault
	case when == Partly && n > 1:
		n /= 2
	}
	if err := effect(n); err != nil && !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrConflict) {
		return errors.Join(fault, err)
	}
	return fault
}

// Objects wraps a bucket.
func (f *Faults) Objects(o store.Objects) store.Objects {
	return &faultyObjects{faultyReader{f, o}, o}
}

// Lock wraps the lock of a bucket.
func (f *Faults) Lock(l store.Lock) store.Lock { return faultyLock{f, l} }

// Derived wraps a derived bucket.
func (f *Faults) Derived(d store.Derived) store.Derived {
	return &faultyDerived{faultyReader{f, d}, d}
}

// Index wraps an index.
func (f *Faults) Index(x store.Index) store.Index { return &faultyIndex{f, x} }

// Notifier wraps a notifier.
func (f *Faults) Notifier(n store.Notifier) store.Notifier { return &faultyNotifier{f, n} }

type faultyReader struct {
	faults *Faults
	inner  store.ObjectReader
}

func (o *faultyReader) Get(ctx context.Context, key string) (io.ReadCloser, store.ObjectInfo, error) {
	if err := o.faults.alive(); err != nil {
		return nil, store.ObjectInfo{}, err
	}
	return o.inner.Get(ctx, key)
}

func (o *faultyReader) GetRange(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	if err := o.faults.alive(); err != nil {
		return nil, err
	}
	return o.inner.GetRange(ctx, key, offset, length)
}

func (o *faultyReader) Head(ctx context.Context, key string) (store.ObjectInfo, error) {
	if err := o.faults.alive(); err != nil {
		return store.ObjectInfo{}, err
	}
	return o.inner.Head(ctx, key)
}

func (o *faultyReader) List(ctx context.Context, prefix, after string) iter.Seq2[store.ObjectInfo, error] {
	return func(yield func(store.ObjectInfo, error) bool) {
		for info, err := range o.inner.List(ctx, prefix, after) {
			if dead := o.faults.alive(); dead != nil {
				yield(store.ObjectInfo{}, dead)
				return
			}
			if !yield(info, err) {
				return
			}
		}
		if dead := o.faults.alive(); dead != nil {
			yield(store.ObjectInfo{}, dead)
		}
	}
}

type faultyObjects struct {
	faultyReader
	inner store.Objects
}

func (o *faultyObjects) PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error {
	return o.faults.durable(1, func(int) error { return o.inner.PutIfAbsent(ctx, key, body) })
}

func (o *faultyObjects) PresignGet(ctx context.Context, key, fileName string, ttl time.Duration) (string, error) {
	if err := o.faults.alive(); err != nil {
		return "", err
	}
	return o.inner.PresignGet(ctx, key, fileName, ttl)
}

type faultyLock struct {
	faults *Faults
	inner  store.Lock
}

func (l faultyLock) CheckLock(ctx context.Context) error {
	if err := l.faults.alive(); err != nil {
		return err
	}
	return l.inner.CheckLock(ctx)
}

type faultyDerived struct {
	faultyReader
	inner store.Derived
}

func (d *faultyDerived) Put(ctx context.Context, key string, body io.ReadSeeker) error {
	return d.faults.durable(1, func(int) error { return d.inner.Put(ctx, key, body) })
}

func (d *faultyDerived) Delete(ctx context.Context, keys ...string) error {
	return d.faults.durable(len(keys), func(n int) error { return d.inner.Delete(ctx, keys[:n]...) })
}

type faultyIndex struct {
	faults *Faults
	inner  store.Index
}

func (x *faultyIndex) Get(ctx context.Context, partition, sort string) (store.Item, error) {
	if err := x.faults.alive(); err != nil {
		return store.Item{}, err
	}
	return x.inner.Get(ctx, partition, sort)
}

func (x *faultyIndex) GetMany(ctx context.Context, items ...store.Item) ([]store.Item, error) {
	if err := x.faults.alive(); err != nil {
		return nil, err
	}
	return x.inner.GetMany(ctx, items...)
}

func (x *faultyIndex) Query(ctx context.Context, q store.IndexQuery) ([]store.Item, error) {
	if err := x.faults.alive(); err != nil {
		return nil, err
	}
	return x.inner.Query(ctx, q)
}

func (x *faultyIndex) Put(ctx context.Context, items ...store.Item) error {
	return x.faults.durable(len(items), func(n int) error { return x.inner.Put(ctx, items[:n]...) })
}

func (x *faultyIndex) PutIf(ctx context.Context, item store.Item) error {
	return x.faults.durable(1, func(int) error { return x.inner.PutIf(ctx, item) })
}

func (x *faultyIndex) Delete(ctx context.Context, items ...store.Item) error {
	return x.faults.durable(len(items), func(n int) error { return x.inner.Delete(ctx, items[:n]...) })
}

type faultyNotifier struct {
	faults *Faults
	inner  store.Notifier
}

func (n *faultyNotifier) Notify(ctx context.Context, keys ...string) error {
	return n.faults.durable(len(keys), func(k int) error { return n.inner.Notify(ctx, keys[:k]...) })
}

// Dropping passes notifications on but loses every n-th key, silently, as a
// queue may. It panics if n is less than 1.
func Dropping(inner store.Notifier, n int) store.Notifier {
	if n < 1 {
		panic("storetest: Dropping every less than first key")
	}
	return &droppingNotifier{inner: inner, every: n}
}

type droppingNotifier struct {
	inner store.Notifier
	every int

	mu   sync.Mutex
	seen int
}

func (d *droppingNotifier) Notify(ctx context.Context, keys ...string) error {
	d.mu.Lock()
	var kept []string
	for _, key := range keys {
		d.seen++
		if d.seen%d.every != 0 {
			kept = append(kept, key)
		}
	}
	d.mu.Unlock()
	if len(kept) == 0 {
		return nil
	}
	return d.inner.Notify(ctx, kept...)
}
