package main

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"wecom-archive/shared/access"
	"wecom-archive/shared/person"
	"wecom-archive/shared/signin"
	"wecom-archive/shared/viewer"
)

func newSessions(t *testing.T) *signin.Sessions {
	t.Helper()
	s, err := signin.NewSessions(signin.Settings{Key: signin.NewKey(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cookieOf is the cookie of somebody who has signed in, as a browser sends it.
func cookieOf(s *signin.Sessions, begun time.Time, roles ...person.Role) string {
	settings := s.Settings
	settings.Now = func() time.Time { return begun }
	then, err := signin.NewSessions(settings)
	if err != nil {
		panic(err) // settings that were good are no more
	}
	w := httptest.NewRecorder()
	then.Begin(w, person.Person{Subject: "li.na", Name: "李娜", Roles: roles})
	c := w.Result().Cookies()[0]
	return c.Name + "=" + c.Value
}

// TestPages: a page is for who has signed in and holds the role; everybody else is
// led to the sign-in or told so, and nothing is looked at.
func TestPages(t *testing.T) {
	ours, others := newSessions(t), newSessions(t)
	reader := cookieOf(ours, now, person.Reader)
	operator := cookieOf(ours, now, person.Operator)
	for name, test := range map[string]struct {
		path, query, cookie string
		status              int
	}{
		"overview":                        {"/", "", reader, 200},
		"overview for operators":          {"/", "", operator, 200},
		"setup":                           {"/setup", "", operator, 200},
		"conversations":                   {"/c", "", reader, 200},
		"script":                          {"/assets/viewer.js", "", "", 200},
		"signed out":                      {"/signed-out", "", "", 200},
		"nobody":                          {"/c", "", "", 303},
		"operator on content":             {"/c", "", operator, 403},
		"operator on a message":           {"/m/1", "", operator, 403},
		"reader on setup":                 {"/setup", "", reader, 403},
		"reader on looks":                 {"/access", "", reader, 403},
		"no role":                         {"/", "", cookieOf(ours, now), 403},
		"cookie of another stack":         {"/c", "", cookieOf(others, now, person.Reader), 303},
		"cookie with a letter changed":    {"/c", "", strings.Replace(reader, "=", "=A", 1), 303},
		"session too old":                 {"/c", "", cookieOf(ours, now.Add(-9*time.Hour), person.Reader), 303},
		"a session is no token for /v1":   {"/v1/status", "", reader, 401},
		"nor for another spelling of it":  {"//v1/status", "", reader, 307},
		"and a path that there is not is": {"/elsewhere", "", reader, 404},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			s.say(1, "pair:li.na,wang", "下午三点开会")
			s.handler = lambda.NewHandler(NewApp(viewer.Config{
				Objects: s.objects, Catalog: s.catalog,
				Access: &access.Recorder{Objects: s.objects, Now: func() time.Time { return now }, NewID: rand.Text},
				Auth:   authorizer{rolesClaim: "cognito:groups", tokens: sampleToken{}}, Visitors: ours,
				Now: func() time.Time { return now },
			}).Handle)
			e := sample(t, "page.json")
			e.RawPath, e.RawQueryString = test.path, test.query
			if test.cookie != "" {
				e.Cookies = []string{test.cookie}
			}
			r := s.invoke(e)
			if r.StatusCode != test.status {
				t.Fatalf("status %d, want %d: %.300s", r.StatusCode, test.status, r.Body)
			}
			if test.status == http.StatusSeeOther && r.Headers["Location"] != "/signin?back=%2Fc" {
				t.Errorf("led to %q", r.Headers["Location"])
			}
			if test.status != http.StatusOK && strings.Contains(r.Body, "下午") {
				t.Error("content")
			}
			if looks := s.looks(); test.status != http.StatusOK && len(looks) > 0 {
				t.Errorf("looks at what was not shown: %q", looks)
			}
		})
	}
}

// TestNoAuthorizer: a page's route has no authorizer; the API, reached by it, lets
// nobody in.
func TestNoAuthorizer(t *testing.T) {
	s := newStack(t)
	for _, path := range []string{"/v1/status", "/v1/conversations", "/v1/setup"} {
		e := sample(t, "page.json")
		e.RawPath = path
		e.Headers["authorization"] = "Bearer eyJraWQiOiJleGFtcGxlIn0.eyJleGFtcGxlIjp0cnVlfQ.c2lnbmF0dXJl"
		e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{}
		if r := s.invoke(e); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.Body)
		}
	}
}
