package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/capture"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom/wecomtest"
)

// remembered gives a reply again that was made before: sealing is what costs.
type remembered struct {
	capture.Chats
	mu      sync.Mutex
	replies map[[2]uint64][]byte
}

func (r *remembered) GetChatData(ctx context.Context, seq uint64, limit int) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := [2]uint64{seq, uint64(limit)}
	if reply, ok := r.replies[at]; ok {
		return reply, ctx.Err()
	}
	reply, err := r.Chats.GetChatData(ctx, seq, limit)
	if err == nil {
		r.replies[at] = reply
	}
	return reply, err
}

var whens = []storetest.When{storetest.Before, storetest.After, storetest.Partly}

// small is a corp of few messages, since all of it is archived hundreds of times.
func small(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, 14, 4, func(c *wecomtest.Config) { c.Unreadable = 4 })
	w.chats = &remembered{Chats: w.chats, replies: map[[2]uint64][]byte{}}
	return w
}

// undisturbed runs a copy of w without faults and returns what an index must
// answer, and the number of durable operations that it took.
func undisturbed(t *testing.T, w *world) (answers string, operations int) {
	t.Helper()
	c := w.copy(t)
	c.boot(nil).mustFinish(t)
	s := c.read(t)
	s.checkTruth(t, c.corp, spoilt)
	if len(s.pages) != 4 {
		t.Fatalf("only %d pages", len(s.pages))
	}
	unreadable := 0
	for i := range c.corp.Len() {
		if c.corp.Unreadable(i) != "" {
			unreadable++
		}
	}
	if unreadable < 3 {
		t.Fatalf("only %d planted unreadable messages", unreadable)
	}
	return c.answers(t, s), c.faults.Count()
}

// eachStep calls f for every durable operation of an undisturbed run and every
// way to break it, on all cores.
func eachStep(t *testing.T, w *world, f func(t *testing.T, c *world, k int, when storetest.When, want string)) {
	want, operations := undisturbed(t, w)
	if operations < 30 {
		t.Fatalf("only %d durable operations", operations)
	}
	type job struct {
		k    int
		when storetest.When
	}
	jobs := make(chan job)
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for j := range jobs {
				c := w.copy(t)
				t.Run(fmt.Sprintf("%d/%d", j.k, j.when), func(t *testing.T) { f(t, c, j.k, j.when, want) })
			}
		})
	}
	for k := 1; k <= operations; k++ {
		for i, when := range whens {
			if !underRace || k%len(whens) == i {
				jobs <- job{k, when}
			}
		}
	}
	close(jobs)
	group.Wait()
}

// TestCrashAtEveryStep stops the whole program at every durable operation, before,
// in the middle of and after its effect, starts it again, and finds the same
// archive each time.
func TestCrashAtEveryStep(t *testing.T) {
	eachStep(t, small(t), func(t *testing.T, w *world, k int, when storetest.When, want string) {
		w.faults.CrashAt(k, when)
		if err := w.boot(nil).finish(t.Context()); !errors.Is(err, storetest.ErrCrashed) {
			t.Fatalf("no crash: %v", err)
		}
		w.faults.Restart()
		w.boot(nil).mustFinish(t)
		w.checkSame(t, want)
	})
}

// TestFailureAtEveryStep lets one operation fail, with and without effect, and
// the program go on.
func TestFailureAtEveryStep(t *testing.T) {
	eachStep(t, small(t), func(t *testing.T, w *world, k int, when storetest.When, want string) {
		w.faults.FailAt(k, when)
		w.boot(nil).mustFinish(t)
		w.checkSame(t, want)
	})
}

func (w *world) checkSame(t *testing.T, want string) {
	t.Helper()
	s := w.read(t)
	s.checkTruth(t, w.corp, spoilt)
	if got := w.answers(t, s); got != want {
		t.Errorf("the index answers\n%s\nwant\n%s", got, want)
	}
}

