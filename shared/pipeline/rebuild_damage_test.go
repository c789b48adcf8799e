package pipeline_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// damaged is the world's bucket with some objects changed, or gone.
func (w *world) damaged(t *testing.T, change func(key string, body []byte) []byte) *world {
	t.Helper()
	d := *w
	d.clock, d.objects, d.index, d.faults = &clock{now: w.Now()}, storetest.NewObjects(), storetest.NewIndex(), storetest.NewFaults()
	for _, key := range w.all(t) {
		body, err := store.ReadObject(t.Context(), w.objects, key)
		if err != nil {
			t.Fatal(err)
		}
		if body = change(key, body); body == nil {
			continue
		}
		if err := d.objects.PutIfAbsent(t.Context(), key, bytes.NewReader(body)); err != nil {
			t.Fatal(err)
		}
	}
	return &d
}

// TestReindexDamage: what cannot be read is counted and holds nothing up.
func TestReindexDamage(t *testing.T) {
	base := eventful(t)
	whole := base.damaged(t, func(_ string, body []byte) []byte { return body })
	want := whole.reindex(t, false)
	pages := base.read(t).pages
	second, secondLast := pages[1].Header.SeqAsked, pages[1].Header.LastSeq
	messages := func(w *world) (n int) {
		for path, answer := range w.apiAnswers(t) {
			if strings.Contains(path, "/messages") {
				n += strings.Count(answer, `"seq":`)
			}
		}
		return n
	}
	all := messages(whole)

	t.Run("header of a page", func(t *testing.T) {
		w := base.damaged(t, func(key string, body []byte) []byte {
			if key == archive.PageKey(second) {
				body[20] ^= 1
			}
			return body
		})
		report := w.reindex(t, false)
		if report.DamagedPages != 1 || report.Holes != 0 || report.Pages != want.Pages {
			t.Errorf("report %+v", report)
		}
		if n := messages(w); n != all {
			t.Errorf("%d messages are found, want all %d: their segment is whole", n, all)
		}
		state, err := catalog.New(w.index).Pages.Page(t.Context(), second)
		if err != nil || !slices.Equal(state.Damaged, []string{archive.PageKey(second)}) || state.LastSeq != secondLast {
			t.Errorf("the page is %+v, %v", state, err)
		}
		if cursor, err := catalog.New(w.index).Pages.Cursor(t.Context()); err != nil || cursor.Seq != pages[len(pages)-1].Header.LastSeq {
			t.Errorf("cursor %+v, %v", cursor, err)
		}
	})
	t.Run("a page is gone", func(t *testing.T) {
		w := base.damaged(t, func(key string, body []byte) []byte {
			if key == archive.PageKey(second) {
				return nil
			}
			return body
		})
		if report := w.reindex(t, false); report.Holes != 1 || report.Pages != want.Pages-1 {
			t.Errorf("report %+v", report)
		}
		if cursor, err := catalog.New(w.index).Pages.Cursor(t.Context()); err != nil || cursor.Seq != pages[len(pages)-1].Header.LastSeq {
			t.Errorf("cursor %+v, %v; it stands behind the last page", cursor, err)
		}
		if h, found, err := catalog.New(w.index).Journal.Hole(t.Context(), second, secondLast); err != nil || !found || h.Outcome == archive.HoleFilled {
			t.Errorf("hole %+v, %v, %v", h, found, err)
		}
		if n := messages(w); n != all {
			t.Errorf("%d messages are found, want all %d: their segment is whole", n, all)
		}
	})
	t.Run("the last page is gone", func(t *testing.T) {
		last := pages[len(pages)-1].Header
		w := base.damaged(t, func(key string, body []byte) []byte {
			if key == archive.PageKey(last.SeqAsked) || strings.Contains(key, "messages/") && strings.Contains(key, archive.SeqName(last.SeqAsked)) {
				return nil
			}
			return body
		})
		// Over an index that knows better it says so and leaves the cursor.
		known := *w
		known.index = whole.index
		var ahead *catalog.CursorAheadError
		if _, err := known.reindexer(&queue{}).Run(t.Context(), false); !errors.As(err, &ahead) || ahead.Stored != last.SeqAsked {
			t.Errorf("reindex over the old index: %v", err)
		}
	})
	t.Run("an event", func(t *testing.T) {
		damaged := 0
		w := base.damaged(t, func(key string, body []byte) []byte {
			if strings.Contains(key, "/run-") && damaged == 0 {
				damaged++
				return body[:len(body)/2]
			}
			return body
		})
		if report := w.reindex(t, false); report.DamagedEvents != 1 || report.Events != want.Events {
			t.Errorf("report %+v", report)
		}
	})
}
