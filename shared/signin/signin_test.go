package signin_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"wecom-archive/infra/local/idp"
	"wecom-archive/shared/person"
	"wecom-archive/shared/signin"
)

// world is a site with a sign-in, its provider, and a browser.
type world struct {
	t       *testing.T
	now     time.Time
	base    string
	browser *http.Client
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.base = server.URL
	clock := func() time.Time { return w.now }
	sessions, err := signin.NewSessions(signin.Settings{Key: signin.NewKey(), Insecure: true, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	provider, err := idp.New(idp.Config{Issuer: w.base + "/idp", ClientID: "viewer", Redirect: w.base + signin.CallbackPath, Accounts: idp.Accounts(), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/idp/", provider)
	pages := signin.New(signin.Config{Issuer: w.base + "/idp", ClientID: "viewer", Base: w.base, RolesClaim: idp.RolesClaim, Sessions: sessions, Client: server.Client()})
	mux.Handle(signin.BeginPath, pages)
	mux.Handle(signin.CallbackPath, pages)
	mux.Handle(signin.EndPath, pages)
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		p, err := sessions.Visitor(rw, r)
		if err != nil {
			if !errors.Is(err, person.ErrUnauthenticated) {
				t.Error(err)
			}
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(rw, p.Subject+" "+string(p.Roles[0])+" "+r.URL.Path)
	})
	jar, _ := cookiejar.New(nil)
	w.browser = &http.Client{Jar: jar}
	return w
}

func (w *world) do(r *http.Request, err error) (int, string, *url.URL) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := w.browser.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), resp.Request.URL
}

func (w *world) get(path string) (int, string, *url.URL) {
	w.t.Helper()
	return w.do(http.NewRequest(http.MethodGet, w.base+path, nil))
}

func (w *world) post(path string, form url.Values, origin string) (int, string, *url.URL) {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodPost, w.base+path, strings.NewReader(form.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
	}
	return w.do(r, err)
}

// signIn goes through the provider as this account.
func (w *world) signIn(account, back string) (int, string) {
	w.t.Helper()
	_, _, at := w.get(signin.BeginPath + "?back=" + url.QueryEscape(back))
	status, body, _ := w.post(at.Path, url.Values{"query": {at.RawQuery}, "account": {account}}, w.base)
	return status, body
}

func TestSignIn(t *testing.T) {
	w := newWorld(t)
	if status, _, _ := w.get("/c"); status != http.StatusUnauthorized {
		t.Fatalf("a stranger: %d", status)
	}
	for _, role := range []string{"reader", "auditor", "operator"} {
		if status, body := w.signIn(role, "/c"); status != http.StatusOK || body != role+" "+role+" /c" {
			t.Errorf("%d %q", status, body)
		}
	}
	if _, body := w.signIn("reader", "//elsewhere.example/"); body != "reader reader /" {
		t.Errorf("led away: %q", body)
	}
	if status, _, _ := w.post(signin.EndPath, nil, "https://elsewhere.example"); status != http.StatusForbidden {
		t.Errorf("another site signs out: %d", status)
	}
	w.post(signin.EndPath, nil, w.base)
	if status, _, _ := w.get("/c"); status != http.StatusUnauthorized {
		t.Errorf("signed out: %d", status)
	}
}

func TestSessionEnds(t *testing.T) {
	w := newWorld(t)
	w.signIn("reader", "/")
	for range 16 { // used every 29 minutes
		w.now = w.now.Add(29 * time.Minute)
		if status, _, _ := w.get("/"); status != http.StatusOK {
			t.Fatalf("at %v: %d", w.now, status)
		}
	}
	w.now = w.now.Add(29 * time.Minute)
	if status, _, _ := w.get("/"); status != http.StatusUnauthorized {
		t.Errorf("after 8 hours: %d", status)
	}
	w.signIn("reader", "/")
	w.now = w.now.Add(31 * time.Minute)
	if status, _, _ := w.get("/"); status != http.StatusUnauthorized {
		t.Errorf("idle for 31 minutes: %d", status)
	}
}

func TestCallbackRefuses(t *testing.T) {
	w := newWorld(t)
	if status, _, _ := w.get(signin.CallbackPath + "?code=x&state=y"); status != http.StatusBadRequest {
		t.Errorf("without a sign-in: %d", status)
	}
	w.get(signin.BeginPath)
	if status, _, _ := w.get(signin.CallbackPath + "?code=x&state=other"); status != http.StatusBadRequest {
		t.Errorf("another's state: %d", status)
	}
	_, _, at := w.get(signin.BeginPath)
	if status, _, _ := w.get(signin.CallbackPath + "?code=invented&state=" + at.Query().Get("state")); status != http.StatusUnauthorized {
		t.Errorf("an invented code: %d", status)
	}
	_, _, at = w.get(signin.BeginPath)
	w.now = w.now.Add(11 * time.Minute)
	if status, _, _ := w.get(signin.CallbackPath + "?code=x&state=" + at.Query().Get("state")); status != http.StatusBadRequest {
		t.Errorf("too late: %d", status)
	}
}

func TestForgedCookies(t *testing.T) {
	ours, err := signin.NewSessions(signin.Settings{Key: signin.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"", "x", "e30", strings.Repeat("A", 200)} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: "__Host-session", Value: value})
		if p, err := ours.Visitor(httptest.NewRecorder(), r); !errors.Is(err, person.ErrUnauthenticated) {
			t.Errorf("%q: %v %v", value, p, err)
		}
	}
	if _, err := signin.NewSessions(signin.Settings{Key: make([]byte, 16)}); err == nil {
		t.Error("a short key is taken")
	}
}
