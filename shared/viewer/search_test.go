package viewer_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/viewer"
)

type found struct {
	Hits []struct {
		Seq           int64
		Conversation  string
		Text, Link    string
		Ranges        []struct{ Start, End int }
		Before, After *struct {
			Seq  int64
			Text string
		}
	}
	NextCursor  string `json:"next_cursor"`
	Complete    bool
	NotLookedAt struct {
		Contents     map[string]int64
		Unreadable   int64
		WaitingPages int64 `json:"waiting_pages"`
		Damaged      []string
	} `json:"not_looked_at"`
	LookedAt struct{ Messages, Bytes, Requests int64 } `json:"looked_at"`
}

func searchPath(params ...string) string { return "/v1/search?" + queryOf(params...) }

func queryOf(params ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	return q.Encode()
}

// searchFixture has three messages of a pair, the middle one about a contract, and
// one of a room.
func searchFixture(t *testing.T) *fixture {
	f := pagesFixture(t)
	image := row(5, "room:r2", at(5*time.Second), "")
	image.MsgType, image.Media = "image", []archive.MediaRef{{Kind: "image", Size: -1}}
	f.store(0, row(1, pair, at(time.Second), "早"), row(2, pair, at(2*time.Second), "请看ＡＢＣ合同 <b>"), row(3, pair, at(3*time.Second), "好"),
		row(4, "room:r1", at(4*time.Second), "合同 abc 合同"), image)
	return f
}

func TestSearch(t *testing.T) {
	f := searchFixture(t)
	got := into[found](t, f.get("reader-token", searchPath("q", "合同 abc")))
	if len(got.Hits) != 2 || got.Hits[0].Seq != 4 || got.Hits[1].Seq != 2 || !got.Complete || got.NextCursor != "" {
		t.Fatalf("%+v", got)
	}
	h := got.Hits[1]
	if h.Conversation != pair || h.Link != "/m/2" || h.Before == nil || h.Before.Seq != 1 || h.After == nil || h.After.Text != "好" {
		t.Errorf("%+v", h)
	}
	var marked []string
	for _, r := range h.Ranges {
		marked = append(marked, h.Text[r.Start:r.End])
	}
	if strings.Join(marked, "|") != "ＡＢＣ合同" {
		t.Errorf("marked %q", marked)
	}
	if n := got.NotLookedAt; n.Contents["image"] != 1 || n.Unreadable != 0 || len(n.Damaged) != 0 || got.LookedAt.Messages != 5 || got.LookedAt.Bytes == 0 || got.LookedAt.Requests == 0 {
		t.Errorf("%+v, %+v", n, got.LookedAt)
	}
	looks := f.looks()
	if len(looks) != 1 || looks[0].What != access.WhatSearch || looks[0].Search["q"] != "合同 abc" || !slices.Equal(looks[0].Seqs.List, []int64{1, 2, 3, 4}) || looks[0].Remote != "192.0.2.7" {
		t.Errorf("looks %+v", looks)
	}
}

// Each parameter narrows what is found.
func TestSearchFilters(t *testing.T) {
	f := searchFixture(t)
	for _, c := range []struct {
		params []string
		want   []int64
	}{
		{nil, []int64{5, 4, 3, 2, 1}}, {[]string{"order", "asc"}, []int64{1, 2, 3, 4, 5}},
		{[]string{"conversation", "room:r1"}, []int64{4}}, {[]string{"person", "Wang.Wei", "q", "早"}, []int64{1}}, {[]string{"sender", "wang.wei"}, nil},
		{[]string{"sender", "LI.NA", "q", "好"}, []int64{3}}, {[]string{"type", "image"}, []int64{5}}, {[]string{"has_media", "false", "q", "合同"}, []int64{4, 2}},
		{[]string{"has_media", "true"}, []int64{5}}, {[]string{"sender_kind", "external"}, nil}, {[]string{"chat", "external"}, nil}, {[]string{"file", "x"}, nil},
		{[]string{"from", "2026-11-23T08:00:04Z"}, []int64{5, 4}}, {[]string{"to", "2026-11-23T08:00:02Z"}, []int64{1}}, {[]string{"q", "合同 -abc"}, nil}, {[]string{"q", "請看"}, nil}, {[]string{"q", "請看", "variants", "true"}, []int64{2}},
	} {
		var got []int64
		for _, h := range into[found](t, f.get("reader-token", searchPath(c.params...))).Hits {
			got = append(got, h.Seq)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.params, got, c.want)
		}
	}
}

