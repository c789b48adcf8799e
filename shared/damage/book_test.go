package damage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

var start = time.Date(2026, 11, 30, 9, 0, 0, 123456789, time.UTC)

type world struct {
	objects *storetest.Objects
	index   *storetest.Index
	faults  *storetest.Faults
	at      time.Time
}

func newWorld() *world {
	return &world{objects: storetest.NewObjects(), index: storetest.NewIndex(), faults: storetest.NewFaults(), at: start}
}

func (w *world) events(t *testing.T) (keys []string) {
	t.Helper()
	for info, err := range w.objects.List(t.Context(), archive.EventsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

func (w *world) now() time.Time { return w.at }

func (w *world) book() *damage.Book {
	return damage.New(w.faults.Objects(w.objects), table.Table{Index: w.faults.Index(w.index)}, "ww1", w.now)
}

// rebuilt is the book after the index was lost: events in the order of keys, or the
// other way round.
func (w *world) rebuilt(ctx context.Context, t interface{ Fatal(...any) }, backwards bool) *damage.Book {
	b := damage.New(w.objects, table.Table{Index: storetest.NewIndex()}, "ww1", w.now)
	var keys []string
	for info, err := range w.objects.List(ctx, archive.EventsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	if backwards {
		slices.Reverse(keys)
	}
	for _, key := range keys {
		if err := note(ctx, b, w.objects, key); err != nil {
			t.Fatal(key, err)
		}
	}
	return b
}

func note(ctx context.Context, b *damage.Book, objects store.Objects, key string) error {
	if strings.Contains(key, "/damageclosed-") {
		var c archive.FindingClosed
		if e, err := archive.GetEvent(ctx, objects, key, &c); err != nil || e.Kind != archive.EventDamageClosed || archive.FindingClosedKey(c) != key {
			return fmt.Errorf("%+v, %w", e, err)
		}
		return b.NoteClosed(ctx, c)
	}
	var f archive.Finding
	if e, err := archive.GetEvent(ctx, objects, key, &f); err != nil || e.Kind != archive.EventDamage || archive.FindingKey(f) != key {
		return fmt.Errorf("%+v, %w", e, err)
	}
	return b.Note(ctx, f)
}

func states(ctx context.Context, t interface{ Fatal(...any) }, b *damage.Book) string {
	s, err := b.Summary(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range s.Open {
		out = append(out, "open "+e.Finding.Key)
	}
	for _, e := range s.Acknowledged {
		out = append(out, "acknowledged "+e.Finding.Key+" by "+e.By+": "+e.Reason)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func altered(key string) archive.Finding {
	return archive.Finding{Where: archive.InArchive, Kind: archive.Altered, Key: key, By: "reader", Detail: "its SHA-256 differs"}
}

// TestLife: a finding stands until it is mended or acknowledged, once, also without the
// index; what was mended and breaks again is a new one.
func TestLife(t *testing.T) {
	w, ctx := newWorld(), t.Context()
	b := w.book()
	id := altered("media/x").ID()
	for _, step := range []struct {
		name   string
		do     func() error
		want   string
		events int
	}{
		{"noticed", func() error { return b.Report(ctx, altered("media/x")) }, "open media/x", 1},
		{"noticed again", func() error { return b.Report(ctx, altered("media/x")) }, "open media/x", 1},
		{"another is whole", func() error { return b.Whole(ctx, archive.InArchive, "media/y", "scrub") }, "open media/x", 1},
		{"a derived one is whole", func() error { return b.Whole(ctx, archive.InDerived, "media/x", "scrub") }, "open media/x", 1},
		{"acknowledged", func() error { return b.Acknowledge(ctx, id, "anna", " burnt ") }, "acknowledged media/x by anna: burnt", 2},
		{"noticed again", func() error { return b.Report(ctx, altered("media/x")) }, "acknowledged media/x by anna: burnt", 2},
		{"mended", func() error { return b.Whole(ctx, archive.InArchive, "media/x", "scrub") }, "", 3},
		{"still", func() error { return b.Whole(ctx, archive.InArchive, "media/x", "scrub") }, "", 3},
		{"broken again, by a clock that is behind", func() error { w.at = start.Add(-time.Hour); return b.Report(ctx, altered("media/x")) }, "open media/x", 4},
		{"mended", func() error { return b.Whole(ctx, archive.InArchive, "media/x", "scrub") }, "", 5},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := states(ctx, t, b); got != step.want {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
		for _, backwards := range []bool{false, true} {
			if got := states(ctx, t, w.rebuilt(ctx, t, backwards)); got != step.want {
				t.Errorf("%s, made again (backwards %v): %q, want %q", step.name, backwards, got, step.want)
			}
		}
		if n := len(w.events(t)); n != step.events {
			t.Errorf("%s: %d events, want %d", step.name, n, step.events)
		}
	}
}

// TestAcknowledgeNeeds: somebody says why, of something that is open.
func TestAcknowledgeNeeds(t *testing.T) {
	w := newWorld()
	b := w.book()
	if err := b.Report(t.Context(), altered("pages/1")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		id, reason string
		want       error
	}{
		{altered("pages/1").ID(), "", damage.ErrReason},
		{altered("pages/1").ID(), " \n", damage.ErrReason},
		{altered("pages/1").ID(), strings.Repeat("x", archive.MaxReason+1), damage.ErrReason},
		{altered("pages/2").ID(), "because", damage.ErrUnknown},
		{"../../x", "because", damage.ErrUnknown},
	} {
		if err := b.Acknowledge(t.Context(), test.id, "anna", test.reason); !errors.Is(err, test.want) {
			t.Errorf("acknowledging %s, %.10q: %v, want %v", test.id, test.reason, err, test.want)
		}
	}
	if got := states(t.Context(), t, b); got != "open pages/1" {
		t.Errorf("it stands %q", got)
	}
}

// TestDerivedLeavesNoEvent: what is made again with the index is no fact for ever; but
// what a person says is.
func TestDerivedLeavesNoEvent(t *testing.T) {
	w, ctx := newWorld(), t.Context()
	b := w.book()
	f := archive.Finding{Where: archive.InDerived, Kind: archive.Missing, Key: "compactions/x", By: "search"}
	if err := b.Report(ctx, f); err != nil {
		t.Fatal(err)
	}
	if got, keys := states(ctx, t, b), w.events(t); got != "open compactions/x" || len(keys) != 0 {
		t.Errorf("it stands %q, events %q", got, keys)
	}
	if err := b.Acknowledge(ctx, f.ID(), "anna", "why"); err != nil || len(w.events(t)) != 1 {
		t.Errorf("acknowledged: %v, events %q", err, w.events(t))
	}
}

// TestCrashAtEveryStep: broken off anywhere and done again, it is as if nothing had
// happened, with and without the index.
func TestCrashAtEveryStep(t *testing.T) {
	steps := []func(context.Context, *damage.Book) error{
		func(ctx context.Context, b *damage.Book) error { return b.Report(ctx, altered("media/x")) },
		func(ctx context.Context, b *damage.Book) error { return b.Report(ctx, altered("media/y")) },
		func(ctx context.Context, b *damage.Book) error {
			err := b.Acknowledge(ctx, altered("media/x").ID(), "anna", "burnt")
			if errors.Is(err, damage.ErrUnknown) { // it was done before the crash
				return nil
			}
			return err
		},
		func(ctx context.Context, b *damage.Book) error {
			return b.Whole(ctx, archive.InArchive, "media/y", "scrub")
		},
		func(ctx context.Context, b *damage.Book) error {
			return b.Whole(ctx, archive.InArchive, "media/x", "scrub")
		},
		func(ctx context.Context, b *damage.Book) error { return b.Report(ctx, altered("media/y")) },
	}
	crashes := 0
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		for k := 1; ; k++ {
			w := newWorld()
			w.faults.CrashAt(k, when)
			before := crashes
			for i, step := range steps {
				w.at = w.at.Add(time.Second)
				if err := step(t.Context(), w.book()); err != nil {
					if !w.faults.Crashed() {
						t.Fatalf("step %d: %v", i, err)
					}
					crashes++
					w.faults.Restart()
					if err := step(t.Context(), w.book()); err != nil {
						t.Fatalf("step %d, after a crash at %d: %v", i, k, err)
					}
				}
			}
			for name, b := range map[string]*damage.Book{"index": w.book(), "events": w.rebuilt(t.Context(), t, false), "backwards": w.rebuilt(t.Context(), t, true)} {
				if got := states(t.Context(), t, b); got != "open media/y" {
					t.Errorf("crash at %d, by the %s: %q", k, name, got)
				}
			}
			if crashes == before { // it went through
				break
			}
		}
	}
	if crashes < 20 {
		t.Errorf("%d crashes only", crashes)
	}
}

// TestLikeAModel: whatever is reported, mended and acknowledged, in any order and by any
// clock, the book says what a plain list says, and so does one made of the events.
func TestLikeAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, ctx := newWorld(), context.Background()
		b := w.book()
		model := map[string]string{}
		keys := rapid.SampledFrom([]string{"pages/1", "pages/2", "media/x"})
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			w.at = start.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "clock")) * time.Millisecond)
			key := keys.Draw(t, "key")
			var err error
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				if err = b.Report(ctx, altered(key)); model[key] == "" {
					model[key] = "open " + key
				}
			case 1:
				err = b.Whole(ctx, archive.InArchive, key, "scrub")
				delete(model, key)
			case 2:
				err = b.Acknowledge(ctx, altered(key).ID(), "anna", "why")
				if strings.HasPrefix(model[key], "open") {
					model[key] = "acknowledged " + key + " by anna: why"
				} else if errors.Is(err, damage.ErrUnknown) {
					err = nil
				}
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		var want []string
		for _, s := range model {
			want = append(want, s)
		}
		slices.Sort(want)
		for name, b := range map[string]*damage.Book{"index": b, "events": w.rebuilt(ctx, t, false), "backwards": w.rebuilt(ctx, t, true)} {
			if got := states(ctx, t, b); got != strings.Join(want, ", ") {
				t.Errorf("by the %s: %q, want %q", name, got, want)
			}
		}
	})
}

func TestList(t *testing.T) {
	w, ctx := newWorld(), t.Context()
	b := w.book()
	want := map[string]bool{}
	for i := range 7 {
		f := altered(fmt.Sprintf("media/%d", i))
		want[f.ID()] = true
		if err := b.Report(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	for after, pages := "", 0; ; pages++ {
		entries, next, err := b.List(ctx, "", after, 3)
		if err != nil || len(entries) > 3 {
			t.Fatal(len(entries), err)
		}
		for _, e := range entries {
			if !want[e.ID] {
				t.Errorf("%s stands there twice, or should not", e.ID)
			}
			delete(want, e.ID)
		}
		if after = next; next == "" {
			if pages != 2 {
				t.Errorf("%d pages more, want 2", pages)
			}
			break
		}
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
}
