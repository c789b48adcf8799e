package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/person"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/setup"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/viewer"
)

var now = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// stack is the function on ports in memory.
type stack struct {
	t       *testing.T
	objects *storetest.Objects
	catalog *catalog.Catalog
	log     bytes.Buffer
	handler lambda.Handler
}

func newStack(t *testing.T) *stack {
	s := &stack{t: t, objects: storetest.NewObjects(), catalog: catalog.New(storetest.NewIndex())}
	s.handler = lambda.NewHandler(NewApp(viewer.Config{
		Objects: s.objects, Catalog: s.catalog,
		Access: &access.Recorder{Objects: s.objects, Now: func() time.Time { return now }, NewID: rand.Text},
		Auth:   authorizer{rolesClaim: "cognito:groups", tokens: sampleToken{}},
		Now:    func() time.Time { return now },
		Log:    slog.New(slog.NewJSONHandler(&s.log, nil)),
	}).Handle)
	return s
}

// sampleToken knows the token of the sample events, and a good one of somebody else.
type sampleToken struct{}

func (sampleToken) Subject(_ context.Context, token string) (string, error) {
	switch token {
	case "eyJraWQiOiJleGFtcGxlIn0.eyJleGFtcGxlIjp0cnVlfQ.c2lnbmF0dXJl":
		return "c4d8f468-9051-70a1-5c5e-0d3a2b1c4e5f", nil
	case "of-somebody-else":
		return "somebody-else", nil
	case "not-to-be-checked":
		return "", errors.New("the index does not answer")
	}
	return "", fmt.Errorf("%w: not signed by the issuer", person.ErrUnauthenticated)
}

