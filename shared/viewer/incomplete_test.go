package viewer_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/viewer"
)

// without is a bucket of which some objects are gone.
type without struct {
	store.Objects
	gone map[string]bool
}

func (w without) Get(ctx context.Context, key string) (io.ReadCloser, store.ObjectInfo, error) {
	if w.gone[key] {
		return nil, store.ObjectInfo{}, store.ErrNotFound
	}
	return w.Objects.Get(ctx, key)
}

// TestIncomplete: without what is compacted answers are as before; where a segment is gone,
// too, they say that messages may be missing, and not that there are none.
func TestIncomplete(t *testing.T) {
	f := newFixture(t)
	keys := []string{f.store(0, row(1, pair, at(0), "first")), f.store(4, row(5, pair, at(time.Minute), "second"))}
	derived := storetest.NewDerived()
	if _, err := compact.New(compact.Config{
		Objects: f.objects, Derived: derived, Program: "test", Temp: t.TempDir(),
		Conversations: f.catalog.Conversations, People: f.catalog.People, Compactions: compaction.NewIndex(f.catalog.Table),
	}).Run(t.Context(), now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	objects := without{f.objects, map[string]bool{}}
	show := func() (body, zh, en string) {
		f.handler = viewer.New(viewer.Config{
			Objects: objects, Catalog: f.catalog, Derived: derived, Access: f.access, Auth: people{}, Visitors: visitor{},
			Now: func() time.Time { return now }, NewID: serial("request"),
		})
		for _, lang := range []string{"zh", "en"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/c?id="+url.QueryEscape(pair), nil)
			r.Header.Set("Test-Role", "reader")
			r.Header.Set("Accept-Language", lang)
			w := httptest.NewRecorder()
			f.handler.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			zh, en = en, w.Body.String()
		}
		return f.get("reader-token", messagesPath(pair)).Body.String(), zh, en
	}
	before, _, _ := show()
	before = strings.ReplaceAll(before, "dt=2026-11-23", "dt=2026-11-24") // rows of these fixtures are of another day than their segments
	for info := range derived.List(t.Context(), "", "") {
		if err := derived.Delete(t.Context(), info.Key); err != nil {
			t.Fatal(err)
		}
	}
	const chinese, english = "部分消息暂时无法读取", "Some messages could not be read"
	after, zh, en := show()
	if after != before || !strings.Contains(before, `"complete":true`) || strings.Contains(zh, chinese) || strings.Contains(en, english) {
		t.Errorf("%s\nwas %s", after, before)
	}
	objects.gone[keys[0]] = true
	after, zh, en = show()
	if !strings.Contains(after, "second") || strings.Contains(after, "first") || !strings.Contains(after, `"complete":false`) {
		t.Errorf("a segment is gone: %s", after)
	}
	objects.gone[keys[1]] = true
	after, zhEmpty, enEmpty := show()
	if !strings.HasPrefix(after, `{"messages":[]`) || !strings.Contains(after, `"complete":false`) {
		t.Errorf("all are gone: %s", after)
	}
	for _, page := range []string{zh, zhEmpty} {
		if !strings.Contains(page, chinese) || strings.Contains(page, "此处没有消息") {
			t.Errorf("the page does not say it: %s", page)
		}
	}
	for _, page := range []string{en, enEmpty} {
		if !strings.Contains(page, english) || strings.Contains(page, "No messages here") {
			t.Errorf("the page does not say it: %s", page)
		}
	}
}
