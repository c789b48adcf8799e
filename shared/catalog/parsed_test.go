package catalog_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

const parsedDay = "2026-11-23"

var parsedFrom = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func parsedPart(asked uint64, part, parser, messages, unparsed int) catalog.ParsedPart {
	return catalog.ParsedPart{Day: parsedDay, SeqAsked: asked, Part: part, Parser: parser, ParseCount: catalog.ParseCount{Messages: messages, Unparsed: unparsed}}
}

// TestParsedLikeAMap: however often, in whatever order and by whatever parsers parts are
// noted, each counts once, as the newest parser read it.
func TestParsedLikeAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx, pages := context.Background(), catalog.New(storetest.NewIndex()).Pages
		type key struct {
			day   string
			asked uint64
			part  int
		}
		want := map[key]catalog.ParsedPart{}
		for range rapid.IntRange(1, 40).Draw(t, "notes") {
			p := parsedPart(rapid.Uint64Range(0, 3).Draw(t, "page"), rapid.IntRange(0, 2).Draw(t, "part"), rapid.IntRange(1, 4).Draw(t, "parser"),
				rapid.IntRange(1, 5).Draw(t, "messages"), rapid.IntRange(0, 5).Draw(t, "unparsed"))
			p.UnknownType = rapid.IntRange(0, 5).Draw(t, "unknown")
			p.Day = rapid.SampledFrom([]string{parsedDay, "2026-11-24"}).Draw(t, "day")
			if err := pages.NoteParsed(ctx, p); err != nil {
				t.Fatal(err)
			}
			if err := pages.CountParsed(ctx, p.Day); err != nil {
				t.Fatal(err)
			}
			if k := (key{p.Day, p.SeqAsked, p.Part}); want[k].Parser <= p.Parser {
				want[k] = p
			}
		}
		sums := map[string]catalog.ParseCount{}
		for k, p := range want {
			sum := sums[k.day]
			sum.Add(p.ParseCount)
			sums[k.day] = sum
		}
		days, err := pages.ParsedDays(ctx, parsedFrom)
		if err != nil || len(days) != len(sums) || !slices.IsSortedFunc(days, func(a, b catalog.ParsedDay) int { return strings.Compare(a.Day, b.Day) }) {
			t.Fatalf("%+v, want %v: %v", days, sums, err)
		}
		for _, d := range days {
			if d.ParseCount != sums[d.Day] {
				t.Fatalf("%s: %+v, want %+v", d.Day, d.ParseCount, sums[d.Day])
			}
		}
	})
}

// overtaking calls the next of its functions before each write of a sum.
type overtaking struct {
	store.Index
	before []func()
}

func (o *overtaking) PutIf(ctx context.Context, item store.Item) error {
	if item.Partition == "parsed" && len(o.before) > 0 {
		f := o.before[0]
		if o.before = o.before[1:]; f != nil {
			f()
		}
	}
	return o.Index.PutIf(ctx, item)
}

// TestParsedOvertaken: who was overtaken counts again what the other one did not know,
// and may leave it at that when he is overtaken by one who knew it.
func TestParsedOvertaken(t *testing.T) {
	ctx, index := t.Context(), storetest.NewIndex()
	note := func(p *catalog.Pages, part catalog.ParsedPart) {
		t.Helper()
		if err := p.NoteParsed(ctx, part); err != nil {
			t.Fatal(err)
		}
		if err := p.CountParsed(ctx, part.Day); err != nil {
			t.Fatal(err)
		}
	}
	other := catalog.New(index).Pages
	note(other, parsedPart(0, 0, 1, 10, 0))
	stale := func() { // what one writes who listed the parts before
		item, err := index.Get(ctx, "parsed", parsedDay)
		if err != nil {
			t.Fatal(err)
		}
		if err := index.PutIf(ctx, item); err != nil {
			t.Fatal(err)
		}
	}
	whole := func() { note(other, parsedPart(2, 0, 1, 1000, 0)) }
	for i, test := range []struct {
		before []func()
		want   int
	}{
		{[]func(){stale}, 110},
		{[]func(){stale, whole}, 1210},
		{[]func(){whole}, 1310},
	} {
		mine := catalog.New(&overtaking{index, test.before}).Pages
		note(mine, parsedPart(uint64(10+i), 0, 1, 100, 0))
		days, err := mine.ParsedDays(ctx, parsedFrom)
		if err != nil || len(days) != 1 || days[0].Messages != test.want {
			t.Errorf("case %d: %+v, want %d: %v", i, days, test.want, err)
		}
	}
}

// TestParsedByMany: archivers at once lose nothing, whoever comes last.
func TestParsedByMany(t *testing.T) {
	ctx, index := t.Context(), storetest.NewIndex()
	const writers, each = 12, 8
	var all sync.WaitGroup
	errs := make(chan error, writers*each*2)
	for w := range writers {
		all.Go(func() {
			pages := catalog.New(index).Pages
			for n := range each {
				errs <- pages.NoteParsed(ctx, parsedPart(uint64(w*each+n), n%2, 1, 10, 1))
				errs <- pages.CountParsed(ctx, parsedDay)
			}
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	days, err := catalog.New(index).Pages.ParsedDays(ctx, parsedFrom)
	if want := (catalog.ParseCount{Messages: writers * each * 10, Unparsed: writers * each}); err != nil || len(days) != 1 || days[0].ParseCount != want {
		t.Errorf("%+v, want %+v: %v", days, want, err)
	}
}

// TestParsedDaysAreBounded: what is read is, however far ahead clocks were, and begins
// with the day that was asked for.
func TestParsedDaysAreBounded(t *testing.T) {
	index := storetest.NewIndex()
	for n := range 1000 {
		day := parsedFrom.AddDate(0, 0, n-10).Format(time.DateOnly)
		if err := index.Put(t.Context(), store.Item{Partition: "parsed", Sort: day, Value: fmt.Appendf(nil, `{"day":%q,"messages":1}`, day)}); err != nil {
			t.Fatal(err)
		}
	}
	days, err := catalog.New(index).Pages.ParsedDays(t.Context(), parsedFrom)
	if err != nil || len(days) > 400 || days[0].Day != "2026-11-01" {
		t.Errorf("%d days from %v: %v", len(days), days[:1], err)
	}
}
