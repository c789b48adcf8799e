package capture_test

import (
	"context"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/capture"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// loseIndex starts again with an empty index on the same objects.
func (w *world) loseIndex() {
	w.index = storetest.NewIndex()
	w.catalog = catalog.New(w.index)
}

// forgetfulObjects take pages and forget them; forgetfulIndex keeps the puller's
// own items only. What grows beside them grows in the puller.
type forgetfulObjects struct{ store.Objects }

func (o forgetfulObjects) PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error {
	if strings.HasPrefix(key, archive.PagesPrefix) {
		return ctx.Err()
	}
	return o.Objects.PutIfAbsent(ctx, key, body)
}

type forgetfulIndex struct{ store.Index }

func (x forgetfulIndex) Put(ctx context.Context, items ...store.Item) error {
	return ctx.Err()
}

func (x forgetfulIndex) PutIf(ctx context.Context, item store.Item) error {
	if item.Partition == "puller" {
		return x.Index.PutIf(ctx, item)
	}
	return ctx.Err()
}

// TestMemoryIsFlat: a run over many pages holds no more than one over few.
func TestMemoryIsFlat(t *testing.T) {
	w := newWorld(500)
	w.stream.pad = strings.Repeat("A", 32<<10)
	w.stream.asked, w.stream.limits = make([]uint64, 0, 1000), make([]int, 0, 1000)
	heap := map[int]int64{}
	w.stream.onCall = func(n int) {
		if n == 50 || n == 500 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			heap[n] = int64(m.HeapAlloc)
		}
	}
	c := w.config()
	c.Limit, c.Objects = 1, forgetfulObjects{w.objects}
	take(&c, catalog.New(forgetfulIndex{w.index}))
	c.Sleep = func(_ context.Context, d time.Duration) error { w.advance(d); return nil }
	run, err := capture.New(c).Run(t.Context())
	if err != nil || run.Pages != 500 {
		t.Fatalf("run %+v: %v", run, err)
	}
	// 450 replies have 14 MB.
	if grown := heap[500] - heap[50]; grown > 1<<20 {
		t.Errorf("450 more pages hold %d bytes more", grown)
	}
}

// waiting notes n pages that were pulled long ago and never archived.
func (w *world) waiting(t *testing.T, n int, pulled time.Time) {
	t.Helper()
	for i := range n {
		at := uint64(1e9 + 10*i)
		h := archive.PageHeader{SeqAsked: at, LastSeq: at + 10, Count: 10, PulledAt: pulled}
		if err := w.catalog.Pages.NotePage(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
}

// pagedIndex notes the greatest limit of a query.
type pagedIndex struct {
	store.Index
	most int
}

func (x *pagedIndex) Query(ctx context.Context, q store.IndexQuery) ([]store.Item, error) {
	x.most = max(x.most, q.Limit)
	return x.Index.Query(ctx, q)
}

// TestRequeueOfABacklog: 5,000 waiting pages are queued in small portions, each
// once, and again only after an hour.
func TestRequeueOfABacklog(t *testing.T) {
	w := newWorld(0)
	const backlog = 5000
	w.waiting(t, backlog, w.Now().Add(-11*time.Minute))
	index := &pagedIndex{Index: w.index}
	w.catalog = catalog.New(index)
	if run := w.mustPull(t); run.Requeued != backlog {
		t.Errorf("%d pages queued again, want %d", run.Requeued, backlog)
	}
	slices.Sort(w.queue.keys)
	if distinct := len(slices.Compact(slices.Clone(w.queue.keys))); distinct != backlog || len(w.queue.keys) != backlog {
		t.Errorf("%d keys queued, %d of them different", len(w.queue.keys), distinct)
	}
	if index.most > 500 || w.queue.most > 10 {
		t.Errorf("%d pages in one query, %d in one message", index.most, w.queue.most)
	}
	w.advance(30 * time.Minute)
	if run := w.mustPull(t); run.Requeued != 0 {
		t.Errorf("%d pages queued again after half an hour", run.Requeued)
	}
	w.advance(31 * time.Minute)
	if run := w.mustPull(t); run.Requeued != backlog {
		t.Errorf("%d pages queued again after an hour", run.Requeued)
	}
}

// TestFreshPagesAreNotQueuedAgain: their own event is still on its way.
func TestFreshPagesAreNotQueuedAgain(t *testing.T) {
	w := newWorld(30)
	w.mustPull(t)
	w.advance(9 * time.Minute)
	if run := w.mustPull(t); run.Requeued != 0 {
		t.Errorf("%d pages queued again after 9 minutes", run.Requeued)
	}
	w.advance(2 * time.Minute)
	if run := w.mustPull(t); run.Requeued != 2 || len(w.queue.keys) != 2 {
		t.Errorf("%d pages queued again after 11 minutes, want 2", run.Requeued)
	}
}

// TestRequeueStopsInTime: a slow queue does not keep a run over its deadline or
// from being recorded; further runs go on.
func TestRequeueStopsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		const backlog = 1000
		w.waiting(t, backlog, time.Now().Add(-11*time.Minute))
		w.queue.delay = time.Second
		p := capture.New(w.realTime())
		runs := 0
		for queued := 0; queued < backlog; runs++ {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			run, err := p.Run(ctx)
			if err != nil || ctx.Err() != nil || run.Requeued == 0 {
				t.Fatalf("run %+v: %v, %v", run, err, ctx.Err())
			}
			cancel()
			queued += run.Requeued
		}
		slices.Sort(w.queue.keys)
		if distinct := len(slices.Compact(slices.Clone(w.queue.keys))); distinct != backlog || len(w.queue.keys) != backlog || runs != 2 {
			t.Errorf("%d keys queued, %d of them different, in %d runs", len(w.queue.keys), distinct, runs)
		}
	})
}

// TestQueueThatFails: the run says so, and the pull itself counts.
func TestQueueThatFails(t *testing.T) {
	w := newWorld(30)
	w.waiting(t, 3, w.Now().Add(-time.Hour))
	faults := storetest.NewFaults()
	c := w.config()
	c.Queue = faults.Notifier(w.queue)
	faults.FailAt(1, storetest.Partly)
	run, err := capture.New(c).Run(t.Context())
	if err == nil || run.Stopped != capture.StoppedEnd || run.Error == "" {
		t.Fatalf("run %+v: %v", run, err)
	}
	w.checkComplete(t)
	state, err := w.catalog.Pages.PullState(t.Context())
	if err != nil || state.LastError == "" || state.EndReachedAt.IsZero() {
		t.Errorf("state %+v (%v)", state, err)
	}
	w.advance(time.Minute)
	if run := w.mustPull(t); run.Requeued != 3 {
		t.Errorf("%d pages queued again, want 3", run.Requeued)
	}
}
