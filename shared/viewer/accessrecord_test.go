package viewer_test

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/viewer"
)

// looked records a look.
func (f *fixture) looked(at time.Time, id string, l access.Look) {
	f.tb.Helper()
	l.At, l.How, l.Request = at, access.HowWeb, id
	if l.What == "" {
		l.What = access.WhatMessages
	}
	doc, err := access.Encode(l)
	if err != nil {
		f.tb.Fatal(err)
	}
	f.must(f.objects.PutIfAbsent(f.tb.Context(), access.Key(at, id), bytes.NewReader(doc)))
}

type looksAnswer struct {
	Looks []struct {
		Who, Conversation, Request, Reason string
		Conversations                      []string
	}
	Unreadable []string
	NextCursor string `json:"next_cursor"`
}

// everyLook follows the cursors; the looks are named by their requests.
func (f *fixture) everyLook(query url.Values) (requests []string, pages int) {
	f.tb.Helper()
	for {
		a := into[looksAnswer](f.tb, f.get("auditor-token", "/v1/access?"+query.Encode()))
		pages++
		for _, l := range a.Looks {
			requests = append(requests, l.Request)
		}
		if a.NextCursor == "" {
			return requests, pages
		}
		query.Set("cursor", a.NextCursor)
	}
}

// TestAccessRecord: looks are found by person, by conversation, also if it was shown by
// a search, and by days, wherever they stand among the others.
func TestAccessRecord(t *testing.T) {
	f := newFixture(t)
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	want := map[string][]string{}
	for n := range 700 {
		at := begin.Add(time.Duration(n) * 10 * time.Minute)
		id := fmt.Sprintf("look-%04d", n)
		l := access.Look{Who: "adam", Conversation: "pair:a,b"}
		switch {
		case n == 300 || n == 699:
			l.Who = "eve"
			want["who=eve"] = append(want["who=eve"], id)
		case n%200 == 1:
			l = access.Look{Who: "adam", What: access.WhatSearch, Search: map[string]string{"q": "合同"}, Conversations: []string{"pair:c,d", "room:r"}}
			want["conversation=room:r"] = append(want["conversation=room:r"], id)
		}
		want["all"] = append(want["all"], id)
		if at.Day() == 2 {
			want["second"] = append(want["second"], id)
		}
		f.looked(at, id, l)
	}
	const days = "from=2026-11-01&to=2026-11-10"
	for name, query := range map[string]string{
		"all": days + "&limit=37", "who=eve": days + "&who=eve", "conversation=room:r": days + "&conversation=room:r&limit=2", "second": "from=2026-11-02&to=2026-11-02",
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := f.everyLook(q); !slices.Equal(got, want[name]) {
			t.Errorf("%s: %d looks %.200q, want %d", name, len(got), got, len(want[name]))
		}
	}
	if got, _ := f.everyLook(url.Values{"from": {"2026-11-01"}, "to": {"2026-11-10"}, "who": {"nobody"}}); len(got) != 0 {
		t.Errorf("nobody: %q", got)
	}
	refusal(t, f.get("auditor-token", "/v1/access?from=2026-11-01&to=2026-12-02"), http.StatusUnprocessableEntity)
	refusal(t, f.get("auditor-token", "/v1/access?from=2026-11-02&to=2026-11-01"), http.StatusUnprocessableEntity)
	refusal(t, f.get("auditor-token", "/v1/access?"+days+"&cursor=AAAA"), http.StatusBadRequest)
	foreign := into[looksAnswer](t, f.get("auditor-token", "/v1/access?"+days+"&limit=1")).NextCursor
	refusal(t, f.get("auditor-token", "/v1/access?"+days+"&who=eve&cursor="+foreign), http.StatusBadRequest)
	refusal(t, f.get("reader-token", "/v1/access?"+days), http.StatusForbidden)
	refusal(t, f.get("operator-token", "/v1/access?"+days), http.StatusForbidden)
}