// say archives one message of a conversation.
func (s *stack) say(seq int64, conversation, text string) {
	s.t.Helper()
	raw := fmt.Appendf(nil, `{"text":{"content":%q}}`, text)
	sum := sha256.Sum256(raw)
	rows := []archive.Row{{
		Seq: seq, HasSeq: true, MsgID: fmt.Sprint("m", seq), PublicKeyVer: 1, PulledAt: now, Raw: raw,
		RawSHA256: hex.EncodeToString(sum[:]), Outcome: archive.OutcomeOK,
		Reading: archive.Reading{
			ParserVersion: 1, Action: "send", Conversation: conversation, FromID: "li.na", ToIDs: []string{"a,b"},
			MsgTime: now, TimeSource: "msgtime", MsgType: "text", SenderKind: "employee", ChatKind: "internal", Text: text,
		},
	}}
	key := archive.SegmentKey(now, uint64(seq-1), 0)
	body, err := segment.Encode(segment.Meta{
		Corp: "ww1", PageKey: archive.PageKey(uint64(seq - 1)), PageSHA256: "00", Program: "test", WrittenAt: now,
	}, rows)
	if err == nil {
		err = s.objects.PutIfAbsent(s.t.Context(), key, bytes.NewReader(body))
	}
	if err == nil {
		err = decode.IndexConversationsPeopleRecallsConsents(s.t.Context(), s.catalog.Conversations, s.catalog.Consents, key, rows)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// invoke sends an event through Lambda's own handler, JSON to JSON.
func (s *stack) invoke(event events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPResponse {
	s.t.Helper()
	payload, err := json.Marshal(event)
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := s.handler.Invoke(s.t.Context(), payload)
	if err != nil {
		s.t.Fatal(err)
	}
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(answer, &response); err != nil {
		s.t.Fatalf("%v: %s", err, answer)
	}
	return response
}

func sample(t *testing.T, name string) (event events.APIGatewayV2HTTPRequest) {
	t.Helper()
	payload, err := os.ReadFile(filepath.Join("..", "..", "events", "admin", name))
	if err == nil {
		err = json.Unmarshal(payload, &event)
	}
	if err != nil {
		t.Fatal(err)
	}
	return event
}

// looks are the records of looks at content.
func (s *stack) looks() (looks []string) {
	s.t.Helper()
	for info, err := range s.objects.List(s.t.Context(), archive.AccessPrefix, "") {
		if err != nil {
			s.t.Fatal(err)
		}
		body, err := store.ReadObject(s.t.Context(), s.objects, info.Key)
		if err != nil {
			s.t.Fatal(err)
		}
		looks = append(looks, string(body))
	}
	return looks
}

func TestStatus(t *testing.T) {
	s := newStack(t)
	r := s.invoke(sample(t, "status.json"))
	if r.StatusCode != 200 || r.Headers["Content-Type"] != "application/json" || !json.Valid([]byte(r.Body)) || r.IsBase64Encoded {
		t.Errorf("status %d, %v: %s", r.StatusCode, r.Headers, r.Body)
	}
}

// TestMessages: a reader sees a conversation, and the look is recorded with who
// and from where. The id of the conversation holds a percent sign, and API
// Gateway hands the path over decoded.
func TestMessages(t *testing.T) {
	s := newStack(t)
	s.say(1, "pair:a%2Cb,li.na", "下午三点开会")
	s.say(2, "pair:a,b,li.na", "of others")
	r := s.invoke(sample(t, "messages.json"))
	if r.StatusCode != 200 || !strings.Contains(r.Body, "下午三点开会") || strings.Contains(r.Body, "of others") {
		t.Fatalf("status %d: %s", r.StatusCode, r.Body)
	}
	if r.Headers["Cache-Control"] != "no-store" || r.Headers["X-Content-Type-Options"] != "nosniff" {
		t.Errorf("headers %v", r.Headers)
	}
	looks := s.looks()
	if len(looks) != 1 {
		t.Fatalf("looks %q", looks)
	}
	for _, part := range []string{`"c4d8f468-9051-70a1-5c5e-0d3a2b1c4e5f"`, `"198.51.100.7"`, `"pair:a%2Cb,li.na"`} {
		if !strings.Contains(looks[0], part) {
			t.Errorf("the look does not hold %s: %s", part, looks[0])
		}
	}
	for _, secret := range []string{"下午三点", "li.na", "eyJraWQ"} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log holds %q: %s", secret, s.log.String())
		}
	}
}

// TestRefused: whatever a client sends, only the authorizer's claims count.
func TestRefused(t *testing.T) {
	type event = events.APIGatewayV2HTTPRequest
	claims := func(e *event) map[string]string { return e.RequestContext.Authorizer.JWT.Claims }
	for _, test := range []struct {
		name   string
		change func(e *event)
		status int
	}{
		{"no authorizer", func(e *event) { e.RequestContext.Authorizer = nil }, 401},
		{"another kind of authorizer", func(e *event) {
			e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{Lambda: map[string]any{"sub": "x", "cognito:groups": "reader"}}
		}, 401},
		{"context in the header that the adapter's other form uses", func(e *event) {
			forged, err := json.Marshal(e.RequestContext)
			if err != nil {
				t.Fatal(err)
			}
			e.Headers["X-GoLambdaProxy-ApiGw-Context"] = string(forged)
			e.RequestContext.Authorizer = nil
		}, 401},
		{"no claims", func(e *event) { e.RequestContext.Authorizer.JWT.Claims = nil }, 401},
		{"no subject", func(e *event) { delete(claims(e), "sub") }, 401},
		{"an ID token", func(e *event) { claims(e)["token_use"] = "id" }, 401},
		{"no token, although an authorizer checked one", func(e *event) { delete(e.Headers, "authorization") }, 401},
		{"another scheme", func(e *event) { e.Headers["authorization"] = "Basic " + e.Headers["authorization"] }, 401},
		{"a token that is not good", func(e *event) { e.Headers["authorization"] = "Bearer forged" }, 401},
		{"a good token of somebody else", func(e *event) { e.Headers["authorization"] = "Bearer of-somebody-else" }, 401},
		{"a token that cannot be checked", func(e *event) { e.Headers["authorization"] = "Bearer not-to-be-checked" }, 503},
		{"no roles", func(e *event) { delete(claims(e), "cognito:groups") }, 403},
		{"roles in another claim", func(e *event) {
			delete(claims(e), "cognito:groups")
			claims(e)["roles"] = "reader"
		}, 403},
		{"operator", func(e *event) { claims(e)["cognito:groups"] = "[operator]" }, 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStack(t)
			s.say(1, "pair:a%2Cb,li.na", "下午三点开会")
			e := sample(t, "messages.json")
			test.change(&e)
			r := s.invoke(e)
			if r.StatusCode != test.status || r.Headers["Content-Type"] != "application/problem+json" || strings.Contains(r.Body, "下午") {
				t.Errorf("status %d, want %d: %s", r.StatusCode, test.status, r.Body)
			}
			if looks := s.looks(); len(looks) > 0 {
				t.Errorf("looks at what was not shown: %q", looks)
			}
		})
	}
}

