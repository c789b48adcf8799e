package viewer_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/viewer"
)

func TestLook(t *testing.T) {
	f := newFixture(t)
	f.store(10, row(12, pair, at(0), "the text"), row(11, pair, at(time.Second), "more text"), row(13, pair, at(time.Minute), "later"))
	w := f.get("reader-token", messagesPath(pair, "limit", "2", "to", "2027-01-01T00:00:00Z"))
	into[page](t, w)
	looks := f.looks()
	if len(looks) != 1 {
		t.Fatalf("%d looks", len(looks))
	}
	want := access.Look{
		At: now, Who: "the-reader", How: "api", What: "messages", Conversation: pair,
		Seqs: access.Seqs{First: 11, Last: 12, Count: 2, List: []int64{11, 12}},
		To:   time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), Remote: "192.0.2.7", Request: w.Header().Get("X-Request-Id"),
	}
	if got := fmt.Sprintf("%+v", looks[0]); got != fmt.Sprintf("%+v", want) {
		t.Errorf("look %s\nwant %+v", got, want)
	}
	// Without messages there is nothing to record.
	into[page](t, f.get("reader-token", messagesPath(pair, "to", "1")))
	into[page](t, f.get("reader-token", messagesPath("room:unknown")))
	if n := len(f.looks()); n != 1 {
		t.Errorf("%d looks, want 1", n)
	}
}

func TestLookIsRecordedBeforeContentLeaves(t *testing.T) {
	f := newFixture(t)
	f.store(0, row(1, pair, at(0), "the text"))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, messagesPath(pair), nil)
	r.Header.Set("Authorization", "Bearer reader-token")
	w := &begunWriter{ResponseRecorder: httptest.NewRecorder()}
	calls := 0
	f.access.before = func() {
		calls++
		if w.begun {
			t.Error("the answer began before the look was recorded")
		}
	}
	f.handler.ServeHTTP(w, r)
	if calls != 1 || !w.begun || !strings.Contains(w.Body.String(), "the text") {
		t.Fatalf("%d records, answer %s", calls, w.Body)
	}

	f.access.before, f.access.err = nil, errors.New("bucket 10.9.8.7 is away")
	for _, token := range []string{"reader-token", "auditor-token"} {
		got := f.get(token, messagesPath(pair))
		p := refusal(t, got, 503)
		if strings.Contains(got.Body.String(), "text") || strings.Contains(got.Body.String(), "10.9.8.7") || !strings.Contains(p.Detail, "recorded") {
			t.Errorf("answer %s", got.Body)
		}
	}
	if !strings.Contains(f.log.String(), "10.9.8.7") {
		t.Error("the log does not say why")
	}
}

// begunWriter notes that an answer has begun.
type begunWriter struct {
	*httptest.ResponseRecorder
	begun bool
}

func (w *begunWriter) WriteHeader(status int) {
	w.begun = true
	w.ResponseRecorder.WriteHeader(status)
}

func (w *begunWriter) Write(p []byte) (int, error) {
	w.begun = true
	return w.ResponseRecorder.Write(p)
}

// An index that points to the wrong row must not show somebody else's message.
func TestDamagedIndex(t *testing.T) {
	real := row(1, pair, at(0), "private words")
	tests := map[string]func(r *archive.Row){
		"other seq":          func(r *archive.Row) { r.Seq = 2 },
		"other conversation": func(r *archive.Row) { r.Conversation = "room:secret" },
		"other time":         func(r *archive.Row) { r.MsgTime = at(time.Second) },
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			stored := real
			damage(&stored)
			key := f.store(0, stored)
			f.reindex(key, real)
			f.wantDamaged("private words")
		})
	}
	t.Run("no such row", func(t *testing.T) {
		f := newFixture(t)
		key := f.store(0, row(2, "room:other", at(0), "private words"))
		f.reindex(key, row(2, "room:other", at(0), ""), real)
		f.wantDamaged("private words")
	})
	t.Run("unreadable row", func(t *testing.T) {
		f := newFixture(t)
		key := f.store(0, archive.Row{Position: 1, Seq: 1, HasSeq: true, MsgID: "m1", PulledAt: start, Outcome: archive.OutcomeBadMessage})
		f.reindex(key, real)
		f.wantDamaged("private words")
	})
	t.Run("no segment", func(t *testing.T) {
		f := newFixture(t)
		f.reindex(archive.SegmentKey(now, 0, 0), real)
		f.wantDamaged("private words")
	})
	t.Run("garbage", func(t *testing.T) {
		f := newFixture(t)
		key := archive.SegmentKey(now, 0, 0)
		if err := f.objects.PutIfAbsent(t.Context(), key, strings.NewReader("private words")); err != nil {
			t.Fatal(err)
		}
		f.reindex(key, real)
		// What the index knows of the message shows, so that its neighbours can be
		// paged through; there is no content to look at.
		m := into[map[string]any](t, f.get("reader-token", messagesPath(pair)))["messages"].([]any)[0].(map[string]any)
		if m["unreadable"] != "damaged" || m["text"] != nil || len(f.looks()) != 0 || !strings.Contains(f.log.String(), key) {
			t.Errorf("message %v, %d looks, log %s", m, len(f.looks()), f.log)
		}
	})
}

