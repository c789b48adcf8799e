package pipeline_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/rebuild"
	"wecom-archive/shared/reparse"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/transcript"
	"wecom-archive/shared/upkeep"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

// slice is a context whose deadline comes near after it was looked at so often.
type slice struct {
	context.Context
	looks *int
}

func newSlice(ctx context.Context, looks int) slice { return slice{ctx, &looks} }

// Deadline implements context.Context.
func (s slice) Deadline() (time.Time, bool) {
	if *s.looks--; *s.looks < 0 {
		return time.Now().Add(time.Second), true
	}
	return time.Now().Add(time.Hour), true
}

// twoMonths is a world whose messages were pulled in two months, and whose employee is
// said to have had another userid.
func twoMonths(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, 240, 10, func(c *wecomtest.Config) {
		c.Employees, c.Customers = 4, 4
		c.Extents = []wecomtest.Extent{
			{Count: 120, From: start.Add(-72 * time.Hour), To: start.Add(-time.Hour)},
			{Count: 120, From: start.AddDate(0, 1, 0).Add(-24 * time.Hour), To: start.AddDate(0, 1, 0)},
		}
	})
	w.boot(nil).mustFinish(t)
	w.advance(start.AddDate(0, 1, 0).Add(time.Hour).Sub(w.Now()))
	w.boot(nil).mustFinish(t)
	w.objects.PlantDeleteMarker(archive.PageKey(0))
	w.objects.PlantVersion(archive.KeyRecordKey("key-1"), []byte("another key"))
	alias := archive.Alias{Was: "first.userid", Is: busiest(t, w.corp), At: w.Now(), Who: "me"}
	if err := catalog.SayAlias(t.Context(), w.objects, catalog.New(w.index).People, corpID, alias); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestReindexGoesOn stops a reindex again and again, after ever so few steps: the index
// is the one that an uninterrupted one makes, and so is the report.
func TestReindexGoesOn(t *testing.T) {
	w := twoMonths(t)
	w.index = storetest.NewIndex()
	w.reindex(t, false) // records the incidents
	w.index = storetest.NewIndex()
	want := w.reindex(t, false)
	answers := w.apiAnswers(t)
	for _, steps := range []int{2, 3, 7, 50} {
		w.index = storetest.NewIndex()
		var report rebuild.Report
		slices := 0
		for err := rebuild.ErrUnfinished; err != nil; slices++ {
			left := steps
			x := w.reindexer(&queue{})
			x.Stop = func() bool { left--; return left < 0 }
			if report, err = x.Run(t.Context(), slices == 0); err != nil && !errors.Is(err, rebuild.ErrUnfinished) {
				t.Fatal(err)
			}
			if slices > 500 {
				t.Fatalf("%d steps at a time: no end", steps)
			}
		}
		if report.Resumed != (slices > 1) || slices < 2 {
			t.Errorf("%d steps at a time: %d slices, resumed %v", steps, slices, report.Resumed)
		}
		report.Resumed = false
		if report != want {
			t.Errorf("%d steps at a time: %+v, want %+v", steps, report, want)
		}
		wantSameAnswers(t, w.apiAnswers(t), answers)
	}
}

// smallRounds are rounds of few messages, so that there is where to stop.
var smallRounds = compact.Limits{SortBytes: 8 << 10, RoundBytes: 16 << 10, GroupRows: 16, GroupBytes: 1 << 20, ObjectParts: 3}

func (w *world) smallCompactor(t *testing.T) *compact.Compactor {
	cat := catalog.New(w.index)
	return compact.New(compact.Config{
		Objects: w.objects, Derived: w.derived, Program: "test", Temp: t.TempDir(),
		Conversations: cat.Conversations, People: cat.People, Compactions: compaction.NewIndex(cat.Table),
		Read: reading.Read, Parser: wecom.ParserVersion, Limits: smallRounds,
	})
}

