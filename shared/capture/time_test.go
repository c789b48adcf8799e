package capture_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/capture"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/wecom/wecomtest"
)

// realTime makes the world live by the time of a synctest bubble, so that
// deadlines of contexts count.
func (w *world) realTime() capture.Config {
	c := w.config()
	c.Now = time.Now
	c.Sleep = func(ctx context.Context, d time.Duration) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
			return nil
		}
	}
	return c
}

// TestDeadline: a run stops Margin before its deadline, says so, is recorded, and
// the next one goes on where it stopped.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(400)
		w.stream.onCall = func(int) { time.Sleep(3 * time.Second) }
		c := w.realTime()
		p := capture.New(c)
		pages := 0
		for n := 1; ; n++ {
			begin := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			run, err := p.Run(ctx)
			cancel()
			if err != nil || run.Error != "" {
				t.Fatalf("run %+v: %v", run, err)
			}
			pages += run.Pages
			if run.Stopped == capture.StoppedEnd {
				if n < 2 {
					t.Errorf("all in %d run: the deadline was not tested", n)
				}
				break
			}
			if took := time.Since(begin); run.Stopped != capture.StoppedDeadline || took > 45*time.Second || took < 38*time.Second {
				t.Fatalf("run stopped at %q after %v, want a deadline after about 40 s", run.Stopped, took)
			}
			recorded, err := w.catalog.Journal.Runs(t.Context(), "puller", 1)
			if err != nil || recorded[0].ID != run.ID || recorded[0].Stopped != capture.StoppedDeadline {
				t.Fatalf("recorded %+v (%v)", recorded, err)
			}
		}
		if headers := w.checkComplete(t); len(headers) != pages {
			t.Errorf("%d pages, the runs say %d", len(headers), pages)
		}
	})
}

// TestDeadlineWhileAdopting: also a long chain of stored pages is gone through in
// several runs.
func TestDeadlineWhileAdopting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(400)
		if _, err := capture.New(w.realTime()).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.loseIndex()
		c := w.realTime()
		c.Objects = steppedObjects{w.objects, func() { time.Sleep(2 * time.Second) }}
		p := capture.New(c)
		var runs, adopted int
		for stopped := ""; stopped != capture.StoppedEnd; runs++ {
			ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
			run, err := p.Run(ctx)
			cancel()
			if err != nil || run.Pages > 0 || runs > 20 {
				t.Fatalf("run %d: %+v: %v", runs, run, err)
			}
			stopped, adopted = run.Stopped, adopted+run.Adopted
		}
		if adopted != 20 || runs < 3 {
			t.Errorf("%d pages adopted in %d runs, want 20 in several", adopted, runs)
		}
		w.checkComplete(t)
	})
}

// TestDeadlineBeforeTheNextTry: a run that has no time left to wait for another
// try says what failed.
func TestDeadlineBeforeTheNextTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(10)
		w.stream.fail(1, wecomtest.Errcode(45009))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		run, err := capture.New(w.realTime()).Run(ctx)
		if err != nil || run.Stopped != capture.StoppedDeadline || run.Error == "" {
			t.Fatalf("run %+v: %v", run, err)
		}
		state, err := w.catalog.Pages.PullState(t.Context())
		if err != nil || state.LastError != run.Error || !state.LastSuccessAt.IsZero() {
			t.Errorf("state %+v (%v), want no success", state, err)
		}
	})
}

// TestCancelled: a run that is stopped from outside leaves nothing half done.
func TestCancelled(t *testing.T) {
	w := newWorld(100)
	ctx, cancel := context.WithCancel(t.Context())
	w.stream.onCall = func(n int) {
		if n == 3 {
			cancel()
		}
	}
	if _, err := capture.New(w.config()).Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	w.checkChain(t)
	w.stream.onCall = nil
	w.mustPull(t)
	w.checkComplete(t)
}

// TestCallsPerMinute: in no minute more calls than allowed, and not many fewer.
func TestCallsPerMinute(t *testing.T) {
	for _, limit := range []int{600, 45, 7, 1} {
		w := newWorld(limit + limit/2 + 2)
		var calls []time.Time
		w.stream.onCall = func(int) {
			calls = append(calls, w.Now())
			w.advance(20 * time.Millisecond)
		}
		c := w.config()
		c.Limit, c.CallsPerMinute = 1, limit
		if _, err := capture.New(c).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := limit; i < len(calls); i++ {
			if calls[i].Sub(calls[i-limit]) < time.Minute-time.Microsecond {
				t.Fatalf("limit %d: calls %d and %d are %v apart", limit, i-limit, i, calls[i].Sub(calls[i-limit]))
			}
		}
		if took := calls[len(calls)-1].Sub(calls[0]); took > 3*time.Minute {
			t.Errorf("limit %d: a minute and a half's calls took %v", limit, took)
		}
	}
}