// TestAccessRecordDamage: what is no look is named, and hides no other.
func TestAccessRecordDamage(t *testing.T) {
	f := newFixture(t)
	day := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	f.looked(day, "look-first", access.Look{Who: "adam", Conversation: "pair:a,b", Reason: "投诉 7"})
	broken := access.Key(day.Add(time.Second), "look-broken")
	f.must(f.objects.PutIfAbsent(t.Context(), broken, strings.NewReader("{")))
	f.looked(day.Add(time.Minute), "look-last", access.Look{Who: "adam", Conversation: "pair:a,b"})
	a := into[looksAnswer](t, f.get("auditor-token", "/v1/access?from=2026-11-01&to=2026-11-01"))
	if len(a.Looks) != 2 || a.Looks[0].Reason != "投诉 7" || !slices.Equal(a.Unreadable, []string{broken}) {
		t.Errorf("%+v", a)
	}
}

// TestAccessPage: days are those of the readers' zone; a search stands in words; who has
// no look so far is not said to have none; the link leads on.
func TestAccessPage(t *testing.T) {
	f := pagesFixture(t)
	f.handler = viewer.New(viewer.Config{
		Objects: f.objects, Catalog: f.catalog, Access: f.access, Auth: people{}, Visitors: visitor{},
		Now: func() time.Time { return now }, SearchTime: 1, // ns: a batch each
	})
	day := time.Date(2026, 11, 20, 16, 0, 0, 0, time.UTC) // 00:00 of the 21st in UTC+8
	f.looked(day.Add(-time.Minute), "look-before", access.Look{Who: "before", Conversation: "pair:a,b"})
	for n := range 400 {
		f.looked(day.Add(time.Duration(n)*time.Second), fmt.Sprintf("look-%03d", n), access.Look{Who: "adam", Conversation: "pair:a,b"})
	}
	f.looked(day.Add(time.Hour), "look-of-eve", access.Look{Who: "eve", What: access.WhatSearch, Conversations: []string{"room:<r>"},
		Search: map[string]string{"q": "合同", "order": "desc", "type": "file", "has_media": "true"}})
	next := regexp.MustCompile(`rel="next" href="([^"]+)"`)
	path, clicks := "/access?from=2026-11-21&to=2026-11-21&who=eve", 0
	for ; clicks < 10; clicks++ {
		body := f.page("auditor", path).Body.String()
		link := next.FindStringSubmatch(body)
		if link == nil {
			for _, want := range []string{"内容：合同 · 消息类型：文件 · 文件：有文件 · 最新在前", "room:&lt;r&gt;", "eve"} {
				if !strings.Contains(body, want) {
					t.Errorf("no %q in %s", want, body)
				}
			}
			break
		}
		if !strings.Contains(body, "尚无") || strings.Contains(body, "没有符合条件") {
			t.Errorf("before the end: %s", body)
		}
		path = html.UnescapeString(link[1])
	}
	if clicks == 0 || clicks == 10 {
		t.Errorf("%d clicks", clicks)
	}
	if body := f.page("auditor", "/access?from=2026-11-21&to=2026-11-21&who=before").Body.String(); strings.Contains(body, "23:59") {
		t.Errorf("a look of the day before: %s", body)
	}
	if body := f.page("auditor", "/access?from=2026-11-20&to=2026-11-20&who=before").Body.String(); !strings.Contains(body, "2026-11-20 23:59:00") {
		t.Errorf("not that of the day: %s", body)
	}
	if body := f.page("auditor", "/access?from=2026-11-01&to=2026-12-02").Body.String(); !strings.Contains(body, "31") || !strings.Contains(body, `role="alert"`) {
		t.Errorf("too many days: %s", body)
	}
	if w := f.page("auditor", "/access?from=2026-11-21&to=2026-11-21&after="+url.QueryEscape(access.Key(day.Add(-time.Minute), "look-before"))); w.Code != http.StatusBadRequest {
		t.Errorf("a place outside: %d", w.Code)
	}
}