func TestSearchPages(t *testing.T) {
	f := searchFixture(t)
	var got []int64
	cursor := ""
	for page := 0; page == 0 || cursor != ""; page++ {
		if page > 9 {
			t.Fatal("the pages do not end")
		}
		params := []string{"limit", "2", "order", "asc"}
		if cursor != "" {
			params = append(params, "cursor", cursor)
		}
		p := into[found](t, f.get("reader-token", searchPath(params...)))
		for _, h := range p.Hits {
			got = append(got, h.Seq)
		}
		if page == 0 {
			for _, c := range []struct {
				path   string
				status int
			}{
				{searchPath("q", "合同", "cursor", p.NextCursor), http.StatusBadRequest}, {searchPath("order", "asc", "cursor", "AAAA"), http.StatusBadRequest},
				{searchPath("order", "asc", "cursor", p.NextCursor[:len(p.NextCursor)-2]), http.StatusBadRequest},
			} {
				refusal(t, f.get("reader-token", c.path), c.status)
			}
		}
		cursor = p.NextCursor
	}
	if !slices.Equal(got, []int64{1, 2, 3, 4, 5}) {
		t.Errorf("%v", got)
	}
}

func TestSearchBadParameters(t *testing.T) {
	f := searchFixture(t)
	for _, params := range [][]string{
		{"q", "("}, {"q", `"`}, {"from", "yesterday"}, {"from", "2000", "to", "1000"}, {"limit", "51"}, {"limit", "0"}, {"order", "up"}, {"words", "x"},
		{"conversation", "\xff"}, {"has_media", "perhaps"},
	} {
		refusal(t, f.get("reader-token", searchPath(params...)), http.StatusUnprocessableEntity)
	}
	if looks := f.looks(); len(looks) != 0 {
		t.Errorf("looks %+v", looks)
	}
}

func TestSearchRoles(t *testing.T) {
	f := searchFixture(t)
	for token, want := range map[string]int{"": 401, "wrong": 401, "nothing-token": 403, "operator-token": 403, "reader-token": 200, "auditor-token": 200} {
		if w := f.get(token, searchPath("q", "合同")); w.Code != want || want != 200 && strings.Contains(w.Body.String(), "请看") {
			t.Errorf("%q: %d %s", token, w.Code, w.Body)
		}
	}
	for role, want := range map[string]int{"reader": 200, "auditor": 200, "operator": 403, "": 303} {
		if w := f.page(role, "/search?q=x"); w.Code != want {
			t.Errorf("%q on the page: %d", role, w.Code)
		}
	}
}

// A search that cannot be recorded shows nothing, not even that there is nothing.
func TestSearchFailsClosed(t *testing.T) {
	f := searchFixture(t)
	f.access.err = errors.New("the store at 10.1.2.3 is down")
	for _, q := range []string{"合同", "没有"} {
		for _, w := range []fmt.Stringer{f.get("reader-token", searchPath("q", q)).Body, f.page("reader", "/search?"+queryOf("q", q)).Body} {
			if body := w.String(); strings.Contains(body, "请看") || strings.Contains(body, "10.1.2.3") || strings.Contains(body, "没有找到") {
				t.Errorf("%s", body)
			}
		}
		refusal(t, f.get("reader-token", searchPath("q", q)), http.StatusServiceUnavailable)
	}
	f.access.err = nil
	before := len(f.looks())
	into[found](t, f.get("reader-token", searchPath("q", "没有")))
	if looks := f.looks(); len(looks) != before+1 || looks[before].Seqs.Count != 0 {
		t.Errorf("a search without hits is not recorded: %+v", looks)
	}
}

func TestSearchUnread(t *testing.T) {
	f := searchFixture(t)
	f.must(f.catalog.Pages.NotePage(t.Context(), archive.PageHeader{SeqAsked: 100, LastSeq: 200, Count: 7, PulledAt: now}))
	f.must(f.catalog.Pages.FinishPage(t.Context(), catalog.PageState{Key: archive.PageKey(0), SeqAsked: 0, LastSeq: 9, Count: 9, PulledAt: now, Parts: 1, OK: 5,
		Unreadable: map[archive.Outcome]int{archive.OutcomeUnknownKey: 3, archive.OutcomeBadKey: 1}}))
	if n := into[found](t, f.get("reader-token", searchPath("q", "合同"))).NotLookedAt; n.Unreadable != 4 || n.WaitingPages != 1 {
		t.Errorf("%+v", n)
	}
}

