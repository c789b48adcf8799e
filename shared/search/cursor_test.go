package search_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/compaction"
	"wecom-archive/shared/query"
	"wecom-archive/shared/search"
)

// TestCursorNamesUnits: what is lost, or what another program cannot use, between two pages
// that the time cut short costs no message and doubles none.
func TestCursorNamesUnits(t *testing.T) {
	remove := func(suffix string) func(t *testing.T, w *world) {
		return func(t *testing.T, w *world) {
			for _, key := range keysBelow(t, w.derived, compaction.Prefix) {
				if strings.HasSuffix(key, suffix) {
					if err := w.derived.Delete(t.Context(), key); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	changes := map[string]func(t *testing.T, w *world){
		"directories lost": remove(".directory"), "extracts lost": remove(".extract"), "objects lost": remove(".parquet"), "all lost": remove(""),
		"folded otherwise": func(t *testing.T, w *world) { w.refold(t, "9"+query.FoldVersion[1:]) },
		"a directory cut": func(t *testing.T, w *world) {
			for _, key := range keysBelow(t, w.derived, compaction.Prefix) {
				if strings.HasSuffix(key, ".directory") {
					w.put(t, key, w.body(t, key)[1:])
				}
			}
		},
	}
	for name, change := range changes {
		for when := range 6 {
			if underRace && when%3 > 0 {
				continue
			}
			w := twoMonths(t)
			q := asked{"合同", search.Query{Limit: 100, Time: time.Nanosecond, Descending: when%2 == 1}}
			q.Words = phrase(t, q.needle)
			var got []int64
			for page := 0; ; page++ {
				a, err := w.scanner().Search(t.Context(), q.Query) // another program each time
				if err != nil || page > 300 || len(a.Damaged) > 0 {
					t.Fatal(name, page, a.Damaged, err)
				}
				for _, h := range a.Hits {
					got = append(got, h.Seq)
				}
				if a.Next == nil {
					break
				}
				if q.Cursor, err = search.ParseCursor(a.Next.Append(nil)); err != nil {
					t.Fatal(err)
				}
				if page == when {
					change(t, w)
				}
			}
			if want := w.want(q); !slices.Equal(got, want) {
				t.Errorf("%s after page %d: %v, want %v", name, when, got, want)
			}
		}
	}
}

// TestCursorOfAsManyUnits: that there are as many units as before does not make them the
// same: without their directories the row groups of months stand in another order.
func TestCursorOfAsManyUnits(t *testing.T) {
	w := newWorld()
	for month := range 5 {
		pulled := start.AddDate(0, month, 0)
		text := "无关"
		if month == 0 {
			text = "独一"
		}
		w.store(t, pulled, w.message(pulled, text, nil), w.message(pulled.Add(-time.Hour), "无关", nil))
	}
	w.compact(t, start.AddDate(0, 5, 0))
	q := asked{"独一", search.Query{Limit: 100, Time: time.Nanosecond, Descending: true}}
	q.Words = phrase(t, q.needle)
	var got []int64
	for page := 0; page < 50; page++ {
		a, err := w.scanner().Search(t.Context(), q.Query)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range a.Hits {
			got = append(got, h.Seq)
		}
		if a.Next == nil {
			break
		}
		q.Cursor = *a.Next
		for _, key := range keysBelow(t, w.derived, compaction.Prefix) {
			if page == 2 && strings.HasSuffix(key, ".directory") {
				if err := w.derived.Delete(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if want := w.want(q); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestOldCursor: a cursor of a program that did not name its units is gone on from where its
// page began.
func TestOldCursor(t *testing.T) {
	w := fixture(t)
	w.compact(t, start.AddDate(0, 0, 6))
	q := asked{"合同", search.Query{Limit: 100}}
	want := w.want(q)
	q.Words = phrase(t, q.needle)
	old := append([]byte{2}, make([]byte, 8)...)
	old = append(old, 5, 1, 0)
	cursor, err := search.ParseCursor(append(old, "messages/dt=2026-09-28/x"...))
	if err != nil {
		t.Fatal(err)
	}
	q.Cursor = cursor
	a, err := w.scanner().Search(t.Context(), q.Query)
	if err != nil || len(a.Hits) != len(want) {
		t.Errorf("%d hits of %d, %v", len(a.Hits), len(want), err)
	}
	if _, err := search.ParseCursor([]byte{2, 1}); err == nil {
		t.Error("a cut one is read")
	}
}