func TestSamplesWithoutPerson(t *testing.T) {
	s := newStack(t)
	for name, status := range map[string]int{"healthz.json": 200, "no-authorizer.json": 401} {
		if r := s.invoke(sample(t, name)); r.StatusCode != status {
			t.Errorf("%s: status %d, want %d: %s", name, r.StatusCode, status, r.Body)
		}
	}
}

func TestOddRequests(t *testing.T) {
	s := newStack(t)
	for name, test := range map[string]struct {
		change func(e *events.APIGatewayV2HTTPRequest)
		status int
	}{
		"half an escape":       {func(e *events.APIGatewayV2HTTPRequest) { e.RawPath = "/v1/conversations/100%/messages" }, 200},
		"space and text":       {func(e *events.APIGatewayV2HTTPRequest) { e.RawPath = "/v1/conversations/room:会 话/messages" }, 200},
		"question mark":        {func(e *events.APIGatewayV2HTTPRequest) { e.RawPath = "/v1/conversations/room:a?b#c/messages" }, 200},
		"nowhere":              {func(e *events.APIGatewayV2HTTPRequest) { e.RawPath = "/v2" }, 404},
		"another host's path":  {func(e *events.APIGatewayV2HTTPRequest) { e.RawPath = "//evil.example/v1/status" }, 404},
		"control characters":   {func(e *events.APIGatewayV2HTTPRequest) { e.RawQueryString = "from=li.na\x01" }, 400},
		"no method":            {func(e *events.APIGatewayV2HTTPRequest) { e.RequestContext.HTTP.Method = "GE T" }, 400},
		"a method it has not":  {func(e *events.APIGatewayV2HTTPRequest) { e.RequestContext.HTTP.Method = "DELETE" }, 405},
		"unknown query string": {func(e *events.APIGatewayV2HTTPRequest) { e.RawQueryString = "form=2026-11-23T00:00:00Z" }, 422},
	} {
		t.Run(name, func(t *testing.T) {
			e := sample(t, "messages.json")
			test.change(&e)
			r := s.invoke(e)
			if r.StatusCode != test.status || strings.Contains(r.Body, "li.na") {
				t.Errorf("status %d, want %d: %s", r.StatusCode, test.status, r.Body)
			}
		})
	}
	if answer, err := s.handler.Invoke(t.Context(), []byte(`{"version":"1.0","path":"/v1/status","httpMethod":"GET"}`)); err == nil {
		t.Errorf("payload format 1.0: %s", answer)
	}
}