// TestLeaseIsRenewed: during a run that takes longer than the lease nobody else
// gets it, and afterwards it is free.
func TestLeaseIsRenewed(t *testing.T) {
	w := newWorld(200)
	refused := 0
	w.stream.onCall = func(int) {
		_, err := w.catalog.Pages.AcquireLease(t.Context(), "other", w.Now(), time.Minute)
		var held *catalog.LeaseHeldError
		if !errors.As(err, &held) {
			t.Errorf("the lease was free: %v", err)
		}
		refused++
		w.advance(50 * time.Second)
	}
	begin := w.Now()
	w.mustPull(t)
	if refused != 11 || w.Now().Sub(begin) < 9*time.Minute {
		t.Errorf("%d calls in %v", refused, w.Now().Sub(begin))
	}
	if _, err := w.catalog.Pages.AcquireLease(t.Context(), "other", w.Now(), time.Minute); err != nil {
		t.Errorf("after the run: %v", err)
	}
}

// TestLeaseLost: who loses the lease stops, without an alarm and without success.
func TestLeaseLost(t *testing.T) {
	w := newWorld(100)
	w.stream.fail(1, wecomtest.Errcode(301042))
	if _, err := w.pull(t); err == nil {
		t.Fatal("the first run ended well")
	}
	w.advance(time.Minute)
	before, err := w.catalog.Pages.PullState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.stream.onCall = func(n int) {
		if n == 3 {
			w.advance(time.Hour)
			if _, err := w.catalog.Pages.AcquireLease(t.Context(), "other", w.Now(), 5*time.Minute); err != nil {
				t.Errorf("taking an expired lease: %v", err)
			}
		}
	}
	run, err := w.pull(t)
	var held *catalog.LeaseHeldError
	if !errors.As(err, &held) || held.Owner != "other" || run.Stopped != capture.StoppedLease || run.Error != "" || run.Pages == 0 {
		t.Fatalf("run %+v: %v", run, err)
	}
	after, err := w.catalog.Pages.PullState(t.Context())
	if err != nil || after.LastError == "" || after.LastError != before.LastError || after.LastRemedy != before.LastRemedy || !after.LastSuccessAt.IsZero() {
		t.Errorf("state %+v (%v), want error and success as before: %+v", after, err, before)
	}
	if _, err := w.catalog.Pages.AcquireLease(t.Context(), "third", w.Now(), time.Minute); !errors.As(err, &held) {
		t.Errorf("the loser released the winner's lease: %v", err)
	}
	w.stream.onCall = nil
	w.advance(time.Hour)
	w.mustPull(t)
	w.checkComplete(t)
}

// TestSuspended: a run that was suspended for days between its questions notes the
// gap when it goes on.
func TestSuspended(t *testing.T) {
	w := newWorld(25)
	w.mustPull(t)
	w.advance(time.Hour)
	w.stream.onCall = func(int) { w.advance(8 * 24 * time.Hour) }
	run, err := w.pull(t)
	if err != nil || !run.Gap {
		t.Errorf("run %+v, %v; want a gap", run, err)
	}
	if gaps, err := w.catalog.Journal.Gaps(t.Context(), 10); err != nil || len(gaps) != 1 {
		t.Errorf("gaps %+v, %v", gaps, err)
	}
}

// TestClockAheadOfOthers: what a process with a wrong clock left behind, a lease and
// a page, holds nobody up once the clock is right.
func TestClockAheadOfOthers(t *testing.T) {
	w := newWorld(25)
	if _, err := w.catalog.Pages.AcquireLease(t.Context(), "killed", w.Now().AddDate(0, 1, 0), 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	header := archive.PageHeader{SeqAsked: 7, LastSeq: 8, Count: 1, PulledAt: w.Now().AddDate(1, 0, 0)}
	if err := w.catalog.Pages.NotePage(t.Context(), header); err != nil {
		t.Fatal(err)
	}
	run := w.mustPull(t)
	if run.Pages == 0 || run.Requeued == 0 {
		t.Errorf("run %+v; want pages pulled and the waiting one queued again", run)
	}
}