// TestCrashTwice breaks the recovery, too.
func TestCrashTwice(t *testing.T) {
	w := small(t)
	want, operations := undisturbed(t, w)
	step := 7
	if underRace {
		step = 21
	}
	for first := 3; first <= operations; first += step {
		for second := 1; second < 40; second += 9 {
			c := w.copy(t)
			c.faults.CrashAt(first, storetest.After)
			_ = c.boot(nil).finish(t.Context())
			c.faults.Restart()
			c.faults.CrashAt(second, storetest.Partly)
			if err := c.boot(nil).finish(t.Context()); err != nil && !errors.Is(err, storetest.ErrCrashed) {
				t.Fatal(err)
			}
			c.faults.Restart()
			c.boot(nil).mustFinish(t)
			c.checkSame(t, want)
		}
	}
}

// TestDroppedEvents: one in ten created-events is lost, then each one, and all is
// archived through requeueing.
func TestDroppedEvents(t *testing.T) {
	for _, drop := range []int{10, 2} {
		w := newWorld(t, 60, 4, nil)
		w.drop = drop
		p := w.boot(nil)
		if err := p.once(t.Context()); !errors.Is(err, errUnfinished) {
			t.Fatalf("nothing was lost: %v", err)
		}
		p.advance(61 * time.Minute)
		p.mustFinish(t)
		s := w.read(t)
		s.checkTruth(t, w.corp, spoilt)
		if len(s.pages) != 15 {
			t.Errorf("%d pages", len(s.pages))
		}
	}
}

// TestIndexLost: puller and archiver make an index anew from objects alone that
// gives the same answers.
func TestIndexLost(t *testing.T) {
	w := newWorld(t, 60, 10, nil)
	w.boot(nil).mustFinish(t)
	w.checkRebuilt(t)

	// Also with parts that were recovered later.
	w = newWorld(t, 60, 10, nil)
	w.boot(func(c *decode.Config) { c.Library = flaky{wecomtest.Library{}, 3} }).mustFinish(t)
	w.reopen(t, nil)
	s := w.read(t)
	s.checkTruth(t, w.corp, spoilt)
	parts := 0
	for _, p := range s.segments {
		parts += len(p)
	}
	if parts <= len(s.pages) {
		t.Fatalf("%d parts of %d pages: nothing was recovered later", parts, len(s.pages))
	}
	w.checkRebuilt(t)
}

// TestHugePageIsArchived: a page of 64 MB goes through both stages.
func TestHugePageIsArchived(t *testing.T) {
	size := 64 << 20
	if underRace {
		size = 4 << 20
	}
	w := newWorld(t, 12, 12, nil)
	w.corp.Fail(2, wecomtest.HugeErrmsg(size)) // the first seq is far from 0, so the first page is asked for twice
	w.boot(nil).mustFinish(t)
	s := w.read(t)
	s.checkTruth(t, w.corp, spoilt)
	if s.pages[0].Header.Size < int64(size) {
		t.Errorf("the page has %d bytes", s.pages[0].Header.Size)
	}
}

// TestSeqBeyondIntegersIsARow: an envelope whose seq fits nowhere has its row.
func TestSeqBeyondIntegersIsARow(t *testing.T) {
	for name, fault := range map[string]wecomtest.Fault{"int64": wecomtest.SeqBeyondInt64, "uint64": wecomtest.SeqBeyondUint64} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 24, 12, nil)
			w.corp.Fail(2, fault) // the first page is asked for twice
			w.boot(nil).mustFinish(t)
			s := w.read(t)
			rows := s.segments[0][0].rows
			last := rows[len(rows)-1]
			if len(rows) != 12 || last.HasSeq || last.Outcome != archive.OutcomeBadSeq || last.Position != 1 {
				t.Errorf("%d rows, the last one %+v", len(rows), last)
			}
			s.checkTruth(t, w.corp, spoilt)
			w.checkRebuilt(t)
		})
	}
}
