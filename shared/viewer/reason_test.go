package viewer_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/show"
	"wecom-archive/shared/viewer"
)

// TestReason: an archive that asks shows no content to who does not say why, and
// each look says it.
func TestReason(t *testing.T) {
	f := pagesFixture(t)
	f.archived(row(1, pair, at(0), "the text"))
	clock := now
	f.handler = viewer.New(viewer.Config{
		Objects: f.objects, Catalog: f.catalog, Access: f.access, Auth: people{}, Visitors: visitor{}, AskReason: true,
		Now: func() time.Time { return clock }, NewID: serial("request"),
	})
	const why = "投诉 2026-117；客户要求"
	ask := func(method, role, path, form string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(form))
		r.Header.Set("Test-Role", role)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, r)
		return w
	}
	refused := func(role string, cookies ...*http.Cookie) {
		t.Helper()
		for _, path := range []string{transcriptPath(pair), "/record/1"} {
			before := len(f.looks())
			if body := ask(http.MethodGet, role, path, "", cookies...).Body.String(); strings.Contains(body, "the text") || !strings.Contains(body, `action="/reason"`) || len(f.looks()) > before {
				t.Errorf("%s shows without a reason: %s", path, body)
			}
		}
	}
	refused("reader")
	for _, bad := range []string{"", "   ", strings.Repeat("长", 201), "a\x00b", "\xff"} {
		if w := ask(http.MethodPost, "reader", "/reason", url.Values{"reason": {bad}, "back": {"/c"}}.Encode()); len(w.Result().Cookies()) > 0 || w.Code != http.StatusOK {
			t.Errorf("%q is taken for a reason", bad)
		}
	}
	if w := ask(http.MethodPost, "reader", "/reason", url.Values{"reason": {why}, "back": {"//elsewhere.invalid"}}.Encode()); w.Header().Get("Location") != "/" {
		t.Errorf("leads to %q", w.Header().Get("Location"))
	}
	w := ask(http.MethodPost, "reader", "/reason", url.Values{"reason": {" " + why + " "}, "back": {transcriptPath(pair)}}.Encode())
	given := w.Result().Cookies()
	if w.Header().Get("Location") != transcriptPath(pair) || len(given) != 1 || !given[0].HttpOnly {
		t.Fatalf("%d to %q with %v", w.Code, w.Header().Get("Location"), given)
	}
	for _, path := range []string{transcriptPath(pair), "/record/1"} {
		body := ask(http.MethodGet, "reader", path, "", given...).Body.String()
		looks := f.looks()
		if !strings.Contains(body, "the text") || len(looks) == 0 || looks[len(looks)-1].Reason != why {
			t.Errorf("%s with a reason: looks %+v, page %s", path, looks, body)
		}
	}
	refused("auditor", given...) // somebody else at the same browser
	clock = clock.Add(9 * time.Hour)
	refused("reader", given...)

	for header, want := range map[string]int{"": http.StatusPreconditionRequired, "%zz": http.StatusPreconditionRequired, "%20": http.StatusPreconditionRequired, url.PathEscape(why): http.StatusOK} {
		for _, path := range []string{messagesPath(pair), "/v1/messages/1", "/v1/search?q=text"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			r.Header.Set("Authorization", "Bearer reader-token")
			r.Header.Set(show.ReasonHeader, header)
			w := httptest.NewRecorder()
			before := len(f.looks())
			f.handler.ServeHTTP(w, r)
			looks := f.looks()
			if shown := strings.Contains(w.Body.String(), "the text"); w.Code != want || shown != (want == http.StatusOK) || len(looks) > before != shown || shown && looks[len(looks)-1].Reason != why {
				t.Errorf("%s with %q: %d %s", path, header, w.Code, w.Body)
			}
		}
	}
}
