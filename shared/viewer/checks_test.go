package viewer_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/viewer"
)

// pullRequests are who asked.
type pullRequests struct {
	who []string
	err error
}

func (p *pullRequests) RequestPull(_ context.Context, who string) error {
	p.who = append(p.who, who)
	return p.err
}

// TestPullNow: operators ask for a pull from our own pages, and nobody else does.
func TestPullNow(t *testing.T) {
	f := newFixture(t)
	requests := &pullRequests{}
	f.handler = viewer.New(viewer.Config{Objects: f.objects, Catalog: f.catalog, Access: f.access, Visitors: visitor{}, Puller: requests})
	post := func(role, site string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/pull", nil)
		r.Header.Set("Test-Role", role)
		r.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, r)
		return w.Code
	}
	for _, refused := range []struct {
		role, site string
		want       int
	}{
		{"reader", "same-origin", http.StatusForbidden}, {"auditor", "same-origin", http.StatusForbidden},
		{"operator", "cross-site", http.StatusForbidden}, {"operator", "same-site", http.StatusForbidden}, {"", "same-origin", http.StatusSeeOther},
	} {
		if code := post(refused.role, refused.site); code != refused.want || len(requests.who) > 0 {
			t.Errorf("%+v: %d, asked by %v", refused, code, requests.who)
		}
	}
	if code := post("operator", "same-origin"); code != http.StatusSeeOther || !slices.Equal(requests.who, []string{"the-operator"}) {
		t.Errorf("%d, asked by %v", code, requests.who)
	}
	requests.err = errors.New("no way")
	if code := post("operator", "same-origin"); code != http.StatusInternalServerError {
		t.Errorf("after a failure: %d", code)
	}
	for role, want := range map[string]bool{"operator": true, "reader": false, "auditor": false} {
		if body := f.page(role, "/?asked").Body.String(); strings.Contains(body, "立即拉取") != want || strings.Contains(body, "已请求拉取") != want {
			t.Errorf("%s sees the button: %v, want %v", role, !want, want)
		}
	}
	f.handler = viewer.New(viewer.Config{Objects: f.objects, Catalog: f.catalog, Access: f.access, Visitors: visitor{}})
	if body := f.page("operator", "/").Body.String(); strings.Contains(body, "立即拉取") {
		t.Error("there is a button and nothing to pull")
	}
	if code := post("operator", "same-origin"); code != http.StatusNotFound && code != http.StatusMethodNotAllowed {
		t.Errorf("without a puller: %d", code)
	}
}

// TestAlarmsInChinese: the page of an archive that never ran says so in its
// language, and names what is not proved.
func TestAlarmsInChinese(t *testing.T) {
	f := pagesFixture(t)
	zh := f.page("operator", "/").Body.String()
	if !strings.Contains(zh, "没有任何拉取记录") || strings.Contains(zh, "No run of the puller") || !strings.Contains(zh, `<li class="wrong">`) || !strings.Contains(zh, `<li class="open">`) {
		t.Error(zh)
	}
	status := into[struct {
		Alarms []struct {
			MessageZH string `json:"message_zh"`
			RemedyZH  string `json:"remedy_zh"`
		}
	}](t, f.get("operator-token", "/v1/status"))
	for _, a := range status.Alarms {
		if !strings.ContainsFunc(a.MessageZH, func(r rune) bool { return unicode.Is(unicode.Han, r) }) || a.RemedyZH == "" {
			t.Errorf("%+v", a)
		}
	}
}

// TestOnRecord: what is wrong and past is not green. Old envelopes that nobody could read
// and old gaps are on record, and seats that were last heard of months ago prove nothing.
func TestOnRecord(t *testing.T) {
	f := pagesFixture(t)
	states := func() map[string]string {
		all := map[string]string{}
		body := f.page("auditor", "/").Body.String()
		for _, m := range regexp.MustCompile(`<li class="(\w+)"><span[^>]*>[^<]*</span> <span>([^<]*)</span>`).FindAllStringSubmatch(body, -1) {
			all[m[2]] = m[1]
		}
		return all
	}
	seats := func(age time.Duration) {
		n := 3
		_, err := f.catalog.Pages.UpdatePullState(t.Context(), func(s *catalog.PullState) { s.Seats, s.LastSuccessAt = &n, now })
		f.must(err)
		f.must(f.catalog.People.UpdateDirectoryState(t.Context(), func(s *catalog.DirectoryState) { s.SeatsAt = now.Add(-age) }))
	}
	seats(time.Hour)
	if got := states(); got["消息可解密"] != "done" || got["没有断档、篡改或其他告警"] != "done" || got["存档席位已知"] != "done" {
		t.Errorf("with nothing wrong: %v", got)
	}
	old := now.AddDate(0, 0, -40)
	h := archive.PageHeader{SeqAsked: 0, FirstSeq: 1, LastSeq: 10, Count: 10, Size: 500, PulledAt: old}
	f.must(f.catalog.Pages.NotePage(t.Context(), h))
	f.must(f.catalog.Pages.FinishPage(t.Context(), catalog.PageState{Key: archive.PageKey(0), LastSeq: 10, Count: 10, PulledAt: old, Parts: 1, OK: 3, Unreadable: map[archive.Outcome]int{archive.OutcomeBadMessage: 7}}))
	f.must(f.catalog.Journal.PutGap(t.Context(), archive.Gap{Since: old.AddDate(0, 0, -6), Until: old, SeenAt: old}))
	seats(5 * 24 * time.Hour)
	if got := states(); got["消息可解密"] != "record" || got["没有断档、篡改或其他告警"] != "record" || got["存档席位已知"] != "open" {
		t.Errorf("with old troubles: %v", got)
	}
}
