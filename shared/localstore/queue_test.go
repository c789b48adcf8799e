package localstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/localstore"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

func notify(t *testing.T, n store.Notifier, keys ...string) {
	t.Helper()
	if err := n.Notify(t.Context(), keys...); err != nil {
		t.Fatal(err)
	}
}

// receive wants this key within the time that the queue needs for a retry.
func receive(t *testing.T, q *localstore.Queue, key string, receives int) *localstore.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	d, err := q.Receive(ctx)
	if err != nil {
		t.Fatalf("Receive: %v, want %q", err, key)
	}
	if d.Key != key || d.Receives != receives {
		t.Fatalf("Receive = %q for the %d. time, want %q for the %d.", d.Key, d.Receives, key, receives)
	}
	return d
}

func wantEmpty(t *testing.T, q *localstore.Queue) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if d, err := q.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Receive = %+v, %v; want nothing", d, err)
	}
}

func TestQueueOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := localstore.NewQueue(localstore.QueueConfig{})
		wantEmpty(t, q)
		notify(t, q, "b", "a", "b")
		notify(t, q, "c", "a")
		if q.Len() != 3 {
			t.Errorf("Len = %d, want 3", q.Len())
		}
		for _, key := range []string{"b", "a", "c"} {
			receive(t, q, key, 1).Done(nil)
		}
		wantEmpty(t, q)
		notify(t, q, "a") // done, so it is new
		receive(t, q, "a", 1).Done(nil)
	})
}

func TestQueueRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := localstore.NewQueue(localstore.QueueConfig{RetryAfter: time.Minute, MaxReceives: 3})
		notify(t, q, "a")
		start := time.Now()
		for try := 1; try <= 3; try++ {
			d := receive(t, q, "a", try)
			if got, want := time.Since(start), time.Duration(try-1)*time.Minute; got != want {
				t.Errorf("try %d came after %v, want %v", try, got, want)
			}
			d.Done(fmt.Errorf("failure %d", try))
			if try < 3 {
				notify(t, q, "a") // waits for its next try already
			}
		}
		wantEmpty(t, q)
		<-time.After(time.Hour)
		wantEmpty(t, q)

		dead := q.Dead()
		if len(dead) != 1 || dead[0].Key != "a" || dead[0].Receives != 3 || dead[0].Err.Error() != "failure 3" {
			t.Errorf("Dead = %+v", dead)
		}
		if q.Len() != 0 {
			t.Errorf("Len = %d with a dead letter only", q.Len())
		}
		notify(t, q, "a") // starts anew
		if len(q.Dead()) != 0 {
			t.Errorf("Dead = %+v after it was queued again", q.Dead())
		}
		receive(t, q, "a", 1).Done(nil)
	})
}

func TestQueueNewsWhileWorking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := localstore.NewQueue(localstore.QueueConfig{RetryAfter: time.Minute, MaxReceives: 2})
		notify(t, q, "a")
		d := receive(t, q, "a", 1)
		notify(t, q, "a", "a")
		wantEmpty(t, q) // never to two workers at once
		d.Done(nil)
		d.Done(errors.New("only the first call counts"))
		receive(t, q, "a", 1).Done(nil)
		wantEmpty(t, q)

		notify(t, q, "a")
		d = receive(t, q, "a", 1)
		notify(t, q, "a")
		d.Done(errors.New("failed"))
		receive(t, q, "a", 1).Done(nil) // at once: the news is a message of its own
		if q.Len() != 0 || len(q.Dead()) != 0 {
			t.Errorf("%d left, %d dead", q.Len(), len(q.Dead()))
		}
	})
}

func TestQueueWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := localstore.NewQueue(localstore.QueueConfig{RetryAfter: time.Minute, MaxReceives: 2})
		if err := q.Wait(t.Context()); err != nil {
			t.Errorf("Wait on an empty queue: %v", err)
		}
		notify(t, q, "good", "bad")
		var waited atomic.Bool
		go func() {
			if err := q.Wait(t.Context()); err == nil {
				waited.Store(true)
			}
		}()
		bad := errors.New("bad")
		receive(t, q, "good", 1).Done(nil)
		receive(t, q, "bad", 1).Done(bad)
		synctest.Wait()
		if waited.Load() {
			t.Error("Wait returned while a retry is due")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait = %v, want its deadline", err)
		}
		receive(t, q, "bad", 2).Done(bad)
		synctest.Wait()
		if !waited.Load() {
			t.Error("Wait has not returned with nothing but a dead letter left")
		}
	})
}

