package signin_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/person"
	"wecom-archive/shared/signin"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// failing is an index whose reads fail while broken.
type failing struct {
	store.Index
	broken bool
}

func (f *failing) Get(ctx context.Context, partition, sort string) (store.Item, error) {
	if f.broken {
		return store.Item{}, errors.New("throttled")
	}
	return f.Index.Get(ctx, partition, sort)
}

// pair are two processes with one key and one index: sign-in, and the pages.
type pair struct {
	t             *testing.T
	now           time.Time
	index         *failing
	signin, pages *signin.Sessions
}

func newPair(t *testing.T) *pair {
	p := &pair{t: t, now: noon, index: &failing{Index: storetest.NewIndex()}}
	settings := signin.Settings{Key: signin.NewKey(), Index: p.index, Now: func() time.Time { return p.now }}
	for _, to := range []**signin.Sessions{&p.signin, &p.pages} {
		s, err := signin.NewSessions(settings)
		if err != nil {
			t.Fatal(err)
		}
		*to = s
	}
	return p
}

func (p *pair) begin(subject string) *http.Cookie {
	w := httptest.NewRecorder()
	p.signin.Begin(w, person.Person{Subject: subject})
	return w.Result().Cookies()[0]
}

func (p *pair) visit(c *http.Cookie) error {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(c)
	_, err := p.pages.Visitor(httptest.NewRecorder(), r)
	return err
}

func (p *pair) end(subject string) {
	p.t.Helper()
	if err := p.signin.End(p.t.Context(), subject); err != nil {
		p.t.Fatal(err)
	}
}

// TestEndedElsewhere: what one process ended, another refuses within a minute, and
// only that.
func TestEndedElsewhere(t *testing.T) {
	p := newPair(t)
	first, other := p.begin("li.na"), p.begin("wang.wei")
	if err := errors.Join(p.visit(first), p.visit(other)); err != nil {
		t.Fatal(err)
	}
	p.end("li.na")
	p.now = p.now.Add(time.Minute)
	if err := p.visit(first); !errors.Is(err, person.ErrUnauthenticated) {
		t.Errorf("a copy of the cookie: %v", err)
	}
	if err := p.visit(other); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	again := p.begin("li.na")
	if err := p.visit(again); err != nil {
		t.Errorf("signed in again: %v", err)
	}
	p.end("")
	p.now = p.now.Add(time.Minute)
	for _, c := range []*http.Cookie{again, other} {
		if err := p.visit(c); !errors.Is(err, person.ErrUnauthenticated) {
			t.Errorf("everybody was signed out: %v", err)
		}
	}
	if err := p.visit(p.begin("wang.wei")); err != nil {
		t.Errorf("after everybody was signed out: %v", err)
	}
}

// TestEndedForgotten: what no session can have survived is not kept.
func TestEndedForgotten(t *testing.T) {
	p := newPair(t)
	size := func() int {
		item, err := p.index.Get(t.Context(), "signin", "ended")
		if err != nil {
			t.Fatal(err)
		}
		return len(item.Value)
	}
	p.end("one")
	before := size()
	p.now = p.now.Add(9 * time.Hour)
	p.end("two")
	if size() != before {
		t.Errorf("%d bytes, then %d", before, size())
	}
}

