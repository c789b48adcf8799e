package capture_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/capture"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/health"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom/wecomtest"
)

const day = 24 * time.Hour

// judge is what health is, as far as the puller knows.
func (w *world) judge(t *testing.T) (codes []health.AlarmCode, f health.Facts) {
	t.Helper()
	var err error
	if f.State, err = w.catalog.Pages.PullState(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f.Cursor, err = w.catalog.Pages.Cursor(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f.Gaps, err = w.catalog.Journal.Gaps(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	for _, a := range health.Judge(w.Now(), f) {
		if a.Message == "" || a.Remedy == "" {
			t.Errorf("alarm %+v says too little", a)
		}
		codes = append(codes, a.Code)
	}
	return codes, f
}

// put stores an object as somebody else would.
func (w *world) put(t *testing.T, key, body string) {
	t.Helper()
	if err := w.objects.PutIfAbsent(t.Context(), key, strings.NewReader(body)); err != nil {
		t.Fatal(err)
	}
}

// eventful is a world with a gap and key bindings, of which a later one superseded
// an earlier one.
func eventful(t *testing.T) *world {
	t.Helper()
	w := newWorld(50)
	w.mustPull(t)
	w.advance(6 * day)
	w.mustPull(t)
	for _, key := range []string{"zebra", "ant"} {
		w.advance(time.Second)
		b := archive.KeyBinding{PublicKeyVer: 1, Key: key, MsgID: "m"}
		if err := archive.PutBinding(t.Context(), w.objects, corpID, b, w.Now()); err != nil {
			t.Fatal(err)
		}
		if err := w.catalog.Keys.Bind(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	w.advance(time.Hour)
	w.mustPull(t)
	w.advance(time.Hour)
	return w
}

// checkRestored checks that the index knows what the world's events say.
func (w *world) checkRestored(t *testing.T, want health.Facts) {
	t.Helper()
	_, got := w.judge(t)
	if fmt.Sprint(got.Gaps) != fmt.Sprint(want.Gaps) || len(got.Gaps) != 1 {
		t.Errorf("gaps %v, want %v", got.Gaps, want.Gaps)
	}
	if key, err := w.catalog.Keys.Binding(t.Context(), 1); err != nil || key != "ant" {
		t.Errorf("bound to %q (%v), want the later one", key, err)
	}
	a, b := got.State, want.State
	if !a.FirstRunAt.Equal(b.FirstRunAt) || !a.EndReachedAt.Equal(b.EndReachedAt) || fmt.Sprint(a.Quiet) != fmt.Sprint(b.Quiet) {
		t.Errorf("state %+v, want %+v", a, b)
	}
}

// TestUnreadableEvents: invariant 9. After the index was lost, objects below
// events/ that cannot be read hold nothing up and are shown; all others count.
func TestUnreadableEvents(t *testing.T) {
	at := morning.Add(time.Hour)
	gap := archive.GapKey(archive.Gap{Since: at.Add(-30 * time.Minute), SeenAt: at})
	for name, bad := range map[string]struct{ key, body string }{
		"cut gap":                {gap, "{"},
		"newer gap":              {gap, `{"format":2,"kind":{"of":"gap"}}`},
		"empty gap":              {gap, `{"format":1,"kind":"gap","corp":"wwcapture","at":"2026-11-23T09:00:00Z","body":{}}`},
		"gap of another corp":    {gap, `{"format":1,"kind":"gap","corp":"wwother","at":"2026-11-23T09:00:00Z","body":{"since":"2026-11-23T08:30:00Z","seen_at":"2026-11-23T09:00:00Z"}}`},
		"damaged binding":        {archive.BindingKey(archive.KeyBinding{PublicKeyVer: 1, Key: "x"}, at), "\x00"},
		"binding that says else": {archive.BindingKey(archive.KeyBinding{PublicKeyVer: 1, Key: "x"}, at.Add(100*day)), ""},
		"newest run": {archive.RunKey(archive.Run{ID: "zzz", StartedAt: morning.Add(6*day + 2*time.Hour)}),
			`{"format":1,"kind":"run","corp":"wwcapture","at":"2026-11-29T09:00:00Z","body":{"id":7}}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := eventful(t)
			_, want := w.judge(t)
			w.put(t, bad.key, bad.body)
			w.loseIndex()
			w.stream.fail(1, wecomtest.SDKCode(10009)) // so that the proof is not a new one
			if _, err := w.pull(t); err == nil {
				t.Fatal("the run ended well")
			}
			w.checkRestored(t, want)
			if _, err := w.pull(t); err != nil {
				t.Fatal(err)
			}
			w.checkComplete(t)
			codes, f := w.judge(t)
			ahead := strings.HasPrefix(name, "binding that")
			if slices.Contains(codes, health.AlarmEvents) == ahead || (f.State.Unreadable.Key == bad.key) == ahead {
				t.Errorf("alarms %v, unreadable %+v", codes, f.State.Unreadable)
			}
			if slices.Contains(codes, health.AlarmNeverRan) {
				t.Errorf("alarms %v", codes)
			}
			// Counted once, however often the puller runs.
			w.advance(time.Hour)
			w.mustPull(t)
			if _, f := w.judge(t); !ahead && f.State.Unreadable.Count != 1 {
				t.Errorf("unreadable %+v", f.State.Unreadable)
			}
		})
	}
}

// brokenReads fails to read some objects, and counts those that it reads.
type brokenReads struct {
	store.Objects
	prefix string
	broken bool
	reads  int
}

func (o *brokenReads) Get(ctx context.Context, key string) (io.ReadCloser, store.ObjectInfo, error) {
	if strings.HasPrefix(key, o.prefix) {
		if o.reads++; o.broken {
			return nil, store.ObjectInfo{}, errors.New("the network is away")
		}
	}
	return o.Objects.Get(ctx, key)
}

// TestEventsNotReadNow: a store that does not answer is not taken for damage. The
// run fails, says so, and the next one restores everything.
func TestEventsNotReadNow(t *testing.T) {
	w := eventful(t)
	_, want := w.judge(t)
	w.loseIndex()
	objects := &brokenReads{Objects: w.objects, prefix: archive.EventsPrefix, broken: true}
	c := w.config()
	c.Objects = objects
	for range 3 {
		run, err := capture.New(c).Run(t.Context())
		if err == nil || run.Stopped != capture.StoppedError || run.Remedy == "" || run.Calls > 0 {
			t.Fatalf("run %+v: %v", run, err)
		}
		codes, f := w.judge(t)
		if !slices.Contains(codes, health.AlarmPull) || !slices.Contains(codes, health.AlarmNeverRan) || f.State.Unreadable.Count > 0 {
			t.Errorf("alarms %v, %+v", codes, f.State)
		}
		w.advance(time.Hour)
	}
	objects.broken = false
	w.stream.fail(1, wecomtest.SDKCode(10009))
	if _, err := capture.New(c).Run(t.Context()); err == nil {
		t.Fatal("the run ended well")
	}
	w.checkRestored(t, want)
}

// TestLockFailsFirst: what keeps the first run from its work shows.
func TestLockFailsFirst(t *testing.T) {
	w := newWorld(10)
	c := w.config()
	c.Lock = storetest.NewUnlockedObjects()
	if _, err := capture.New(c).Run(t.Context()); !errors.Is(err, store.ErrNotLocked) {
		t.Fatal(err)
	}
	if codes, _ := w.judge(t); !slices.Contains(codes, health.AlarmPull) {
		t.Errorf("alarms %v", codes)
	}
}

// TestBackupOfTheIndex: an index that is restored from a backup learns from newer
// events. It knows the last proof, and no gap is recorded that never was.
func TestBackupOfTheIndex(t *testing.T) {
	for _, age := range []int{0, 3, 6, 40} {
		t.Run(fmt.Sprintf("%d days old", age), func(t *testing.T) {
			w := newWorld(50)
			w.mustPull(t)
			backup := storetest.NewIndex()
			if err := backup.Put(t.Context(), w.index.All()...); err != nil {
				t.Fatal(err)
			}
			for range age {
				w.advance(day)
				w.mustPull(t)
			}
			w.stream.seqs = append(w.stream.seqs, 5000)
			w.advance(time.Hour)
			w.mustPull(t)
			_, want := w.judge(t)
			w.index, w.catalog = backup, catalog.New(backup)
			w.advance(time.Hour)
			w.stream.fail(1, wecomtest.SDKCode(10009))
			if run, err := w.pull(t); err == nil || run.Gap {
				t.Fatalf("run %+v: %v", run, err)
			}
			_, got := w.judge(t)
			if len(got.Gaps) > 0 || !got.State.EndReachedAt.Equal(want.State.EndReachedAt) || fmt.Sprint(got.State.Quiet) != fmt.Sprint(want.State.Quiet) {
				t.Errorf("gaps %v, state %+v, want %+v", got.Gaps, got.State, want.State)
			}
			w.mustPull(t)
			w.checkComplete(t)
		})
	}

	w := eventful(t)
	_, want := w.judge(t)
	old := storetest.NewIndex() // knows the beginning only
	w.index, w.catalog = old, catalog.New(old)
	if _, err := w.catalog.Pages.UpdatePullState(t.Context(), func(s *catalog.PullState) {
		s.FirstRunAt, s.EndReachedAt, s.EventsAt = morning, morning, morning
	}); err != nil {
		t.Fatal(err)
	}
	w.stream.fail(1, wecomtest.SDKCode(10009))
	if _, err := w.pull(t); err == nil {
		t.Fatal("the run ended well")
	}
	w.checkRestored(t, want)
}

// TestEventsAreReadOnce: in a long outage each run leaves an event; none of them is
// read again by the runs after it.
func TestEventsAreReadOnce(t *testing.T) {
	w := newWorld(10)
	w.mustPull(t)
	objects := &brokenReads{Objects: w.objects, prefix: archive.EventsPrefix}
	c := w.config()
	c.Objects = objects
	w.stream.fail(200, wecomtest.SDKCode(10009))
	for range 200 {
		w.advance(time.Hour)
		if _, err := capture.New(c).Run(t.Context()); err == nil {
			t.Fatal("the run ended well")
		}
	}
	if objects.reads > 0 {
		t.Errorf("%d events read", objects.reads)
	}
	// Nor does a lost index cost more for a long history.
	w.loseIndex()
	if _, err := capture.New(c).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if objects.reads > 11 {
		t.Errorf("%d events read to restore one gap and what the last run knew", objects.reads)
	}
}

// TestCrashWhileRestoring: wherever the puller dies after an index was restored
// from a backup, an unreadable event is counted once, and all is known at the end.
func TestCrashWhileRestoring(t *testing.T) {
	for k := 1; ; k++ {
		w := newWorld(50)
		w.mustPull(t)
		w.advance(time.Hour)
		w.put(t, archive.GapKey(archive.Gap{Since: morning, SeenAt: w.Now()}), "{")
		w.advance(time.Hour)
		faults := storetest.NewFaults()
		c := w.config()
		c.Objects = faults.Objects(w.objects)
		take(&c, catalog.New(faults.Index(w.index)))
		faults.CrashAt(k, storetest.After)
		_, _ = capture.New(c).Run(t.Context())
		crashed := faults.Crashed()
		w.advance(time.Hour)
		w.mustPull(t)
		if _, f := w.judge(t); f.State.Unreadable.Count != 1 || !f.State.EndReachedAt.Equal(w.Now()) {
			t.Errorf("crash at %d: %+v", k, f.State)
		}
		if !crashed {
			break
		}
	}
}

// gaps counts the events of gaps.
func (w *world) gaps(t *testing.T) (n int) {
	t.Helper()
	for info, err := range w.objects.List(t.Context(), archive.EventsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		if kind, _, _ := archive.ParseEventKey(info.Key); kind == archive.EventGap {
			n++
		}
	}
	return n
}

// TestProofAtOnceAfterClockAhead: the next proof counts, though it is earlier.
func TestProofAtOnceAfterClockAhead(t *testing.T) {
	w := newWorld(50)
	w.advance(30 * day)
	w.mustPull(t)
	w.advance(-30 * day)
	w.mustPull(t)
	codes, f := w.judge(t)
	if !f.State.EndReachedAt.Equal(w.Now()) || slices.Contains(codes, health.AlarmClock) {
		t.Errorf("alarms %v, last proof %v", codes, f.State.EndReachedAt)
	}
	w.advance(27 * time.Hour)
	if codes, _ := w.judge(t); !slices.Contains(codes, health.AlarmBehind) {
		t.Errorf("alarms %v", codes)
	}
}