// TestQueueMany: all keys are worked on by many workers that fail now and then,
// none by two at once.
func TestQueueMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keys, workers = 500, 8
		q := localstore.NewQueue(localstore.QueueConfig{MaxReceives: 10})
		var working, done [keys]atomic.Int32
		ctx, stop := context.WithCancel(t.Context())
		var g errgroup.Group
		for range workers {
			g.Go(func() error {
				for {
					d, err := q.Receive(ctx)
					if err != nil {
						return nil
					}
					var i int
					fmt.Sscan(d.Key, &i)
					if working[i].Add(1) != 1 {
						return fmt.Errorf("%s is worked on twice at once", d.Key)
					}
					time.Sleep(time.Duration(i%7) * time.Millisecond) // of the bubble's clock
					working[i].Add(-1)
					if i%5 == 0 && d.Receives < 3 {
						d.Done(errors.New("try again"))
						continue
					}
					done[i].Add(1)
					d.Done(nil)
				}
			})
		}
		for i := range keys {
			notify(t, q, fmt.Sprint(i))
		}
		if err := q.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop()
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		for i := range done {
			if n := done[i].Load(); n != 1 {
				t.Errorf("key %d was done %d times", i, n)
			}
		}
		if len(q.Dead()) != 0 || q.Len() != 0 {
			t.Errorf("%d dead, %d left", len(q.Dead()), q.Len())
		}
	})
}

func TestQueueCancelled(t *testing.T) {
	q := localstore.NewQueue(localstore.QueueConfig{})
	notify(t, q, "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d, err := q.Receive(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Receive = %+v, %v", d, err)
	}
	if err := q.Notify(ctx, "b"); !errors.Is(err, context.Canceled) {
		t.Errorf("Notify = %v", err)
	}
	if q.Len() != 1 {
		t.Errorf("Len = %d, want the one from before", q.Len())
	}
}

type list struct {
	keys []string
	err  error
}

func (l *list) Notify(ctx context.Context, keys ...string) error {
	l.keys = append(l.keys, keys...)
	return errors.Join(l.err, ctx.Err())
}

func TestAnnouncing(t *testing.T) {
	pages, segments, all := &list{err: errors.New("event lost")}, &list{}, &list{}
	objects := localstore.Announcing(storetest.NewObjects(), localstore.ByPrefix(map[string]store.Notifier{
		"pages/": pages, "messages/": segments, "": all,
	}))
	for _, test := range []struct {
		key  string
		want error
	}{
		{"pages/1", nil},
		{"messages/1", nil},
		{"pages/1", store.ErrExists},
		{"keys/1", nil},
	} {
		if err := objects.PutIfAbsent(t.Context(), test.key, strings.NewReader("x")); !errors.Is(err, test.want) {
			t.Errorf("PutIfAbsent(%q) = %v, want %v", test.key, err, test.want)
		}
	}
	for name, got := range map[string][2][]string{
		"pages": {pages.keys, {"pages/1"}}, "segments": {segments.keys, {"messages/1"}}, "all": {all.keys, {"keys/1"}},
	} {
		if !slices.Equal(got[0], got[1]) {
			t.Errorf("%s heard of %q, want %q", name, got[0], got[1])
		}
	}
	silent := localstore.Announcing(storetest.NewObjects(), localstore.ByPrefix(nil))
	if err := silent.PutIfAbsent(t.Context(), "a", strings.NewReader("x")); err != nil {
		t.Errorf("PutIfAbsent that nobody is interested in: %v", err)
	}
}

// departing is a bucket whose caller has gone when the object is stored.
type departing struct {
	store.Objects
	leave func()
}

func (d departing) PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error {
	defer d.leave()
	return d.Objects.PutIfAbsent(ctx, key, body)
}

func TestAnnouncingToTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	q := localstore.NewQueue(localstore.QueueConfig{})
	objects := localstore.Announcing(departing{storetest.NewObjects(), cancel}, func(string) store.Notifier { return q })
	if err := objects.PutIfAbsent(ctx, "pages/1", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	receive(t, q, "pages/1", 1).Done(nil)
}

func TestAnnouncingContract(t *testing.T) {
	storetest.TestObjects(t, func(t *testing.T) store.Objects {
		objects := storetest.NewObjects()
		t.Cleanup(objects.Close)
		return localstore.Announcing(objects, localstore.ByPrefix(nil))
	})
}