// TestEndedUnknown: a read that fails is borne for a minute, damage not at all.
func TestEndedUnknown(t *testing.T) {
	p := newPair(t)
	p.index.broken = true
	c := p.begin("li.na")
	if err := p.visit(c); err == nil || errors.Is(err, person.ErrUnauthenticated) {
		t.Fatalf("never read: %v", err)
	}
	p.index.broken = false
	if err := p.visit(c); err != nil {
		t.Fatalf("read again: %v", err)
	}
	p.index.broken = true
	p.now = p.now.Add(45 * time.Second)
	if err := p.visit(c); err != nil {
		t.Errorf("for 45 s: %v", err)
	}
	p.now = p.now.Add(45 * time.Second)
	if err := p.visit(c); err == nil || errors.Is(err, person.ErrUnauthenticated) {
		t.Errorf("for 90 s: %v", err)
	}
	p.index.broken = false
	if err := p.visit(c); err != nil {
		t.Errorf("as soon as it answers: %v", err)
	}
	elsewhere := newPair(t)
	elsewhere.end("nobody")
	foreign, err := elsewhere.index.Get(t.Context(), "signin", "ended")
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{`{}`, `{"sealed":"AAAA"}`, string(foreign.Value)} {
		if err := p.index.Put(t.Context(), store.Item{Partition: "signin", Sort: "ended", Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
		p.now = p.now.Add(31 * time.Second)
		if err := p.visit(c); !errors.Is(err, store.ErrIndexDamaged) {
			t.Errorf("%s: %v", value, err)
		}
		if err := p.signin.End(t.Context(), "li.na"); !errors.Is(err, store.ErrIndexDamaged) {
			t.Errorf("written over damage %s: %v", value, err)
		}
	}
}

func TestSignOutEndsCopies(t *testing.T) {
	w := newWorld(t)
	w.signIn("reader", "/c")
	base, err := url.Parse(w.base)
	if err != nil {
		t.Fatal(err)
	}
	copied := w.browser.Jar.Cookies(base)
	w.now = w.now.Add(time.Second)
	_, body, _ := w.post(signin.EndPath, nil, w.base)
	if !strings.Contains(body, w.base+"/idp/logout?") {
		t.Errorf("the provider's session is left: %s", body)
	}
	w.browser.Jar.SetCookies(base, slices.DeleteFunc(copied, func(c *http.Cookie) bool { return c.Name != "session" }))
	if status, _, _ := w.get("/c"); status != http.StatusUnauthorized {
		t.Errorf("a copy of the cookie: %d", status)
	}
	w.now = w.now.Add(time.Second)
	if status, _ := w.signIn("reader", "/c"); status != http.StatusOK {
		t.Errorf("signed in again: %d", status)
	}
}

// TestProviderAsks: after a session the provider asks again, and is not believed if it
// does not, but told to forget.
func TestProviderAsks(t *testing.T) {
	w := newWorld(t)
	w.signIn("reader", "/c")
	w.now = w.now.Add(31 * time.Minute)
	_, _, at := w.get(signin.BeginPath + "?back=/c")
	if at.Path != "/idp/authorize" {
		t.Fatalf("signed in silently: %v", at)
	}
	if q := at.Query(); q.Get("prompt") != "login" || q.Get("max_age") != "0" {
		t.Errorf("asked for %v", q)
	}
	// A provider that knows neither parameter.
	q := at.Query()
	q.Del("prompt")
	q.Del("max_age")
	status, body, at := w.get("/idp/authorize?" + q.Encode())
	if at.Path != signin.CallbackPath || status != http.StatusOK || !strings.Contains(body, "/idp/logout?") {
		t.Fatalf("%d at %v: %s", status, at, body)
	}
	if status, _, _ := w.get("/c"); status != http.StatusUnauthorized {
		t.Errorf("believed: %d", status)
	}
	_, _, _ = w.get("/idp/logout?" + url.Values{"client_id": {"viewer"}, "post_logout_redirect_uri": {w.base + "/signed-out"}}.Encode())
	w.get(signin.BeginPath + "?back=/c")
	if _, _, at := w.get("/idp/authorize?" + q.Encode()); at.Path != "/idp/authorize" {
		t.Errorf("still remembered: %v", at)
	}
}

// TestBackFits: a browser keeps the cookie, wherever one comes from.
func TestBackFits(t *testing.T) {
	for back, want := range map[string]string{
		"/search?q=" + url.QueryEscape(strings.Repeat("合", 100)): "/search?q=" + url.QueryEscape(strings.Repeat("合", 100)),
		"/search?q=" + url.QueryEscape(strings.Repeat("合", 340)): "/search",
		"/search?" + strings.Repeat("&", 1500):                   "/search", // six bytes each, as JSON
		"/" + strings.Repeat("a", 3000):                          "/",
	} {
		w := newWorld(t)
		resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Get(w.base + signin.BeginPath + "?back=" + url.QueryEscape(back))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if size := len(resp.Header.Get("Set-Cookie")); size > 4096 || size == 0 {
			t.Errorf("a cookie of %d bytes for %.20s", size, back)
		}
		path, _, _ := strings.Cut(want, "?")
		if _, body := w.signIn("reader", back); body != "reader reader "+path {
			t.Errorf("%.20s led to %q", back, body)
		}
	}
}

// TestTokenKinds: an ID token of an issuer without token_use is not taken for access.
func TestTokenKinds(t *testing.T) {
	p := newPlant(t)
	p.keep()
	for _, c := range []struct {
		name string
		more claims
		good bool
	}{
		{"plain", claims{}, true},
		{"nonce", claims{"nonce": "n"}, false},
		{"hash of an access token", claims{"at_hash": "h"}, false},
		{"hash of a code", claims{"c_hash": "h"}, false},
		{"Keycloak's ID token", claims{"typ": "ID"}, false},
		{"Keycloak's access token", claims{"typ": "Bearer", "nonce": "n"}, true},
	} {
		all := p.good()
		delete(all, "token_use")
		delete(all, "client_id")
		all["aud"] = "viewer"
		for k, v := range c.more {
			all[k] = v
		}
		if _, err := p.verifier.Subject(t.Context(), sign(t, "RS256", p.keys[0], all)); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