// TestReparseGoesOn stops a reparse again and again: each part of a segment is merged
// once, and the answers are those after an uninterrupted one.
func TestReparseGoesOn(t *testing.T) {
	w := twoMonths(t)
	index, derived := w.index, w.derived
	run := func(ctx context.Context) reparse.Report {
		t.Helper()
		catalog := catalog.New(w.index)
		report, err := (&reparse.Reparser{
			Objects: w.objects, Conversations: catalog.Conversations, People: catalog.People, Consents: catalog.Consents, Pages: catalog.Pages, Journal: catalog.Journal,
			Compactor: w.smallCompactor(t), Transcript: transcript.New(transcript.Config{
				Objects: w.objects, Derived: w.derived,
				Conversations: catalog.Conversations, Pages: catalog.Pages, Compactions: compaction.NewIndex(catalog.Table),
			}),
			Read: reading.Read, Parser: wecom.ParserVersion, Log: w.log,
		}).Run(ctx, w.Now())
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	var want reparse.Report
	var answers map[string]string
	for i, looks := range []int{1 << 30, 2, 3, 10} {
		w.index, w.derived = storetest.NewIndex(), storetest.NewDerived()
		w.reindex(t, false)
		report := run(newSlice(t.Context(), looks))
		slices := 1
		for ; report.More; slices++ {
			if slices > 500 {
				t.Fatalf("%d looks at a time: no end: %+v", looks, report)
			}
			report = run(newSlice(t.Context(), looks))
		}
		if report.Resumed != (slices > 1) || slices < 3 && i > 0 {
			t.Errorf("%d looks at a time: %d slices, resumed %v", looks, slices, report.Resumed)
		}
		report.Resumed = false
		got := w.apiAnswers(t)
		if i == 0 {
			want, answers = report, got
			if want.Moved == 0 || want.Months < 2 || want.Rounds <= want.Months {
				t.Fatalf("too little to stop in: %+v", want)
			}
			continue
		}
		if report != want {
			t.Errorf("%d looks at a time: %+v, want %+v", looks, report, want)
		}
		wantSameAnswers(t, got, answers)
	}
	w.index, w.derived = index, derived
}

// TestRecompactGoesOn is the same for months alone; and one that broke off is not gone
// on with after an alias was said, or after the index was made again.
func TestRecompactGoesOn(t *testing.T) {
	w := twoMonths(t)
	run := func(looks int) compact.Summary {
		t.Helper()
		cat := catalog.New(w.index)
		sum, err := reparse.Recompact(newSlice(t.Context(), looks), cat.People, cat.Journal, w.smallCompactor(t), compact.All, w.Now())
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	run(1 << 30)
	want := run(1 << 30)
	if want.More || want.Rounds <= want.Months || want.Months < 2 {
		t.Fatalf("%+v", want)
	}
	one := func() (slices int) {
		sum := compact.Summary{More: true}
		for ; sum.More; slices++ {
			sum = run(3)
		}
		if sum.Months != want.Months || sum.Messages != want.Messages {
			t.Errorf("%d slices: %+v, want %+v", slices, sum, want)
		}
		return slices
	}
	all := one()
	if all < 3 {
		t.Errorf("%d slices", all)
	}
	for range all / 2 {
		run(3)
	}
	alias := archive.Alias{Was: "zero.userid", Is: "first.userid", At: w.Now(), Who: "me"}
	if err := catalog.SayAlias(t.Context(), w.objects, catalog.New(w.index).People, corpID, alias); err != nil {
		t.Fatal(err)
	}
	if slices := one(); slices < all {
		t.Errorf("after another alias %d slices were enough, %d are needed for all", slices, all)
	}
	for range all / 2 {
		run(3)
	}
	var left map[string]any
	if found, err := catalog.New(w.index).Journal.Progress(t.Context(), "recompact", &left); err != nil || !found {
		t.Errorf("broken off, and nothing is known of it: %v", err)
	}
	w.reindex(t, false)
	if found, err := catalog.New(w.index).Journal.Progress(t.Context(), "recompact", &left); err != nil || found {
		t.Errorf("after a reindex it would go on: %v", err)
	}
	for sum := (compact.Summary{More: true}); sum.More; {
		if sum = run(3); !sum.More && sum.Months != want.Months {
			t.Errorf("after a reindex: %+v, want all %d months", sum, want.Months)
		}
	}
}

// TestStanding: whoever waits is told something at each stop.
func TestStanding(t *testing.T) {
	w := twoMonths(t)
	catalog := catalog.New(w.index)
	if line, err := rebuild.Standing(t.Context(), catalog.Journal, compaction.NewIndex(catalog.Table), upkeep.ModeReindex); err != nil || line != "" {
		t.Errorf("nobody reindexes: %q, %v", line, err)
	}
	seen := map[string]bool{}
	for err := rebuild.ErrUnfinished; err != nil; {
		left := 3
		x := w.reindexer(&queue{})
		x.Stop = func() bool { left--; return left < 0 }
		_, err = x.Run(t.Context(), false)
		line, failed := rebuild.Standing(t.Context(), catalog.Journal, compaction.NewIndex(catalog.Table), upkeep.ModeReindex)
		if failed != nil {
			t.Fatal(failed)
		}
		if err != nil && (line == "" || seen[line]) {
			t.Fatalf("%q, after %d others", line, len(seen))
		}
		if seen[line] = true; len(seen) > 500 {
			t.Fatal("no end")
		}
	}
	for _, mode := range []upkeep.Mode{upkeep.ModeCompact, upkeep.ModeRecompact, upkeep.ModeReparse} {
		if line, err := rebuild.Standing(t.Context(), catalog.Journal, compaction.NewIndex(catalog.Table), mode); err != nil || line == "" {
			t.Errorf("%s: %q, %v", mode, line, err)
		}
	}
}