func TestSearchPage(t *testing.T) {
	f := searchFixture(t)
	form := f.page("reader", "/search").Body.String()
	if !strings.Contains(form, `name="q"`) || strings.Contains(form, "没有找到") || len(f.looks()) != 0 {
		t.Errorf("the empty form: %s", form)
	}
	body := f.page("reader", "/search?"+queryOf("q", "合同", "from", "2026-11-23", "to", "2026-11-23", "type", "text")).Body.String()
	for _, want := range []string{"<mark>合同</mark>", "&lt;b&gt;", `href="/m/2"`, `value="合同"`, `value="2026-11-23"`, `<option value="text" selected>`, "早", `href="/search" aria-current="page"`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	if body := f.page("reader", "/search?"+queryOf("q", "合同", "to", "2026-11-22")).Body.String(); !strings.Contains(body, "没有找到") || strings.Contains(body, "<mark>") {
		t.Errorf("no hit: %s", body)
	}
	if body := f.page("reader", "/search?"+queryOf("q", "(")).Body.String(); !strings.Contains(body, `role="alert"`) {
		t.Errorf("bad words: %s", body)
	}
	if body := f.page("auditor", "/access?from=2026-11-24").Body.String(); !strings.Contains(body, "合同") || !strings.Contains(body, "搜索") {
		t.Errorf("the access record does not show the search: %s", body)
	}
}

// A page of many hits leads on, with the same filters.
func TestSearchPageNext(t *testing.T) {
	f := pagesFixture(t)
	var rows []archive.Row
	for seq := range int64(25) {
		rows = append(rows, row(seq+1, pair, at(time.Duration(seq)*time.Second), "合同"))
	}
	f.store(0, rows...)
	seen := 0
	path := "/search?" + queryOf("q", "合同", "order", "asc")
	for page := 0; path != "" && page < 5; page++ {
		body := f.page("reader", path).Body.String()
		seen += strings.Count(body, `class="hit"`)
		path = ""
		if _, rest, ok := strings.Cut(body, `rel="next" href="`); ok {
			address, _, _ := strings.Cut(rest, `"`)
			path = strings.ReplaceAll(address, "&amp;", "&")
		}
	}
	if seen != 25 {
		t.Errorf("%d hits on all pages", seen)
	}
}

// TestSearchDamaged: what cannot be read is named, the rest is found.
func TestSearchDamaged(t *testing.T) {
	f := searchFixture(t)
	key := archive.SegmentKey(now, 50, 0)
	f.must(f.objects.PutIfAbsent(t.Context(), key, strings.NewReader("合同 lost")))
	f.must(decode.IndexConversationsPeopleRecallsConsents(t.Context(), f.catalog.Conversations, f.catalog.Consents, key, nil)) // while it was whole
	got := into[found](t, f.get("reader-token", searchPath("q", "合同")))
	if len(got.Hits) != 2 || !slices.Equal(got.NotLookedAt.Damaged, []string{key}) {
		t.Errorf("%+v", got)
	}
}

// TestSearchUnderEachUserid: what somebody wrote under one userid is found under the
// other; conversations are understood as people write them, and what means nothing is
// refused.
func TestSearchUnderEachUserid(t *testing.T) {
	f := searchFixture(t)
	count := func(pairs ...string) int {
		return len(into[found](t, f.get("reader-token", searchPath(pairs...))).Hits)
	}
	want := count("person", "li.na")
	wantPair := count("q", "合同", "conversation", pair)
	if want == 0 || wantPair == 0 {
		t.Fatal("the fixture has nothing")
	}
	for _, same := range []string{"pair:wang.wei,li.na", "pair:Li.Na,wang.wei"} {
		if got := count("q", "合同", "conversation", same); got != wantPair {
			t.Errorf("%s: %d hits, want %d", same, got, wantPair)
		}
	}
	if got := count("conversation", "r1"); got == 0 || got != count("conversation", "room:r1") {
		t.Errorf("by a room's own id: %d hits", got)
	}
	f.must(catalog.SayAlias(t.Context(), f.objects, f.catalog.People, "ww1", archive.Alias{Was: "li.na", Is: "lina.new", At: now, Who: "x"}))
	for _, who := range []string{"li.na", "lina.new", "LINA.new"} {
		if got := count("person", who); got != want {
			t.Errorf("person=%s: %d hits, want %d", who, got, want)
		}
	}
	for _, path := range []string{searchPath("conversation", "pair:"), searchPath("conversation", "nobody:x"), searchPath("conversation", "room:")} {
		if w := f.get("reader-token", path); w.Code != 422 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	for _, q := range []string{queryOf("q", "合同", "sender_kind", "customer"), queryOf("q", "合同", "person_", "li.na"), queryOf("q", "合同", "chat", "x")} {
		if body := f.page("reader", "/search?"+q).Body.String(); strings.Contains(body, `class="hit"`) || strings.Contains(body, "没有遗漏") || !strings.Contains(body, `role="alert"`) {
			t.Errorf("%s was taken", q)
		}
	}
}

// TestNothingLeftOut is said only if it is true.
func TestNothingLeftOut(t *testing.T) {
	const nothing = "没有遗漏"
	f := pagesFixture(t)
	for i := range 12 {
		f.store(uint64(i*10), row(int64(i*10+1), pair, at(time.Duration(i)*time.Second), "words"))
	}
	if body := f.page("reader", "/search?q=needle").Body.String(); !strings.Contains(body, nothing) {
		t.Error("all was looked at, and it is not said")
	}
	f.handler = viewer.New(viewer.Config{
		Objects: f.objects, Catalog: f.catalog, Access: f.access, Auth: people{}, Visitors: visitor{}, SearchTime: time.Nanosecond,
		Now: func() time.Time { return now }, NewID: serial("request"), Log: slog.New(slog.NewJSONHandler(f.log, nil)),
	})
	if body := f.page("reader", "/search?q=needle").Body.String(); strings.Contains(body, nothing) || !strings.Contains(body, "时间已到") {
		t.Error("the time was over")
	}
	f.handler = viewer.New(viewer.Config{
		Objects: f.objects, Catalog: f.catalog, Access: f.access, Auth: people{}, Visitors: visitor{}, BesideTime: time.Nanosecond,
		Now: func() time.Time { return now }, NewID: serial("request"), Log: slog.New(slog.NewJSONHandler(f.log, nil)),
	})
	if body := f.page("reader", "/search?q=words").Body.String(); !strings.Contains(body, ">words") || !strings.Contains(body, "未读取前后消息") {
		t.Errorf("there was no time for the messages beside a hit: %s", body)
	}
	f = pagesFixture(t)
	call := row(1, pair, at(0), "")
	call.MsgType, call.Media = "meeting_voice_call", []archive.MediaRef{{Kind: "call", Size: -1}}
	f.store(0, call)
	if body := f.page("reader", "/search?q=needle").Body.String(); strings.Contains(body, nothing) || !strings.Contains(body, "通话录音") {
		t.Error("a recorded call was not looked at, and that is not said")
	}
}

// TestWhoSawIt: whoever was shown a conversation by a search stands in its record.
func TestWhoSawIt(t *testing.T) {
	f := searchFixture(t)
	f.get("reader-token", searchPath("q", "合同"))
	looks := f.looks()
	if len(looks) != 1 || !slices.Contains(looks[0].Conversations, pair) || !slices.IsSorted(looks[0].Conversations) {
		t.Errorf("%+v", looks)
	}
}

// TestRecalledHits: a hit that was recalled says so.
func TestRecalledHits(t *testing.T) {
	f := pagesFixture(t)
	recall := row(2, pair, at(time.Second), "")
	recall.MsgType, recall.RefMsgID, recall.Action = "revoke", "m1", "recall"
	f.archived(row(1, pair, at(0), "secret deal"), recall)
	if body := f.get("reader-token", searchPath("q", "deal")).Body.String(); !strings.Contains(body, `"recalled_by":2`) {
		t.Error(body)
	}
	if body := f.page("reader", "/search?q=deal").Body.String(); !strings.Contains(body, "已撤回") || !strings.Contains(body, `href="/m/2"`) {
		t.Error(body)
	}
}

// TestPermalinkAmongEquals: a permalink shows its message, however many have its time.
func TestPermalinkAmongEquals(t *testing.T) {
	f := pagesFixture(t)
	var rows []archive.Row
	for i := 1; i <= 90; i++ {
		rows = append(rows, row(int64(i), "unparsed", at(0), "x"))
	}
	f.archived(rows...)
	for _, seq := range []string{"1", "45", "90"} {
		w := f.page("reader", "/m/"+seq)
		address, _, _ := strings.Cut(w.Header().Get("Location"), "#")
		body := f.page("reader", address).Body.String()
		if !strings.Contains(body, `id="m`+seq+`" class="m`) || !strings.Contains(body, " here\"") {
			t.Errorf("message %s is not where its permalink leads, %s", seq, address)
		}
	}
}
