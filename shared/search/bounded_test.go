package search_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/query"
	"wecom-archive/shared/search"
)

func words(t *testing.T, s string) query.Words {
	t.Helper()
	w, err := query.ParseWords(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// longTexts is an archive of a few messages that are long.
func longTexts(t *testing.T, n int, text string) *world {
	w := newWorld()
	var rows []archive.Row
	for i := range n {
		rows = append(rows, w.message(start.Add(time.Duration(i)*time.Minute), text, nil))
	}
	w.store(t, start, rows...)
	return w
}

// TestHostileTexts: long texts with overlapping terms, and letters that grow when they are
// folded, are found like others, before and after compaction, and of the places of the
// terms as many are told as an answer can have.
func TestHostileTexts(t *testing.T) {
	var overlapping []string
	for i := 1; i < query.MaxTerms; i++ {
		overlapping = append(overlapping, strings.Repeat("a", i))
	}
	for name, c := range map[string]struct {
		words, text string
		ranges      int
		more        bool
	}{
		"overlapping": {strings.Join(overlapping, " OR "), strings.Repeat("a", 256<<10), 1, false},
		"growing":     {"عليه", strings.Repeat("\ufdfa", 32<<10), 1, false},
		"apart":       {"a", strings.Repeat("ab", 64<<10), query.MaxRanges, true},
		"a last word": {"needle", strings.Repeat("\ufdfa", 400<<10) + "needle", 1, false}, // its folded text is too large to be held
	} {
		w := longTexts(t, 3, c.text)
		for _, compacted := range []bool{false, true} {
			if compacted {
				w.compact(t, start.AddDate(0, 0, 1))
			}
			q, hits := search.Query{Query: query.Query{Words: words(t, c.words)}, Limit: 10}, 0
			for more := true; more; {
				a, err := w.scanner().Search(t.Context(), q)
				if err != nil || !a.Complete || compacted && a.Looked.Plain > 0 {
					t.Fatalf("%s, compacted %v: %d hits, looked %+v, %v", name, compacted, len(a.Hits), a.Looked, err)
				}
				for _, h := range a.Hits {
					if hits++; h.Text != c.text || len(h.Ranges) != c.ranges || h.More != c.more {
						t.Errorf("%s, compacted %v: %d bytes, %d places, more %v", name, compacted, len(h.Text), len(h.Ranges), h.More)
					}
				}
				if more = a.Next != nil; more {
					q.Cursor = *a.Next
				}
			}
			if hits != 3 {
				t.Errorf("%s, compacted %v: %d hits", name, compacted, hits)
			}
		}
	}
}

// TestLongPage: a page is as long as memory allows; the next one goes on.
func TestLongPage(t *testing.T) {
	w := longTexts(t, 7, "合同"+strings.Repeat("长", 2<<20))
	for _, compacted := range []bool{false, true} {
		if compacted {
			w.compact(t, start.AddDate(0, 0, 1))
		}
		q := asked{"合同", search.Query{Limit: 50}}
		got, pages := all(t, w.scanner(), q)
		if want := w.want(q); !slices.Equal(got, want) || pages < 3 {
			t.Errorf("compacted %v: %v on %d pages, want %v on three at least", compacted, got, pages, want)
		}
	}
}

// clock goes on by a step whenever it is asked.
type clock struct {
	mu   sync.Mutex
	at   time.Time
	step time.Duration
	asks int
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asks++
	c.at = c.at.Add(c.step)
	return c.at
}

// TestTimeWithinAText: a search whose time is over does not look at a long text to its end,
// unless it is the first of the call; the pages together are the whole answer.
func TestTimeWithinAText(t *testing.T) {
	w := newWorld()
	for i := range 4 {
		at := start.Add(time.Duration(i) * time.Hour)
		w.store(t, at, w.message(at, strings.Repeat("\ufdfa", 300<<10)+"合同", nil))
	}
	c := &clock{at: start, step: time.Second}
	s := search.New(search.Config{Objects: w.objects, Derived: w.derived, Now: c.now, Conversations: w.catalog.Conversations, Pages: w.catalog.Pages, Compactions: compaction.NewIndex(w.catalog.Table)})
	q := asked{"没有这个", search.Query{Limit: 5, Time: 2 * time.Second}}
	q.Words = phrase(t, q.needle)
	a, err := s.Search(t.Context(), q.Query)
	if err != nil || a.Complete || a.Next == nil || a.Looked.Parts != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	// Each text takes dozens of steps; whoever looked at all of them to their ends would have asked at each.
	if c.asks > 60 {
		t.Errorf("asked for the time %d times", c.asks)
	}
	q.needle = "合同"
	got, pages := all(t, s, q)
	if want := w.want(q); !slices.Equal(got, want) || pages < 4 {
		t.Errorf("%v on %d pages, want %v", got, pages, want)
	}
}

// TestFractions: bounds of times are rounded up to whole milliseconds: no message before
// one is missing, and none before the other is shown.
func TestFractions(t *testing.T) {
	w := newWorld()
	var rows []archive.Row
	for i := range 6 {
		rows = append(rows, w.message(start.Add(time.Duration(i)*time.Millisecond), "needle", func(r *archive.Row) { r.Conversation = fmt.Sprintf("room:%d", i%2) }))
	}
	w.store(t, start, rows...)
	for _, compacted := range []bool{false, true} {
		if compacted {
			w.compact(t, start.AddDate(0, 0, 1))
		}
		for us := -1500; us <= 7000; us += 250 {
			at := start.Add(time.Duration(us) * time.Microsecond)
			w.check(t, w.scanner(), asked{"needle", search.Query{Limit: 10, Query: query.Query{From: at}}})
			w.check(t, w.scanner(), asked{"needle", search.Query{Limit: 10, Query: query.Query{To: at}}})
			w.check(t, w.scanner(), asked{"", search.Query{Limit: 2, Query: query.Query{From: at, To: at.Add(1300 * time.Microsecond)}}})
		}
	}
}

// TestUnopened: messages that the parser could not look into are counted, whatever the
// filters beside the time, before and after compaction.
func TestUnopened(t *testing.T) {
	w := newWorld()
	raw := func(conversation, raw string) func(*archive.Row) {
		return func(r *archive.Row) {
			r.Conversation, r.Raw, r.Text = conversation, []byte(raw), ""
			sum := sha256.Sum256(r.Raw)
			r.RawSHA256 = hex.EncodeToString(sum[:])
		}
	}
	deep := `{"msgtype":"text","text":{"content":"needle"},"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`
	w.store(t, start, w.message(start, "needle", nil), w.message(start, "", raw("unparsed", deep)), w.message(start.Add(time.Hour), "", raw("unparsed", "hello {")),
		w.message(start.AddDate(0, 0, -3), "", raw("unparsed", "no JSON")), w.message(start, "", raw("unparsed", `{"from":""}`)))
	for _, compacted := range []bool{false, true} {
		if compacted {
			w.compact(t, start.AddDate(0, 0, 1))
		}
		for name, c := range map[string]struct {
			query query.Query
			want  int64
		}{
			"words": {query.Query{Words: phrase(t, "needle")}, 3}, "none": {query.Query{}, 3}, "times": {query.Query{From: start}, 2}, "earlier": {query.Query{To: start}, 1},
			"person": {query.Query{Person: query.IDs{"nobody"}}, 3}, "conversation": {query.Query{Conversation: "pair:li.na,wang.wei", From: start}, 2},
		} {
			if a, err := w.scanner().Search(t.Context(), search.Query{Query: c.query, Limit: 10}); err != nil || a.Looked.Unopened != c.want {
				t.Errorf("compacted %v, %s: %d, %v; want %d", compacted, name, a.Looked.Unopened, err, c.want)
			}
		}
	}
}