func (f *fixture) reindex(key string, rows ...archive.Row) {
	f.tb.Helper()
	if err := decode.IndexConversationsPeopleRecallsConsents(f.tb.Context(), f.catalog.Conversations, f.catalog.Consents, key, rows); err != nil {
		f.tb.Fatal(err)
	}
}

// wantDamaged asks for the conversation and wants one message, of which nothing shows but
// that it cannot be read, and that the damage is written down.
func (f *fixture) wantDamaged(secret string) {
	f.tb.Helper()
	w := f.get("auditor-token", messagesPath(pair, "raw", "true"))
	if m := into[map[string]any](f.tb, w)["messages"].([]any)[0].(map[string]any); m["unreadable"] != "damaged" || m["text"] != nil || m["seq"] != 1. {
		f.tb.Errorf("message %v", m)
	}
	if strings.Contains(w.Body.String(), secret) {
		f.tb.Errorf("the answer shows %q: %s", secret, w.Body)
	}
	book := damage.New(f.objects, f.catalog.Table, "ww1", time.Now)
	if s, err := book.Summary(f.tb.Context()); err != nil || len(s.Open) != 1 || !strings.HasPrefix(s.Open[0].Finding.Key, "messages/") {
		f.tb.Errorf("findings %+v, %v", s, err)
	}
	if strings.Contains(f.log.String(), secret) || len(f.looks()) != 0 {
		f.tb.Errorf("log %s, %d looks", f.log, len(f.looks()))
	}
}

// Segments are read once each, at most four at a time.
func TestSegmentsInMemory(t *testing.T) {
	f := newFixture(t)
	const segments = 12
	for p := range segments {
		var rows []archive.Row
		for i := range 5 {
			rows = append(rows, row(int64(p*10+i+1), pair, at(time.Duration(i*60+p)*time.Second), "x"))
		}
		f.store(uint64(p*10), rows...)
	}
	objects := &watched{Objects: f.objects, arrived: make(chan struct{}, segments), release: make(chan struct{})}
	f.handler = viewer.New(viewer.Config{Objects: objects, Catalog: f.catalog, Access: f.access, Auth: people{}})
	done := make(chan page)
	for range 2 {
		go func() { done <- into[page](t, f.get("reader-token", messagesPath(pair, "limit", "200"))) }()
	}
	for range 4 {
		<-objects.arrived // four reads have begun, and none is let go
	}
	close(objects.release)
	for range 2 {
		if p := <-done; len(p.Messages) != 5*segments {
			t.Errorf("%d messages", len(p.Messages))
		}
	}
	if objects.gets.Load() != 2*segments || objects.most.Load() != 4 {
		t.Errorf("%d reads, at most %d at a time; want %d and 4", objects.gets.Load(), objects.most.Load(), 2*segments)
	}
}

func TestCancelled(t *testing.T) {
	f := newFixture(t)
	f.store(0, row(1, pair, at(0), "the text"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, messagesPath(pair), nil)
	r.Header.Set("Authorization", "Bearer reader-token")
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	refusal(t, w, 503)
	if strings.Contains(f.log.String(), `"level":"ERROR"`) {
		t.Errorf("log %s", f.log)
	}
}

func TestRawHashIsOfRaw(t *testing.T) {
	f := newFixture(t)
	f.store(0, row(1, pair, at(0), "x"))
	m := into[page](t, f.get("auditor-token", messagesPath(pair, "raw", "true"))).Messages[0]
	if sum := sha256.Sum256(*m.Raw); hex.EncodeToString(sum[:]) != m.RawSHA256 {
		t.Errorf("raw_sha256 %s is not that of raw_base64", m.RawSHA256)
	}
}