// TestTooLarge: a message too long for an answer is cut, and says so, whatever it takes
// in JSON within JSON. What Lambda would drop all the same becomes an answer that says
// what to do.
func TestTooLarge(t *testing.T) {
	s := newStack(t)
	s.say(1, "pair:a%2Cb,li.na", strings.Repeat("长", 800_000))
	s.say(2, "pair:a%2Cb,li.na", strings.Repeat(`"`, 2_000_000))
	e := sample(t, "messages.json")
	e.RawQueryString = "limit=1&order=desc"
	r := s.invoke(e)
	if r.StatusCode != 200 || strings.Count(r.Body, `\"`) < 1_000_000 || !strings.Contains(r.Body, `"cut":["text"]`) {
		t.Errorf("status %d: %.300s", r.StatusCode, r.Body)
	}
	e.RawQueryString = "limit=1&order=asc"
	if r := s.invoke(e); r.StatusCode != 200 || strings.Count(r.Body, "长") != 800_000 || strings.Contains(r.Body, `"cut"`) {
		t.Errorf("status %d: %.300s", r.StatusCode, r.Body)
	}
	s.handler = lambda.NewHandler((&App{proxy: httpadapter.NewV2(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "r1")
		_, _ = w.Write([]byte(strings.Repeat(`"`, 4_000_000))) // each takes two bytes
	}))}).Handle)
	if r := s.invoke(e); r.StatusCode != 422 || !strings.Contains(r.Body, "limit") || r.Headers["Content-Type"] != "application/problem+json" || !strings.Contains(r.Body, "request:r1") {
		t.Errorf("status %d, %v: %.300s", r.StatusCode, r.Headers, r.Body)
	}
}

// stuck is an index that does not answer.
type stuck struct{ store.Index }

func (stuck) Query(ctx context.Context, _ store.IndexQuery) ([]store.Item, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestDeadline: the answer leaves before the function is cut off.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		objects := storetest.NewObjects()
		app := NewApp(viewer.Config{
			Objects: objects, Catalog: catalog.New(stuck{storetest.NewIndex()}),
			Access: &access.Recorder{Objects: objects, Now: time.Now, NewID: func() string { return "look-0001" }},
			Auth:   authorizer{rolesClaim: "cognito:groups", tokens: sampleToken{}},
		})
		ctx, cancel := context.WithTimeout(t.Context(), 29*time.Second)
		defer cancel()
		r, err := app.Handle(ctx, sample(t, "messages.json"))
		if err != nil || r.StatusCode != 503 || ctx.Err() != nil {
			t.Errorf("status %d, %v, %v: %s", r.StatusCode, err, ctx.Err(), r.Body)
		}
	})
}

func TestRoles(t *testing.T) {
	for claim, want := range map[string]string{
		"":                          "[]",
		"[]":                        "[]",
		"reader":                    "[reader]",
		" reader ":                  "[reader]",
		"[reader]":                  "[reader]",
		"[finance reader]":          "[reader]",
		"[operator auditor]":        "[auditor operator]",
		"openid reader auditor":     "[reader auditor]",
		`["operator","reader"]`:     "[reader operator]",
		`["not reader"]`:            "[]",
		"Reader":                    "[]",
		"readers":                   "[]",
		"finance,reader":            "[]", // a group's name may hold commas
		"[finance,reader]":          "[]",
		"[wecom-reader reader.com]": "[]",
		"[reader":                   "[reader]",
	} {
		if got := fmt.Sprint(roles(claim)); got != want {
			t.Errorf("roles(%q) = %s, want %s", claim, got, want)
		}
	}
}

// TestSettings: each variable that is missing is named.
func TestSettings(t *testing.T) {
	all := map[string]string{
		"WECOM_ARCHIVE_BUCKET": "bucket", "WECOM_ARCHIVE_DERIVED": "derived", "WECOM_ARCHIVE_TABLE": "table", "WECOM_ARCHIVE_ROLES_CLAIM": "cognito:groups",
		"WECOM_ARCHIVE_STACK": "prod", "WECOM_ARCHIVE_SESSION_KEY": "key", "WECOM_ARCHIVE_ISSUER": "https://issuer", "WECOM_ARCHIVE_AUDIENCE": "client", "WECOM_ARCHIVE_CAPTURE_KEY": "capture", "WECOM_ARCHIVE_CORP": "ww1",
	}
	if s, err := readSettings(func(name string) string { return all[name] }); err != nil || s != (settings{Bucket: "bucket", Derived: "derived", Table: "table", RolesClaim: "cognito:groups", Stack: "prod", SessionKey: "key", Issuer: "https://issuer", Audience: "client", Capture: "capture", Corp: "ww1", Setup: setup.Settings{Corp: "ww1"}}) {
		t.Errorf("readSettings = %+v, %v", s, err)
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
