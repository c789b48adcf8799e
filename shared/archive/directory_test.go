package archive_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

var asked = time.Date(2026, 11, 23, 19, 0, 0, 123e6, time.UTC)

func examplePart() archive.DirectoryPart {
	return archive.DirectoryPart{
		Corp: "ww1", Run: "run-1", Part: 3, At: asked, Program: "test",
		Records: []archive.DirectoryRecord{
			{Kind: archive.SubjectEmployee, ID: "li.na", At: asked, Answer: archive.Named, Name: `李娜 "<&>" part_sha256":"`, Spelling: "Li.Na", Departments: []int64{1, 2}, Status: 1},
			{Kind: archive.SubjectExternal, ID: "wmA", At: asked, Answer: archive.Named, Name: "王伟", Type: 1, Followers: []archive.Follower{{UserID: "Li.Na", Remark: "王总", Tags: []string{"等级/老客户"}, CreatedAt: asked}}},
			{Kind: archive.SubjectRoom, ID: "wrA", At: asked, Answer: archive.NoApp, Customers: true, Members: []archive.RoomMember{{ID: "wmA", JoinedAt: asked}}},
			{Kind: archive.SubjectSeats, At: asked, Answer: archive.Named, Seats: map[string][]string{"1": {"Li.Na"}, "3": {"Li.Na", "wang.wei"}}},
		},
	}
}

func TestDirectoryPart(t *testing.T) {
	ctx := t.Context()
	objects := storetest.NewObjects()
	want := examplePart()
	key, err := archive.PutDirectoryPart(ctx, objects, want)
	if err != nil || key != "directory/dt=2026-11-23/1795460400123-run-1-00003.json.zst" {
		t.Fatalf("%s, %v", key, err)
	}
	if _, err := archive.PutDirectoryPart(ctx, objects, want); err != nil {
		t.Errorf("again: %v", err)
	}
	if at, ok := archive.ParseDirectoryKey(key); !ok || !at.Equal(asked) {
		t.Errorf("time of the key: %v, %v", at, ok)
	}
	got, err := archive.GetDirectoryPart(ctx, objects, key)
	if err != nil {
		t.Fatal(err)
	}
	got.Format, got.SHA256 = 0, ""
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	other := strings.Replace(key, "00003", "00004", 1)
	stored, err := store.ReadObject(ctx, objects, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := objects.PutIfAbsent(ctx, other, bytes.NewReader(stored)); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.GetDirectoryPart(ctx, objects, other); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("under another key: %v", err)
	}
}

// TestDamagedDirectoryPart: not one changed byte of the document is believed.
func TestDamagedDirectoryPart(t *testing.T) {
	objects := storetest.NewObjects()
	key, err := archive.PutDirectoryPart(t.Context(), objects, examplePart())
	if err != nil {
		t.Fatal(err)
	}
	stored, err := store.ReadObject(t.Context(), objects, key)
	if err != nil {
		t.Fatal(err)
	}
	dec, _ := zstd.NewReader(nil)
	enc, _ := zstd.NewWriter(nil)
	doc, err := dec.DecodeAll(stored, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range doc {
		altered := bytes.Clone(doc)
		altered[i] ^= 1
		if _, err := archive.DecodeDirectoryPart(enc.EncodeAll(altered, nil)); !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) {
			t.Fatalf("byte %d of %q: %v", i, doc, err)
		}
	}
	newer := bytes.Replace(doc, []byte(`"format":1`), []byte(`"format":2`), 1)
	if _, err := archive.DecodeDirectoryPart(enc.EncodeAll(newer, nil)); !errors.Is(err, archive.ErrNewFormat) {
		t.Errorf("a newer format: %v", err)
	}
}

