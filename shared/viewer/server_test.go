package viewer_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wecom-archive/shared/api"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/person"
	"wecom-archive/shared/store"
	"wecom-archive/shared/viewer"
)

// watched counts reads of segments that go on at a time; they wait for release.
type watched struct {
	store.Objects
	arrived   chan struct{}
	release   chan struct{}
	gets, now atomic.Int64
	most      atomic.Int64
}

func (o *watched) Get(ctx context.Context, key string) (io.ReadCloser, store.ObjectInfo, error) {
	o.gets.Add(1)
	n := o.now.Add(1)
	for most := o.most.Load(); n > most && !o.most.CompareAndSwap(most, n); most = o.most.Load() {
	}
	select {
	case o.arrived <- struct{}{}:
	default:
	}
	<-o.release
	body, info, err := o.Objects.Get(ctx, key)
	return &counted{ReadCloser: body, open: &o.now}, info, err
}

type counted struct {
	io.ReadCloser
	open *atomic.Int64
}

func (c *counted) Close() error {
	c.open.Add(-1)
	return c.ReadCloser.Close()
}

func TestRoles(t *testing.T) {
	f := newFixture(t)
	f.store(0, row(1, pair, at(0), "the text"))
	day := "/v1/conversations?day=2026-11-23"
	tests := []struct {
		path string
		want map[string]int
	}{
		{"/v1/status", map[string]int{"": 401, "wrong": 401, "nothing-token": 403, "operator-token": 200, "reader-token": 200, "auditor-token": 200}},
		{day, map[string]int{"": 401, "wrong": 401, "nothing-token": 403, "operator-token": 403, "reader-token": 200, "auditor-token": 200}},
		{messagesPath(pair), map[string]int{"": 401, "wrong": 401, "nothing-token": 403, "operator-token": 403, "reader-token": 200, "auditor-token": 200}},
		{messagesPath(pair, "limit", "0"), map[string]int{"": 401, "operator-token": 403, "reader-token": 422}}, // nobody learns what is valid
		{"/v1/openapi.json", map[string]int{"": 200, "wrong": 200}},
		{"/v1/openapi.yaml", map[string]int{"": 200}},
		{"/healthz", map[string]int{"": 200}},
	}
	for _, tt := range tests {
		for token, want := range tt.want {
			w := f.get(token, tt.path)
			if want == 200 {
				if w.Code != 200 {
					t.Errorf("%s as %q: %d %s", tt.path, token, w.Code, w.Body)
				}
				continue
			}
			refusal(t, w, want)
			challenge := w.Header().Get("WWW-Authenticate")
			if (want == 401) != strings.HasPrefix(challenge, "Bearer ") || strings.Contains(challenge, "invalid_token") != (want == 401 && token != "") {
				t.Errorf("%s as %q: WWW-Authenticate %q", tt.path, token, challenge)
			}
			if strings.Contains(w.Body.String(), "the text") {
				t.Errorf("%s as %q: %s", tt.path, token, w.Body)
			}
		}
	}
	if n := len(f.looks()); n != 2 {
		t.Errorf("%d looks, want 2", n)
	}
}

func TestAuthenticatorFails(t *testing.T) {
	f := newFixture(t)
	w := f.get("unlucky", "/v1/status")
	refusal(t, w, 503)
	if strings.Contains(w.Body.String(), "10.1.2.3") || !strings.Contains(f.log.String(), "10.1.2.3") {
		t.Errorf("answer %s, log %s", w.Body, f.log)
	}
}

func TestNoAuthenticatorRefusesAll(t *testing.T) {
	f := newFixture(t)
	f.handler = viewer.New(viewer.Config{Objects: f.objects, Catalog: f.catalog, Access: f.access})
	refusal(t, f.get("", "/v1/status"), 401)
	refusal(t, f.get("reader-token", "/v1/status"), 401)
}

func TestStaticToken(t *testing.T) {
	person := person.Person{Subject: "me", Roles: []person.Role{person.Reader}}
	tests := []struct {
		token, header string
		ok            bool
	}{
		{"abc", "Bearer abc", true},
		{"abc", "bearer  abc", true},
		{"abc", "Bearer abcd", false},
		{"abc", "Bearer ab", false},
		{"abc", "Bearer ABC", false},
		{"abc", "Basic abc", false},
		{"abc", "abc", false},
		{"abc", "Bearer", false},
		{"abc", "", false},
		{"", "Bearer ", false},
		{"", "", false},
	}
	for _, tt := range tests {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?access_token=abc", nil)
		r.Header.Set("Authorization", tt.header)
		got, err := api.StaticToken(tt.token, person).Authenticate(r)
		if (err == nil) != tt.ok || (got.Subject == "me") != tt.ok {
			t.Errorf("token %q, header %q: %v, %v", tt.token, tt.header, got, err)
		}
	}
}

func TestHeaders(t *testing.T) {
	f := newFixture(t)
	f.store(0, row(1, pair, at(0), "x"))
	want := map[string]string{
		"X-Content-Type-Options":       "nosniff",
		"Cache-Control":                "no-store",
		"Referrer-Policy":              "no-referrer",
		"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'",
		"Cross-Origin-Resource-Policy": "same-origin",
	}
	ids := map[string]bool{}
	for _, path := range []string{"/healthz", "/v1/openapi.json", "/v1/status", messagesPath(pair), "/v1/nothing", "//v1/status", messagesPath(pair, "limit", "x")} {
		for _, token := range []string{"", "reader-token"} {
			h := f.get(token, path).Header()
			for name, value := range want {
				if h.Get(name) != value {
					t.Errorf("%s: %s is %q", path, name, h.Get(name))
				}
			}
			id := h.Get("X-Request-Id")
			if id == "" || ids[id] {
				t.Errorf("%s: request id %q", path, id)
			}
			ids[id] = true
		}
	}
}

