package viewer_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/viewer"
)

// TestWhoLooked: what is shown and what is recorded name the person as signed in, and
// the subject, which nobody can change.
func TestWhoLooked(t *testing.T) {
	f := pagesFixture(t)
	f.archived(row(1, pair, at(0), "the text"))
	shown := f.page("reader", transcriptPath(pair)).Body.String()
	_, mark, _ := strings.Cut(shown, `<pattern id="watermark"`)
	mark, _, _ = strings.Cut(mark, "</pattern>")
	for _, want := range []string{"李&lt;b&gt;读", "the-reader"} {
		if !strings.Contains(mark, want) {
			t.Errorf("the watermark has no %s: %s", want, mark)
		}
	}
	looks := f.looks()
	if len(looks) != 1 || looks[0].Who != "the-reader" || looks[0].Name != "李<b>读" {
		t.Fatalf("looks %+v", looks)
	}
	listed := f.page("auditor", "/access?from="+looks[0].At.Format("2006-01-02")+"&to="+looks[0].At.Format("2006-01-02")).Body.String()
	for _, want := range []string{"<td>李&lt;b&gt;读", "the-reader"} {
		if !strings.Contains(listed, want) {
			t.Errorf("/access has no %s", want)
		}
	}
}

// TestSecure: over https each cookie stays there, and so does the browser.
func TestSecure(t *testing.T) {
	for _, insecure := range []bool{false, true} {
		h := viewer.New(viewer.Config{Catalog: catalog.New(storetest.NewIndex()), Visitors: visitor{}, AskReason: true, Insecure: insecure})
		for path, form := range map[string]string{"/language": "lang=en", "/reason": "reason=why"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Test-Role", "reader")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			cookies := w.Result().Cookies()
			if len(cookies) != 1 || cookies[0].Secure == insecure {
				t.Errorf("%s, insecure %v: %v", path, insecure, cookies)
			}
			if strict := w.Header().Get("Strict-Transport-Security") != ""; strict == insecure {
				t.Errorf("%s, insecure %v: %v", path, insecure, w.Header())
			}
		}
	}
}
