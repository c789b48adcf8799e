package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"wecom-archive/infra/local/idp"
	"wecom-archive/shared/person"
	"wecom-archive/shared/signin"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

const pages = "https://a1b2c3d4e5.execute-api.ap-east-1.amazonaws.com"

// plain wraps nothing.
type plain struct{}

func (plain) New(context.Context) (key, wrapped []byte, err error) {
	key = signin.NewKey()
	return key, key, nil
}
func (plain) Unwrap(_ context.Context, wrapped []byte) ([]byte, error) { return wrapped, nil }

// world is the function with a provider.
type world struct {
	t        *testing.T
	provider *httptest.Server
	index    *storetest.Index
	log      bytes.Buffer
	handler  lambda.Handler
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, index: storetest.NewIndex()}
	mux := http.NewServeMux()
	w.provider = httptest.NewServer(mux)
	t.Cleanup(w.provider.Close)
	provider, err := idp.New(idp.Config{Issuer: w.provider.URL + "/idp", ClientID: "viewer", Redirect: pages + signin.CallbackPath, Accounts: idp.Accounts(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/idp/", provider)
	key, err := signin.MakeKey(t.Context(), w.index, plain{})
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := signin.NewSessions(signin.Settings{Key: key, Index: w.index})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(&w.log, nil))
	app := &App{Index: w.index, Log: log, SignIn: signin.Config{
		Issuer: w.provider.URL + "/idp", ClientID: "viewer", Base: pages, RolesClaim: idp.RolesClaim, Sessions: sessions, Client: w.provider.Client(), Log: log,
	}}
	w.handler = lambda.NewHandler(app.Handle)
	return w
}

func sample(t *testing.T, name string) []byte {
	t.Helper()
	payload, err := os.ReadFile(filepath.Join("..", "..", "events", "signin", name))
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// invoke sends a sample event, changed, through Lambda's own handler.
func (w *world) invoke(name string, change func(*events.APIGatewayV2HTTPRequest)) events.APIGatewayV2HTTPResponse {
	w.t.Helper()
	var event events.APIGatewayV2HTTPRequest
	err := json.Unmarshal(sample(w.t, name), &event)
	if change != nil {
		change(&event)
	}
	var payload, answer []byte
	if err == nil {
		payload, err = json.Marshal(event)
	}
	if err == nil {
		answer, err = w.handler.Invoke(w.t.Context(), payload)
	}
	var response events.APIGatewayV2HTTPResponse
	if err == nil {
		err = json.Unmarshal(answer, &response)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return response
}

// cookies are what a browser would send back.
func cookies(r events.APIGatewayV2HTTPResponse) (all []string) {
	for _, c := range r.Cookies {
		pair, _, _ := strings.Cut(c, ";")
		if !strings.HasSuffix(pair, "=") {
			all = append(all, pair)
		}
	}
	return all
}

// choose picks an account at the provider and returns the query that it comes back with.
func (w *world) choose(at, account string) string {
	w.t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		w.t.Fatal(err)
	}
	client := w.provider.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.PostForm(w.provider.URL+u.Path, url.Values{"query": {u.RawQuery}, "account": {account}})
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	back, err := answer.Location()
	if err != nil {
		w.t.Fatalf("%d, %v", answer.StatusCode, err)
	}
	if back.Host != strings.TrimPrefix(pages, "https://") || back.Path != signin.CallbackPath {
		w.t.Fatalf("sent to %s%s", back.Host, back.Path)
	}
	return back.RawQuery
}

// TestSignIn goes all the way round; the pages' function, which only reads the
// index, then knows who it is.
func TestSignIn(t *testing.T) {
	w := newWorld(t)
	begun := w.invoke("begin.json", nil)
	if begun.StatusCode != http.StatusSeeOther || len(cookies(begun)) != 1 {
		t.Fatalf("%+v", begun)
	}
	for _, attribute := range []string{"__Host-", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(begun.Cookies[0], attribute) {
			t.Errorf("the cookie has no %s", attribute)
		}
	}
	query := w.choose(begun.Headers["Location"], "reader")
	done := w.invoke("callback.json", func(e *events.APIGatewayV2HTTPRequest) { e.RawQueryString, e.Cookies = query, cookies(begun) })
	if done.StatusCode != http.StatusSeeOther || done.Headers["Location"] != "/c?person=li.na" {
		t.Fatalf("%+v", done)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", strings.Join(cookies(done), "; "))
	who, err := (&signin.Stored{Index: w.index, Wrapper: plain{}}).Visitor(httptest.NewRecorder(), r)
	if err != nil || who.Subject != "reader" || len(who.Roles) != 1 {
		t.Errorf("%+v, %v", who, err)
	}
	// The provider gives a code once.
	if again := w.invoke("callback.json", func(e *events.APIGatewayV2HTTPRequest) { e.RawQueryString, e.Cookies = query, cookies(begun) }); again.StatusCode != http.StatusUnauthorized {
		t.Errorf("again: %d", again.StatusCode)
	}
	out := w.invoke("signout.json", func(e *events.APIGatewayV2HTTPRequest) { e.Cookies = cookies(done) })
	if out.StatusCode != http.StatusOK || !strings.Contains(out.Body, w.provider.URL+"/idp/logout?") || len(cookies(out)) != 0 || len(out.Cookies) != 1 {
		t.Errorf("signing out: %+v", out)
	}
	if _, err := (&signin.Stored{Index: w.index, Wrapper: plain{}}).Visitor(httptest.NewRecorder(), r); !errors.Is(err, person.ErrUnauthenticated) {
		t.Errorf("a copy of the cookie: %v", err)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{values.Get("code"), values.Get("state"), "li.na", "eyJ"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log holds %q: %s", secret, w.log.String())
		}
	}
}

// TestSchedule stores the issuer's keys; a provider that does not answer fails the
// run and leaves what is stored.
func TestSchedule(t *testing.T) {
	w := newWorld(t)
	if _, err := w.handler.Invoke(t.Context(), sample(t, "schedule.json")); err != nil {
		t.Fatal(err)
	}
	before, err := w.index.Get(t.Context(), "signin", "issuer")
	if err != nil {
		t.Fatal(err)
	}
	w.provider.Close()
	if _, err := w.handler.Invoke(t.Context(), sample(t, "schedule.json")); err == nil {
		t.Error("a provider that is gone")
	}
	after, err := w.index.Get(t.Context(), "signin", "issuer")
	if err != nil || after.Revision != before.Revision {
		t.Errorf("%v, %v", after, err)
	}
	if r := w.invoke("begin.json", nil); r.StatusCode != http.StatusBadGateway || len(cookies(r)) > 0 {
		t.Errorf("sign-in without a provider: %+v", r)
	}
}

// TestEnd signs out one person, then everybody.
func TestEnd(t *testing.T) {
	w := newWorld(t)
	enter := func() *http.Request {
		begun := w.invoke("begin.json", nil)
		query := w.choose(begun.Headers["Location"], "reader")
		done := w.invoke("callback.json", func(e *events.APIGatewayV2HTTPRequest) { e.RawQueryString, e.Cookies = query, cookies(begun) })
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", strings.Join(cookies(done), "; "))
		return r
	}
	visit := func(r *http.Request) error {
		_, err := (&signin.Stored{Index: w.index, Wrapper: plain{}}).Visitor(httptest.NewRecorder(), r)
		return err
	}
	for payload, ends := range map[string]bool{
		`{"reason":"end","subject":"somebody"}`: false, `{"reason":"end","subject":"reader"}`: true, `{"reason":"end","everybody":true}`: true,
	} {
		r := enter()
		if err := visit(r); err != nil {
			t.Fatal(err)
		}
		if _, err := w.handler.Invoke(t.Context(), []byte(payload)); err != nil {
			t.Fatal(err)
		}
		if err := visit(r); errors.Is(err, person.ErrUnauthenticated) != ends {
			t.Errorf("%s: %v", payload, err)
		}
	}
	for _, payload := range []string{`{"reason":"end"}`, `{"reason":"end","subject":"reader","everybody":true}`} {
		if _, err := w.handler.Invoke(t.Context(), []byte(payload)); err == nil {
			t.Errorf("%s is taken", payload)
		}
	}
}

func TestRefused(t *testing.T) {
	w := newWorld(t)
	if r := w.invoke("callback.json", nil); r.StatusCode != http.StatusBadRequest || len(cookies(r)) > 0 {
		t.Errorf("a callback that nobody began: %+v", r)
	}
	if _, err := w.index.Get(t.Context(), "signin", "issuer"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("keys stored without a sign-in: %v", err)
	}
	if r := w.invoke("signout.json", func(e *events.APIGatewayV2HTTPRequest) { e.Headers["sec-fetch-site"] = "cross-site" }); r.StatusCode != http.StatusForbidden {
		t.Errorf("another site signs out: %d", r.StatusCode)
	}
	if r := w.invoke("callback.json", func(e *events.APIGatewayV2HTTPRequest) { e.RawQueryString = "code=\x01" }); r.StatusCode != http.StatusBadRequest {
		t.Errorf("control characters: %d", r.StatusCode)
	}
	for _, payload := range []string{`{}`, `[]`, `{"reason":"other"}`, `{"version":"1.0","path":"/signin","httpMethod":"GET"}`} {
		if answer, err := w.handler.Invoke(t.Context(), []byte(payload)); err == nil {
			t.Errorf("%s: %s", payload, answer)
		}
	}
}

// TestSettings: each variable that is missing is named.
func TestSettings(t *testing.T) {
	all := map[string]string{}
	for _, name := range []string{"STACK", "TABLE", "SECRET_PREFIX", "SESSION_KEY", "ISSUER", "CLIENT_ID", "ROLES_CLAIM", "PAGES"} {
		all["WECOM_ARCHIVE_"+name] = strings.ToLower(name)
	}
	if _, err := readSettings(func(name string) string { return all[name] }); err != nil {
		t.Error(err)
	}
	for missing := range all {
		_, err := build(t.Context(), func(name string) string {
			if name == missing {
				return ""
			}
			return all[name]
		}, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}