func TestNoRoute(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/", "/v1", "/v1/status/", "/v1/conversations//messages", "/docs", "/schemas/Message.json", "/openapi.json"} {
		refusal(t, f.get("reader-token", path), 404)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodDelete, messagesPath(pair), nil)
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	refusal(t, w, 405)
	if allow := w.Header().Get("Allow"); !strings.Contains(allow, "GET") {
		t.Errorf("Allow %q", allow)
	}
}

func TestHealthz(t *testing.T) {
	w := newFixture(t).get("", "/healthz")
	if w.Code != 200 || w.Body.String() != "ok\n" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// panicky panics where it is read.
type panicky struct{ store.Objects }

func (panicky) Get(context.Context, string) (io.ReadCloser, store.ObjectInfo, error) {
	panic("inside 10.0.0.1")
}

type panickyIndex struct{ store.Index }

func (panickyIndex) Query(context.Context, store.IndexQuery) ([]store.Item, error) {
	panic("inside 10.0.0.1")
}

func TestPanic(t *testing.T) {
	f := newFixture(t)
	log := newLogger(f)
	f.handler = viewer.New(viewer.Config{Objects: f.objects, Catalog: catalog.New(panickyIndex{f.index}), Access: f.access, Auth: people{}, Log: log})
	w := f.get("reader-token", messagesPath(pair))
	refusal(t, w, 500)
	if strings.Contains(w.Body.String(), "10.0.0.1") || !strings.Contains(f.log.String(), "10.0.0.1") {
		t.Errorf("answer %s, log %s", w.Body, f.log)
	}
}

// Segments are read in goroutines of their own, where a panic would end the
// program.
func TestPanicWhileReading(t *testing.T) {
	f := newFixture(t)
	f.store(0, row(1, pair, at(0), "x"))
	f.handler = viewer.New(viewer.Config{Objects: panicky{f.objects}, Catalog: f.catalog, Access: f.access, Auth: people{}, Log: newLogger(f)})
	w := f.get("reader-token", messagesPath(pair))
	refusal(t, w, 500)
	if strings.Contains(w.Body.String(), "10.0.0.1") || !strings.Contains(f.log.String(), "10.0.0.1") {
		t.Errorf("answer %s, log %s", w.Body, f.log)
	}
}

// The log knows who asked for which kind of thing, never what, and no token.
func TestLog(t *testing.T) {
	f := newFixture(t)
	f.store(0, row(1, pair, at(0), "private words"))
	f.get("auditor-token", messagesPath(pair, "raw", "true"))
	f.get("reader-token", messagesPath(pair))
	f.get("wrong-secret-token", messagesPath(pair, "from", "private words"))
	f.get("reader-token", messagesPath(pair, "from", "private words"))
	f.get("reader-token", "/v1/conversations?day=2026-11-23")
	log := f.log.String()
	for _, secret := range []string{"private words", "secret-file-id", "auditor-token", "reader-token", "wrong-secret-token", "wang.wei", "private%20words", "private+words"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q: %s", secret, log)
		}
	}
	for _, part := range []string{`"subject":"the-auditor"`, `"route":"GET /v1/conversations/{id}/messages"`, `"status":200`, `"status":401`, `"status":422`} {
		if !strings.Contains(log, part) {
			t.Errorf("the log lacks %s: %s", part, log)
		}
	}
}

func TestConversations(t *testing.T) {
	f := newFixture(t)
	var want []string
	for p := range 3 {
		var rows []archive.Row
		for i := range 20 {
			id := fmt.Sprintf("pair:用户%02d,x/%d", i, p)
			want = append(want, id)
			rows = append(rows, row(int64(p*100+i*2+1), id, at(0), "x"), row(int64(p*100+i*2+2), "room:next-day", at(24*time.Hour), "x"))
		}
		f.store(uint64(p*100), rows...)
	}
	slices.Sort(want)
	type listing struct {
		Conversations []struct{ ID string }
		NextCursor    string `json:"next_cursor"`
	}
	for _, limit := range []int{7, 20, 60, 61} {
		var got []string
		cursor := ""
		for {
			l := into[listing](t, f.get("reader-token", fmt.Sprintf("/v1/conversations?day=2026-11-23&limit=%d&cursor=%s", limit, cursor)))
			for _, c := range l.Conversations {
				got = append(got, c.ID)
			}
			if cursor = l.NextCursor; cursor == "" {
				break
			}
			if len(l.Conversations) != limit {
				t.Fatalf("a page of %d before the end", len(l.Conversations))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: %v", limit, got)
		}
	}
	if l := into[listing](t, f.get("reader-token", "/v1/conversations?day=2026-11-24")); len(l.Conversations) != 1 || l.Conversations[0].ID != "room:next-day" {
		t.Errorf("next day: %v", l)
	}
	if w := f.get("reader-token", "/v1/conversations?day=2026-11-25"); strings.TrimSpace(w.Body.String()) != `{"conversations":[]}` {
		t.Errorf("empty day: %s", w.Body)
	}
	cursor := into[listing](t, f.get("reader-token", "/v1/conversations?day=2026-11-23&limit=1")).NextCursor
	p := refusal(t, f.get("reader-token", "/v1/conversations?day=2026-11-24&cursor="+cursor), 400)
	if !strings.Contains(p.Detail, "same day") {
		t.Errorf("detail %q", p.Detail)
	}
}
