package viewer_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

type typesAnswer struct {
	Types struct {
		Since  time.Time
		Cut    bool
		Counts []struct {
			Type  string
			Count int64
		}
		Uncounted int64
	}
}

func (a typesAnswer) String() string {
	var out []string
	for _, c := range a.Types.Counts {
		out = append(out, fmt.Sprint(c.Type, " ", c.Count))
	}
	return strings.Join(out, ", ")
}

// typed finishes a page that was pulled at a time.
func (f *fixture) typed(asked uint64, at time.Time, ok int, types catalog.MsgTypes) {
	f.tb.Helper()
	f.must(f.catalog.Pages.FinishPage(f.tb.Context(), catalog.PageState{Key: archive.PageKey(asked), SeqAsked: asked, LastSeq: asked + 1, PulledAt: at, OK: ok, Types: types}))
}

func (f *fixture) types() typesAnswer {
	f.tb.Helper()
	return into[typesAnswer](f.tb, f.get("operator-token", "/v1/status"))
}

// TestMessageTypes: the types of the days that the plot shows, the most frequent first;
// what was archived before types were counted is said, and not left out in silence.
func TestMessageTypes(t *testing.T) {
	f := pagesFixture(t)
	if a := f.types(); len(a.Types.Counts) != 0 || a.Types.Counts == nil || a.Types.Uncounted != 0 {
		t.Errorf("an empty archive: %+v", a)
	}
	begin := time.Date(now.Year(), now.Month(), now.Day()-13, -8, 0, 0, 0, time.UTC) // a midnight in UTC+8
	if now.UTC().Hour() >= 16 {
		begin = begin.AddDate(0, 0, 1)
	}
	f.typed(0, begin.Add(-time.Second), 9, catalog.MsgTypes{"text": 9})
	f.typed(1, begin, 3, catalog.MsgTypes{"text": 2, "image": 1})
	f.typed(2, begin.Add(time.Hour), 8, nil)
	f.typed(3, now, 4, catalog.MsgTypes{"image": 1, "text": 1, "switch": 1, "<b>new</b>": 1})
	f.typed(3, now, 5, catalog.MsgTypes{"image": 1, "text": 1, "switch": 2, "<b>new</b>": 1}) // a second part of it
	a := f.types()
	if got := a.String(); got != "text 3, image 2, switch 2, <b>new</b> 1" || a.Types.Uncounted != 8 || a.Types.Cut || !a.Types.Since.Equal(begin) {
		t.Errorf("%s; %+v", got, a)
	}
	body := f.overview("en")
	if body := f.page("reader", "/").Body.String(); !strings.Contains(body, `<a href="/search?type=image">`) || strings.Contains(body, "type=switch") {
		t.Error("a reader finds no way to the images, or one to what cannot be searched for")
	}
	for _, want := range []string{"<span>Image</span> <b>2</b> <small>25.0 %</small>", "&lt;b&gt;new&lt;/b&gt;", "Switched company", "8 more were archived by an older version"} {
		if !strings.Contains(body, want) {
			t.Errorf("the overview does not show %q", want)
		}
	}
}

// TestManyMessageTypes: of many pages the last are counted, which is said; of many types
// those of the fewest messages are others.
func TestManyMessageTypes(t *testing.T) {
	f := pagesFixture(t)
	var items []store.Item
	for n := range 5001 {
		types := catalog.MsgTypes{"text": 2}
		if n > 4000 {
			types[fmt.Sprintf("type%d", n)] = 1
		}
		value, err := json.Marshal(catalog.PageState{SeqAsked: uint64(n), PulledAt: now.Add(time.Duration(n-5001) * time.Second), OK: 3, Types: types})
		f.must(err)
		items = append(items, store.Item{Partition: "pages", Sort: fmt.Sprintf("%020d", n), Value: value})
	}
	f.must(f.index.Put(t.Context(), items...))
	a := f.types()
	var all int64
	for _, c := range a.Types.Counts {
		all += c.Count
	}
	if counts := a.Types.Counts; !a.Types.Cut || !a.Types.Since.Equal(now.Add(-5000*time.Second)) || len(counts) != 100 || counts[0].Count != 10_000 || counts[99].Type != archive.OtherTypes || all != 11_000 {
		t.Errorf("since %v, cut %v, %d types of %d messages: %v", a.Types.Since, a.Types.Cut, len(counts), all, a)
	}
	if !strings.Contains(f.overview("zh-CN"), "更早的数量过多") {
		t.Error("the overview does not say that not all are counted")
	}
}
