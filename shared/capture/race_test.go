package capture_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wecom-archive/shared/capture"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

// turns lets several pullers run one at a time: each stops before every call of a
// port until it is given its turn.
type turns struct {
	waiting chan int // a puller has come to a call
	done    chan int // a puller has ended its run
	turn    []chan struct{}
}

func newTurns(n int) *turns {
	tn := &turns{waiting: make(chan int), done: make(chan int)}
	for range n {
		tn.turn = append(tn.turn, make(chan struct{}))
	}
	return tn
}

func (tn *turns) step(id int) {
	tn.waiting <- id
	<-tn.turn[id]
}

// run starts all and lets pick say whose turn it is until all have ended.
func (tn *turns) run(start []func(), pick func(ready []int) int) {
	for id, f := range start {
		go func() {
			f()
			tn.done <- id
		}()
	}
	running := len(start)
	var ready []int
	for {
		for running > 0 {
			select {
			case id := <-tn.waiting:
				ready = append(ready, id)
			case <-tn.done:
			}
			running--
		}
		if len(ready) == 0 {
			return
		}
		at := pick(ready)
		id := ready[at]
		ready = append(ready[:at:at], ready[at+1:]...)
		running = 1
		tn.turn[id] <- struct{}{}
	}
}

// steppedObjects, steppedIndex and steppedChats wait for their puller's turn.
type steppedObjects struct {
	store.Objects
	step func()
}

func (o steppedObjects) PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error {
	o.step()
	return o.Objects.PutIfAbsent(ctx, key, body)
}

func (o steppedObjects) Get(ctx context.Context, key string) (io.ReadCloser, store.ObjectInfo, error) {
	o.step()
	return o.Objects.Get(ctx, key)
}

func (o steppedObjects) List(ctx context.Context, prefix, after string) iter.Seq2[store.ObjectInfo, error] {
	o.step()
	return o.Objects.List(ctx, prefix, after)
}

type steppedIndex struct {
	store.Index
	step func()
}

func (x steppedIndex) Get(ctx context.Context, partition, sort string) (store.Item, error) {
	x.step()
	return x.Index.Get(ctx, partition, sort)
}

func (x steppedIndex) Put(ctx context.Context, items ...store.Item) error {
	x.step()
	return x.Index.Put(ctx, items...)
}

func (x steppedIndex) PutIf(ctx context.Context, item store.Item) error {
	x.step()
	return x.Index.PutIf(ctx, item)
}

type steppedChats struct {
	capture.Chats
	step func()
}

func (c steppedChats) GetChatData(ctx context.Context, seq uint64, limit int) ([]byte, error) {
	c.step()
	return c.Chats.GetChatData(ctx, seq, limit)
}

// rival is a puller of its own: other clock, other limit, other name. Its clock
// is so far ahead that it believes every other lease to have expired.
func (w *world) rival(id, limit int, step func()) *capture.Puller {
	c := w.config()
	own := &clock{now: morning.Add(time.Duration(id) * time.Hour)}
	c.Now, c.Sleep, c.Limit, c.Owner = own.Now, own.Sleep, limit, fmt.Sprintf("puller-%d", id)
	c.LeaseTTL = 10 * time.Minute
	if step != nil {
		c.Objects = steppedObjects{w.objects, step}
		take(&c, catalog.New(steppedIndex{w.index, step}))
		c.Chats = steppedChats{w.stream, step}
	}
	return capture.New(c)
}

// tolerable says whether a run may end so when another is at work.
func tolerable(err error) bool {
	var held *catalog.LeaseHeldError
	return err == nil || errors.As(err, &held)
}

// TestTwoPullersInterleaved lets two or three pullers that all believe to hold
// the lease take turns between any two calls, in an order that rapid chooses.
func TestTwoPullersInterleaved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.IntRange(1, 40).Draw(t, "messages"))
		rivals := rapid.IntRange(2, 3).Draw(t, "pullers")
		tn := newTurns(rivals)
		var start []func()
		errs := make([]error, rivals)
		for id := range rivals {
			p := w.rival(id, rapid.IntRange(1, 15).Draw(t, "limit"), func() { tn.step(id) })
			start = append(start, func() { _, errs[id] = p.Run(context.Background()) })
		}
		tn.run(start, func(ready []int) int { return rapid.IntRange(0, len(ready)-1).Draw(t, "turn") })
		for id, err := range errs {
			if !tolerable(err) {
				t.Fatalf("puller %d: %v", id, err)
			}
		}
		w.checkChain(t)
		if run, err := w.rival(9, 20, nil).Run(context.Background()); err != nil || run.Stopped != capture.StoppedEnd {
			t.Fatalf("a last run: %+v: %v", run, err)
		}
		w.checkComplete(t)
	})
}

// TestTwoPullersAtOnce is the same without an order, for the race detector.
func TestTwoPullersAtOnce(t *testing.T) {
	for round := range 15 {
		w := newWorld(90)
		var group sync.WaitGroup
		for id := range 3 {
			group.Go(func() {
				for n := range 3 {
					if _, err := w.rival(3*n+id, 3+5*id+round%4, nil).Run(t.Context()); !tolerable(err) {
						t.Errorf("puller %d: %v", id, err)
					}
				}
			})
		}
		group.Wait()
		if run, err := w.rival(20, 20, nil).Run(t.Context()); err != nil || run.Stopped != capture.StoppedEnd {
			t.Fatalf("a last run: %+v: %v", run, err)
		}
		w.checkComplete(t)
	}
}

// TestLeaseHeld: a puller that is not alone does nothing.
func TestLeaseHeld(t *testing.T) {
	w := newWorld(10)
	if _, err := w.catalog.Pages.AcquireLease(t.Context(), "somebody", w.Now(), time.Minute); err != nil {
		t.Fatal(err)
	}
	run, err := w.pull(t)
	var held *catalog.LeaseHeldError
	if !errors.As(err, &held) || held.Owner != "somebody" || run.Stopped != capture.StoppedLease || len(w.stream.asked) > 0 {
		t.Fatalf("run %+v: %v", run, err)
	}
	w.advance(2 * time.Minute)
	w.mustPull(t)
	w.checkComplete(t)
}