func FuzzDecodeDirectoryPart(f *testing.F) {
	objects := storetest.NewObjects()
	key, err := archive.PutDirectoryPart(f.Context(), objects, examplePart())
	if err != nil {
		f.Fatal(err)
	}
	stored, err := store.ReadObject(f.Context(), objects, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stored)
	f.Add([]byte("rot"))
	f.Fuzz(func(t *testing.T, stored []byte) {
		p, err := archive.DecodeDirectoryPart(stored)
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) {
				t.Errorf("%v is neither damage nor a newer format", err)
			}
			return
		}
		// What is believed can be put into an index.
		catalog := archive.NewCatalog(storetest.NewIndex())
		if err := catalog.ApplyDirectoryPart(t.Context(), "key", p); err != nil {
			t.Log(err)
		}
	})
}

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
		var want []archive.NamePeriod
		for _, r := range seen {
			if r.Answer != archive.Named {
				continue
			}
			if n := len(want); n > 0 && want[n-1].Name == r.Name {
				want[n-1].To = r.At
			} else {
				want = append(want, archive.NamePeriod{Name: r.Name, From: r.At, To: r.At})
			}
		}
		catalog := archive.NewCatalog(storetest.NewIndex())
		apply := func(r archive.DirectoryRecord) {
			p := archive.DirectoryPart{Corp: "ww1", Run: "run", At: r.At, Records: []archive.DirectoryRecord{r}}
			if err := catalog.ApplyDirectoryPart(ctx, archive.DirectoryKey(p), p); err != nil {
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
		known, err := catalog.PersonEntries(ctx, "wmA", "wmNobody")
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
		catalog := archive.NewCatalog(storetest.NewIndex())
		n := rapid.IntRange(1, 8).Draw(t, "n")
		var records []archive.DirectoryRecord
		for i := range n {
			records = append(records, archive.DirectoryRecord{Kind: archive.SubjectRoom, ID: "wrA", At: asked.Add(time.Duration(i) * time.Hour), Answer: archive.Named, Name: fmt.Sprint(i)})
		}
		for _, r := range rapid.Permutation(records).Draw(t, "order") {
			if err := catalog.ApplyDirectoryPart(ctx, "key", archive.DirectoryPart{Records: []archive.DirectoryRecord{r}}); err != nil {
				t.Fatal(err)
			}
		}
		known, err := catalog.RoomEntries(ctx, "wrA")
		if err != nil {
			t.Fatal(err)
		}
		names := known["wrA"].Names
		if len(names) != n || !slices.IsSortedFunc(names, func(a, b archive.NamePeriod) int { return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To)) }) || known["wrA"].Now() != fmt.Sprint(n-1) {
			t.Fatalf("%+v", names)
		}
	})
}

// TestSeats: who comes, goes and comes back.
func TestSeats(t *testing.T) {
	ctx := t.Context()
	catalog := archive.NewCatalog(storetest.NewIndex())
	day := func(n int) time.Time { return asked.AddDate(0, 0, n) }
	for n, seats := range []map[string][]string{
		{"1": {"Li.Na", "wang.wei"}},
		{"1": {"li.na"}, "3": {"Li.Na"}},
		{"3": {"Li.Na"}},
		{"1": {"wang.wei"}, "3": {"Li.Na"}},
	} {
		p := archive.DirectoryPart{Corp: "ww1", Run: "run", At: day(n), Records: []archive.DirectoryRecord{{Kind: archive.SubjectSeats, At: day(n), Answer: archive.Named, Seats: seats}}}
		for range 2 { // again changes nothing
			if err := catalog.ApplyDirectoryPart(ctx, archive.DirectoryKey(p), p); err != nil {
				t.Fatal(err)
			}
		}
	}
	var got []archive.Seat
	for s, err := range catalog.Seats(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	want := []archive.Seat{
		{ID: "li.na", UserID: "Li.Na", Editions: []int{3}, Periods: []archive.SeatPeriod{{From: day(0)}}},
		{ID: "wang.wei", UserID: "wang.wei", Editions: []int{1}, Periods: []archive.SeatPeriod{{From: day(0), To: day(1)}, {From: day(3)}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestSeatList: who has a seat now, as long as that is news.
func TestSeatList(t *testing.T) {
	ctx := t.Context()
	now := asked
	list := archive.SeatList{Catalog: archive.NewCatalog(storetest.NewIndex()), Now: func() time.Time { return now }}
	if ids, err := list.Seats(ctx); err == nil {
		t.Errorf("nobody asked yet: %v", ids)
	}
	for _, seats := range []map[string][]string{{"1": {"Li.Na", "wang.wei"}}, {"1": {"Li.Na"}}, {}} {
		now = now.Add(24 * time.Hour)
		p := archive.DirectoryPart{Corp: "ww1", Run: "run", At: now, Records: []archive.DirectoryRecord{{Kind: archive.SubjectSeats, At: now, Answer: archive.Named, Seats: seats}}}
		if err := list.Catalog.ApplyDirectoryPart(ctx, archive.DirectoryKey(p), p); err != nil {
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
