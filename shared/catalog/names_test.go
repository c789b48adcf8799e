package catalog_test

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store/storetest"
)

// TestNamePeriods: names stand with the times in which they were seen, like a plain
// list of what was seen, in whatever order parts come, and however often.
func TestNamePeriods(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := t.Context()
		var seen []archive.DirectoryRecord
		at := asked
		for range rapid.IntRange(1, 12).Draw(t, "looks") {
			at = at.Add(time.Duration(rapid.IntRange(1, 48).Draw(t, "hours")) * time.Hour)
			answer := rapid.SampledFrom([]archive.Answer{archive.Named, archive.Named, archive.Named, archive.Unknown}).Draw(t, "answer")
			r := archive.DirectoryRecord{Kind: archive.SubjectExternal, ID: "wmA", At: at, Answer: answer}
			if answer == archive.Named {
				r.Name = rapid.SampledFrom([]string{"甲", "乙", "丙"}).Draw(t, "name")
			}
			seen = append(seen, r)
		}
		var want []catalog.NamePeriod
		for _, r := range seen {
			if r.Answer != archive.Named {
				continue
			}
			if n := len(want); n > 0 && want[n-1].Name == r.Name {
				want[n-1].To = r.At
			} else {
				want = append(want, catalog.NamePeriod{Name: r.Name, From: r.At, To: r.At})
			}
		}
		catalog := catalog.New(storetest.NewIndex())
		apply := func(r archive.DirectoryRecord) {
			p := archive.DirectoryPart{Corp: "ww1", Run: "run", At: r.At, Records: []archive.DirectoryRecord{r}}
			if err := catalog.People.ApplyDirectoryPart(ctx, archive.DirectoryKey(p), p); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range seen {
			apply(r)
		}
		again := rapid.Permutation(seen).Draw(t, "again")
		for _, r := range again {
			apply(r)
		}
		known, err := catalog.People.PersonEntries(ctx, "wmA", "wmNobody")
		if err != nil || len(known) != 1 {
			t.Fatalf("%+v, %v", known, err)
		}
		e, last := known["wmA"], seen[len(seen)-1]
		if !slices.Equal(e.Names, want) || !e.CheckedAt.Equal(last.At) || e.Answer != last.Answer {
			t.Fatalf("got  %+v\nwant %+v", e, want)
		}
		for _, r := range seen {
			if r.Answer == archive.Named && e.At(r.At) != r.Name {
				t.Fatalf("at %s: %q, want %q", r.At, e.At(r.At), r.Name)
			}
		}
	})
}

// TestNamesInAnyOrder: the names that were seen are all there, whatever the order.
func TestNamesInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := t.Context()
		cat := catalog.New(storetest.NewIndex())
		n := rapid.IntRange(1, 8).Draw(t, "n")
		var records []archive.DirectoryRecord
		for i := range n {
			records = append(records, archive.DirectoryRecord{Kind: archive.SubjectRoom, ID: "wrA", At: asked.Add(time.Duration(i) * time.Hour), Answer: archive.Named, Name: fmt.Sprint(i)})
		}
		for _, r := range rapid.Permutation(records).Draw(t, "order") {
			if err := cat.People.ApplyDirectoryPart(ctx, "key", archive.DirectoryPart{Records: []archive.DirectoryRecord{r}}); err != nil {
				t.Fatal(err)
			}
		}
		known, err := cat.People.RoomEntries(ctx, "wrA")
		if err != nil {
			t.Fatal(err)
		}
		names := known["wrA"].Names
		if len(names) != n || !slices.IsSortedFunc(names, func(a, b catalog.NamePeriod) int { return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To)) }) || known["wrA"].Now() != fmt.Sprint(n-1) {
			t.Fatalf("%+v", names)
		}
	})
}

// TestSeats: who comes, goes and comes back.
func TestSeats(t *testing.T) {
	ctx := t.Context()
	cat := catalog.New(storetest.NewIndex())
	day := func(n int) time.Time { return asked.AddDate(0, 0, n) }
	for n, seats := range []map[string][]string{
		{"1": {"Li.Na", "wang.wei"}},
		{"1": {"li.na"}, "3": {"Li.Na"}},
		{"3": {"Li.Na"}},
		{"1": {"wang.wei"}, "3": {"Li.Na"}},
	} {
		p := archive.DirectoryPart{Corp: "ww1", Run: "run", At: day(n), Records: []archive.DirectoryRecord{{Kind: archive.SubjectSeats, At: day(n), Answer: archive.Named, Seats: seats}}}
		for range 2 { // again changes nothing
			if err := cat.People.ApplyDirectoryPart(ctx, archive.DirectoryKey(p), p); err != nil {
				t.Fatal(err)
			}
		}
	}
	var got []catalog.Seat
	for s, err := range cat.People.Seats(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	want := []catalog.Seat{
		{ID: "li.na", UserID: "Li.Na", Editions: []int{3}, Periods: []catalog.SeatPeriod{{From: day(0)}}},
		{ID: "wang.wei", UserID: "wang.wei", Editions: []int{1}, Periods: []catalog.SeatPeriod{{From: day(0), To: day(1)}, {From: day(3)}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestSeatList: who has a seat now, as long as that is news.
func TestSeatList(t *testing.T) {
	ctx := t.Context()
	now := asked
	list := catalog.SeatList{People: catalog.New(storetest.NewIndex()).People, Now: func() time.Time { return now }}
	if ids, err := list.Seats(ctx); err == nil {
		t.Errorf("nobody asked yet: %v", ids)
	}
	for _, seats := range []map[string][]string{{"1": {"Li.Na", "wang.wei"}}, {"1": {"Li.Na"}}, {}} {
		now = now.Add(24 * time.Hour)
		p := archive.DirectoryPart{Corp: "ww1", Run: "run", At: now, Records: []archive.DirectoryRecord{{Kind: archive.SubjectSeats, At: now, Answer: archive.Named, Seats: seats}}}
		if err := list.People.ApplyDirectoryPart(ctx, archive.DirectoryKey(p), p); err != nil {
			t.Fatal(err)
		}
		if ids, err := list.Seats(ctx); err != nil || len(ids) != len(seats["1"]) {
			t.Errorf("%v: %v, %v", seats, ids, err)
		}
	}
	now = now.Add(49 * time.Hour)
	if ids, err := list.Seats(ctx); err == nil {
		t.Errorf("two days old: %v", ids)
	}
}
