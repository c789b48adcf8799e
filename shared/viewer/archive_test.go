package viewer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wecom-archive/shared/access"
	"wecom-archive/shared/api"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/person"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/show"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/viewer"
	"wecom-archive/shared/wecom"
)

var (
	start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	now   = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
)

// fixture is an archive in memory and the API over it. tb's methods fail the
// test.
type fixture struct {
	tb      testing.TB
	objects *storetest.Objects
	index   *storetest.Index
	catalog *catalog.Catalog
	access  *recorder
	log     *logBuffer
	handler http.Handler
}

// newFixture serves people, found by their token.
func newFixture(tb testing.TB) *fixture {
	f := &fixture{tb: tb, objects: storetest.NewObjects(), index: storetest.NewIndex(), log: &logBuffer{}}
	f.catalog = catalog.New(f.index)
	f.access = &recorder{inner: &access.Recorder{Objects: f.objects, Now: func() time.Time { return now }, NewID: serial("look")}}
	f.handler = viewer.New(viewer.Config{
		Objects: f.objects, Catalog: f.catalog, Access: f.access, Auth: people{},
		Now: func() time.Time { return now }, NewID: serial("request"),
		Log: slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	return f
}

func serial(name string) func() string {
	var mu sync.Mutex
	n := 0
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return fmt.Sprintf("%s-%04d", name, n)
	}
}

// people knows a person per role: token "reader-token" belongs to the reader
// "the-reader".
type people struct{}

func (people) Authenticate(r *http.Request) (person.Person, error) {
	for _, role := range []person.Role{person.Reader, person.Auditor, person.Operator, "nothing"} {
		p := person.Person{Subject: "the-" + string(role), Roles: []person.Role{role}}
		if p, err := api.StaticToken(string(role)+"-token", p).Authenticate(r); err == nil {
			return p, nil
		}
	}
	if r.Header.Get("Authorization") == "Bearer unlucky" {
		return person.Person{}, errors.New("the issuer at 10.1.2.3 does not answer")
	}
	return person.Person{}, fmt.Errorf("%w: unknown", person.ErrUnauthenticated)
}

// recorder fails on request and calls before ahead of each record.
type recorder struct {
	inner  show.LookRecorder
	err    error
	before func()
}

func (r *recorder) Record(ctx context.Context, l access.Look) error {
	if r.before != nil {
		r.before()
	}
	if r.err != nil {
		return r.err
	}
	return r.inner.Record(ctx, l)
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// row is a readable text message.
func row(seq int64, conversation string, at time.Time, text string) archive.Row {
	r := archive.Row{
		Position: int(seq), Seq: seq, HasSeq: true, MsgID: fmt.Sprintf("m%d", seq), PublicKeyVer: 3,
		PulledAt: at, Outcome: archive.OutcomeOK,
		Reading: archive.Reading{
			ParserVersion: wecom.ParserVersion, Action: "send", Conversation: conversation, FromID: "li.na", ToIDs: []string{"wang.wei"},
			MsgTime: at, TimeSource: "msgtime", MsgType: "text", SenderKind: "employee", ChatKind: "internal", Text: text,
		},
	}
	setRaw(&r, fmt.Appendf(nil, `{"msgid":"m%d","text":{"content":%q},"sdkfileid":"secret-file-id"}`, seq, text))
	return r
}

// setRaw sets a row's message together with its hash.
func setRaw(r *archive.Row, raw []byte) {
	sum := sha256.Sum256(raw)
	r.Raw, r.RawSHA256 = raw, hex.EncodeToString(sum[:])
}

// store writes the rows as the segment of the page asked at seq, and indexes it.
func (f *fixture) store(asked uint64, rows ...archive.Row) (key string) {
	f.tb.Helper()
	archive.SortRows(rows)
	key = archive.SegmentKey(now, asked, 0)
	f.putSegment(key, asked, 0, rows)
	return key
}

// putSegment stores a part of a page's segment, and indexes it.
func (f *fixture) putSegment(key string, asked uint64, part int, rows []archive.Row) {
	f.tb.Helper()
	stored, err := segment.Encode(segment.Meta{
		Corp: "ww1", PageKey: archive.PageKey(asked), PageSHA256: "00", Part: part, Program: "test", WrittenAt: now,
	}, rows)
	if err != nil {
		f.tb.Fatal(err)
	}
	if err := f.objects.PutIfAbsent(f.tb.Context(), key, bytes.NewReader(stored)); err != nil {
		f.tb.Fatal(err)
	}
	if err := decode.IndexConversationsPeopleRecallsConsents(f.tb.Context(), f.catalog.Conversations, f.catalog.Consents, key, rows); err != nil {
		f.tb.Fatal(err)
	}
}

// get sends a request with a token; empty sends none.
func (f *fixture) get(token, target string) *httptest.ResponseRecorder {
	f.tb.Helper()
	r := httptest.NewRequestWithContext(f.tb.Context(), http.MethodGet, target, nil)
	r.RemoteAddr = "192.0.2.7:5555"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

// into decodes an answer that must be 200.
func into[T any](tb rapid.TB, w *httptest.ResponseRecorder) T {
	tb.Helper()
	var v T
	if w.Code != http.StatusOK {
		tb.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		tb.Fatalf("%v: %s", err, w.Body)
	}
	return v
}

type problem struct {
	Title, Detail, Instance string
	Status                  int
	Errors                  []struct{ Message, Location string }
}

// refusal decodes an answer that must be a problem with this status.
func refusal(tb testing.TB, w *httptest.ResponseRecorder, status int) problem {
	tb.Helper()
	var p problem
	if w.Code != status {
		tb.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/problem+json" {
		tb.Errorf("Content-Type %q", ct)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		tb.Fatalf("%v: %s", err, w.Body)
	}
	if p.Status != status || p.Title == "" || p.Detail == "" || p.Instance != "request:"+w.Header().Get("X-Request-Id") {
		tb.Errorf("problem is not complete: %s", w.Body)
	}
	return p
}

// page is an answer of the messages route.
type page struct {
	Messages []struct {
		Seq                     int64
		MsgID, Time, Text, Type string
		From, Segment, Page     string
		FromKind                string `json:"from_kind"`
		RawSHA256               string `json:"raw_sha256"`
		Row                     int
		PublicKeyVer            *int64  `json:"publickey_ver"`
		Raw                     *[]byte `json:"raw_base64"`
		To                      []string
		Media                   []map[string]any
	}
	NextCursor string `json:"next_cursor"`
}

func (p page) seqs() []int64 {
	var seqs []int64
	for _, m := range p.Messages {
		seqs = append(seqs, m.Seq)
	}
	return seqs
}

func messagesPath(conversation string, params ...string) string {
	q := url.Values{}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	return "/v1/conversations/" + url.PathEscape(conversation) + "/messages?" + q.Encode()
}

// looks are the recorded looks in the order of their keys.
func (f *fixture) looks() []access.Look {
	f.tb.Helper()
	var out []access.Look
	for info, err := range f.objects.List(f.tb.Context(), archive.AccessPrefix, "") {
		if err != nil {
			f.tb.Fatal(err)
		}
		body, _, err := f.objects.Get(f.tb.Context(), info.Key)
		if err != nil {
			f.tb.Fatal(err)
		}
		stored, err := io.ReadAll(body)
		if err != nil {
			f.tb.Fatal(err)
		}
		l, err := access.Decode(stored)
		if err != nil {
			f.tb.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

func newLogger(f *fixture) *slog.Logger { return slog.New(slog.NewJSONHandler(f.log, nil)) }
