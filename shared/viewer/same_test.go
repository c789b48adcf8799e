package viewer_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/wecom"
)

// TestSameEverywhere: a message that an older parser read when it was archived is shown
// as today's parser reads it, in lists, screens, searches, by its seq and in its record,
// in one part of its segment or in two.
func TestSameEverywhere(t *testing.T) {
	for _, parts := range []int{1, 2} {
		f := pagesFixture(t)
		old := said(1, `{"msgid":"m1","action":"send","from":"li.na","tolist":["wang.wei"],"roomid":"","msgtime":1767001360000,"msgtype":"note","note":{"title":"出差笔记","item":[{"type":"file","content":"{\"sdkfileid\":\"CtsAAAAAAAAAAAAAAAAAAAAAAAA1\",\"filename\":\"票.pdf\"}"}]}}`)
		old.ParserVersion, old.MsgType, old.Text = wecom.ParserVersion-1, "zz_old", "旧的读法"
		f.archived(old)
		if parts == 2 { // which takes a damaged archive
			f.storePart(0, 1, old)
		}
		type shown struct {
			Type   string
			Parser int `json:"parser_version"`
			Text   string
		}
		list := into[struct{ Messages []shown }](t, f.get("reader-token", "/v1/conversations/"+url.PathEscape(pair)+"/messages")).Messages
		one := into[struct{ Messages []shown }](t, f.get("reader-token", "/v1/messages/1")).Messages
		hits := into[struct{ Hits []shown }](t, f.get("reader-token", searchPath("q", "旧的读法"))).Hits
		want := []shown{{"note", wecom.ParserVersion, "票.pdf\n出差笔记"}}
		if !slices.Equal(list, want) || !slices.Equal(one, want) {
			t.Errorf("%d parts: the list has %+v, by its seq it is %+v; want %+v", parts, list, one, want)
		}
		want[0].Text = "旧的读法" // what the terms stand in
		if !slices.Equal(hits, want) {
			t.Errorf("%d parts: the search finds %+v, want %+v", parts, hits, want)
		}
		for _, path := range []string{transcriptPath(pair), "/record/1"} {
			if body := f.page("reader", path).Body.String(); strings.Count(body, "笔记") == 0 || !strings.Contains(body, "出差笔记") || !strings.Contains(body, "等待取回") || strings.Contains(body, "zz_old") {
				t.Errorf("%d parts: %s does not show the note as it is read today", parts, path)
			}
		}
	}
}

// storePart stores rows as one more part of the segment of a page, and indexes it.
func (f *fixture) storePart(asked uint64, part int, rows ...archive.Row) {
	f.tb.Helper()
	f.putSegment(archive.SegmentKey(now, asked, part), asked, part, rows)
	state, err := f.catalog.Pages.Page(f.tb.Context(), asked)
	f.must(err)
	state.Parts = part + 1
	f.must(f.catalog.Pages.FinishPage(f.tb.Context(), state))
}

// TestPermalinkOfAWaitingPage: lists show a message from when its segment is indexed; a
// permalink to it leads on also before its page counts as archived.
func TestPermalinkOfAWaitingPage(t *testing.T) {
	f := pagesFixture(t)
	f.must(f.catalog.Pages.NotePage(t.Context(), archive.PageHeader{SeqAsked: 0, LastSeq: 2, Count: 2, PulledAt: at(0)}))
	w := f.page("reader", "/m/1")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/record/1" {
		t.Fatal(w.Code, w.Header().Get("Location"), w.Body)
	}
	if w := f.page("reader", "/record/1"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "尚未解析") {
		t.Error(w.Code, w.Body)
	}
	if w := f.page("reader", "/m/3"); w.Code != http.StatusNotFound {
		t.Error("a seq that was never pulled:", w.Code)
	}
}
