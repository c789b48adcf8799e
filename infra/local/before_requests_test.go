package local_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/infra/local"
	"wecom-archive/shared/access"
	"wecom-archive/shared/person"
	"wecom-archive/shared/setup"
	"wecom-archive/shared/show"
	"wecom-archive/shared/viewer"
)

// asker asks the API of an archive, one request after the other, and keeps the answers
// by the role that asked and the target.
type asker struct {
	t       *testing.T
	handler http.Handler
	answers map[string]answer
	route   string // that is asked now, as the API's description names it
	name    string // of the request under way; ids of requests are made of it
	look    any    // of it, that was recorded; nil: none
}

// rolesOfBefore are asked as; "" is nobody.
var rolesOfBefore = []person.Role{person.Reader, person.Auditor, person.Operator, ""}

type personOfRole struct{}

func (personOfRole) Authenticate(r *http.Request) (person.Person, error) {
	role := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if role == "" {
		return person.Person{}, person.ErrUnauthenticated
	}
	return person.Person{Subject: "the-" + role, Name: "The " + role, Roles: []person.Role{person.Role(role)}}, nil
}

func newAsker(t *testing.T, s *local.System) *asker {
	a := &asker{t: t, answers: map[string]answer{}}
	a.handler = viewer.New(viewer.Config{
		Objects: s.Objects, Derived: s.Derived, Catalog: s.Catalog, Auth: personOfRole{}, AskReason: true,
		Access: a,
		Setup:  setup.Settings{Corp: s.Corpid()}, Now: s.Now,
		NewID: func() string { return fmt.Sprintf("request-%.8x", sha256.Sum256([]byte(a.name))) },
		// Far more than it takes, so that no answer depends on the machine.
		SearchTime: time.Minute, BesideTime: time.Minute,
	})
	return a
}

// Record keeps the look of the request under way with its answer. The archive stays as
// it was, and the test need not wait for the disk.
func (a *asker) Record(_ context.Context, l access.Look) error {
	stored, err := access.Encode(l)
	if err != nil {
		return err
	}
	return decodeJSON(stored, &a.look)
}

// askAll sends the requests of all routes that the API describes.
func askAll(t *testing.T, s *local.System) map[string]answer {
	t.Helper()
	a := newAsker(t, s)
	var described struct {
		Paths map[string]map[string]any
	}
	if err := decodeJSON(a.send("", "/v1/openapi.json").Body.Bytes(), &described); err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, r := range routesOfBefore {
		a.route = r.path
		r.ask(a)
		asked[r.path] = true
	}
	for path, operations := range described.Paths {
		if operations["get"] != nil && !asked[path] {
			t.Errorf("the API has %s, and no request of this test asks for it", path)
		}
	}
	for path := range asked {
		if described.Paths[path] == nil {
			t.Errorf("the API has %s no more", path)
		}
	}
	t.Logf("%d answers of %d routes", len(a.answers), len(asked))
	return a.answers
}

func (a *asker) send(role person.Role, target string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(a.t.Context(), http.MethodGet, target, nil)
	r.RemoteAddr = "192.0.2.9:5555"
	if role != "" {
		r.Header.Set("Authorization", "Bearer "+string(role))
	}
	r.Header.Set(show.ReasonHeader, url.PathEscape("复查 2026-18"))
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w
}

// ask sends a request and keeps the answer, as name if it has a page of its own.
func (a *asker) ask(role person.Role, target, name string) any {
	a.t.Helper()
	a.name = strings.TrimPrefix(string(role)+" "+name, " ")
	if _, asked := a.answers[a.name]; asked {
		a.t.Fatalf("%s is asked twice", a.name)
	}
	a.look = nil
	w := a.send(role, target)
	got := answer{Status: w.Code, Type: w.Header().Get("Content-Type"), route: a.route}
	if err := decodeJSON(w.Body.Bytes(), &got.Body); err != nil {
		a.t.Fatalf("%s: %v: %s", a.name, err, w.Body)
	}
	if a.route == "/v1/messages/{seq}/media" {
		a.download(got.Body)
	}
	if role == person.Auditor {
		got.Look = a.look
	}
	body := got.Body
	got.Body = masked(got.Body, a.route, masks, false)
	for _, other := range rolesOfBefore {
		as, asked := a.answers[string(other)+" "+name]
		if asked && other != role && as.Same == "" && as.Status == got.Status && a.equal(as.Body, got.Body) {
			got.Body, got.Same = nil, string(other)
			break
		}
	}
	a.answers[a.name] = got
	return body
}

func (a *asker) equal(x, y any) bool {
	one, err := json.Marshal(x)
	if err != nil {
		a.t.Fatal(err)
	}
	other, err := json.Marshal(y)
	if err != nil {
		a.t.Fatal(err)
	}
	return bytes.Equal(one, other)
}

// get asks as one role, which must be answered.
func (a *asker) get(role person.Role, target string) any {
	a.t.Helper()
	body := a.ask(role, target, target)
	if got := a.answers[a.name]; got.Status != http.StatusOK {
		a.t.Errorf("%s: status %d: %v", a.name, got.Status, body)
	}
	return body
}

// byRole asks as each role, and as nobody.
func (a *asker) byRole(target string) {
	a.t.Helper()
	for _, role := range rolesOfBefore {
		a.ask(role, target, target)
	}
}

// follow asks for all pages of a list, of which there must be several.
func (a *asker) follow(role person.Role, target string) {
	a.t.Helper()
	const tooMany = 60
	cursor := text(a.get(role, target), "next_cursor")
	if cursor == "" {
		a.t.Errorf("%s: one page only", target)
	}
	join := "?"
	if strings.Contains(target, "?") {
		join = "&"
	}
	for page := 2; cursor != ""; page++ {
		if page > tooMany {
			a.t.Fatalf("%s: no end of pages", target)
		}
		next := a.ask(role, target+join+"cursor="+url.QueryEscape(cursor), fmt.Sprintf("%s, page %d", target, page))
		cursor = text(next, "next_cursor")
	}
}

// download puts in beside each link what it leads to.
func (a *asker) download(body any) {
	files, _ := member(body, "files").([]any)
	for _, f := range files {
		link := text(f, "url")
		if link == "" {
			continue
		}
		r, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, link, nil)
		if err != nil {
			a.t.Fatal(err)
		}
		reply, err := http.DefaultClient.Do(r)
		if err != nil {
			a.t.Fatal(err)
		}
		content, err := io.ReadAll(reply.Body)
		reply.Body.Close()
		if err != nil {
			a.t.Fatal(err)
		}
		f.(map[string]any)["(download)"] = map[string]any{
			"status": reply.StatusCode, "bytes": len(content), "sha256": fmt.Sprintf("%x", sha256.Sum256(content)),
			"type": reply.Header.Get("Content-Type"), "disposition": reply.Header.Get("Content-Disposition"),
		}
	}
}

// member is a member of an object; nil: there is none.
func member(of any, name string) any {
	object, _ := of.(map[string]any)
	return object[name]
}

func text(of any, name string) string {
	switch v := member(of, name).(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// found are the values of a member of a list's entries, in every answer to a route,
// each once, in order.
func (a *asker) found(route, list, name string) []string {
	all := map[string]bool{}
	for _, got := range a.answers {
		entries, _ := member(got.Body, list).([]any)
		for _, entry := range entries {
			if v := text(entry, name); got.route == route && v != "" {
				all[v] = true
			}
		}
	}
	if len(all) == 0 {
		a.t.Fatalf("no %s of %s in answers to %s", name, list, route)
	}
	return slices.Sorted(maps.Keys(all))
}

// some is every n-th.
func some(all []string, n int) (few []string) {
	for i := 0; i < len(all); i += n {
		few = append(few, all[i])
	}
	return few
}
