package capture_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/capture"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom/wecomtest"
)

const corpID = "wwcapture"

var morning = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// clock stands still unless somebody sleeps on it or moves it.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.slept = c.now.Add(d), append(c.slept, d)
	return ctx.Err()
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// stream is a WeCom whose envelopes cost nothing to make: nobody opens them here.
type stream struct {
	mu     sync.Mutex
	seqs   []uint64 // ascending
	pad    string   // put into each envelope
	faults []wecomtest.Fault
	asked  []uint64
	limits []int
	onCall func(n int) // n-th call, from 1
}

// newStream has n messages with gaps between their seqs.
func newStream(n int) *stream {
	s := &stream{}
	for i := range n {
		s.seqs = append(s.seqs, uint64(1000+3*i+i%2))
	}
	return s
}

// fail plans f for n calls, after those planned before; a nil f is a good call.
func (s *stream) fail(n int, f wecomtest.Fault) {
	for range n {
		s.faults = append(s.faults, f)
	}
}

func (s *stream) GetChatData(ctx context.Context, seq uint64, limit int) ([]byte, error) {
	s.mu.Lock()
	s.asked, s.limits = append(s.asked, seq), append(s.limits, limit)
	n, onCall := len(s.asked), s.onCall
	var fault wecomtest.Fault
	if len(s.faults) > 0 {
		fault, s.faults = s.faults[0], s.faults[1:]
	}
	reply := s.reply(seq, limit)
	s.mu.Unlock()
	if onCall != nil {
		onCall(n)
	}
	if fault != nil {
		return fault(seq, limit, reply)
	}
	return reply, ctx.Err()
}

func (s *stream) reply(seq uint64, limit int) []byte {
	out := []byte(`{"errcode":0,"errmsg":"ok","chatdata":[`)
	n := 0
	for _, q := range s.seqs {
		if q <= seq || n == limit {
			continue
		}
		if n++; n > 1 {
			out = append(out, ',')
		}
		out = fmt.Appendf(out, `{"seq":%d,"msgid":"m%d","publickey_ver":1,"encrypt_random_key":"AAAA","encrypt_chat_msg":"%s"}`, q, q, s.pad)
	}
	return append(out, "]}"...)
}

// recorder is a queue that remembers what it was given.
type recorder struct {
	mu    sync.Mutex
	keys  []string
	most  int // keys in one call
	delay time.Duration
}

func (r *recorder) Notify(ctx context.Context, keys ...string) error {
	time.Sleep(r.delay) // in a synctest bubble only
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys, r.most = append(r.keys, keys...), max(r.most, len(keys))
	return ctx.Err()
}

// world is everything around a puller.
type world struct {
	*clock
	objects *storetest.Objects
	index   *storetest.Index
	catalog *catalog.Catalog
	queue   *recorder
	stream  *stream
}

func newWorld(messages int) *world {
	index := storetest.NewIndex()
	return &world{
		clock: &clock{now: morning}, objects: storetest.NewObjects(), index: index,
		catalog: catalog.New(index), queue: &recorder{}, stream: newStream(messages),
	}
}

var ids atomic.Int64

// take gives a puller its subjects of a catalog.
func take(c *capture.Config, from *catalog.Catalog) {
	c.Pages, c.Journal, c.Keys, c.Holes = from.Pages, from.Journal, from.Keys, from.Journal
	c.Findings = damage.New(c.Objects, from.Table, corpID, c.Now)
}

// config is that of a puller with pages of 20.
func (w *world) config() capture.Config {
	return capture.Config{
		Corp: corpID, Objects: w.objects, Lock: w.objects, Pages: w.catalog.Pages, Journal: w.catalog.Journal, Keys: w.catalog.Keys, Holes: w.catalog.Journal, Findings: damage.New(w.objects, w.catalog.Table, corpID, w.Now), Queue: w.queue, Chats: w.stream,
		Now: w.Now, Sleep: w.Sleep, Owner: "puller", Log: slog.New(slog.DiscardHandler),
		NewID:   func() string { return fmt.Sprintf("run%06d", ids.Add(1)) },
		Program: "test", SDKVersion: "stub", Limit: 20,
	}
}

func (w *world) pull(t *testing.T) (archive.Run, error) {
	t.Helper()
	return capture.New(w.config()).Run(t.Context())
}

// mustPull runs a puller that has to reach the end.
func (w *world) mustPull(t *testing.T) archive.Run {
	t.Helper()
	run, err := w.pull(t)
	if err != nil || run.Stopped != capture.StoppedEnd || run.Error != "" {
		t.Fatalf("run stopped at %q, error %q: %v", run.Stopped, run.Error, err)
	}
	return run
}

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Error(...any)
	Errorf(string, ...any)
}

// checkChain checks that all below pages/ is one chain of true pages from 0 to
// the cursor, and returns their headers and the seqs that they hold.
func (w *world) checkChain(t tester) (headers []archive.PageHeader, seqs []uint64) {
	t.Helper()
	ctx := context.Background()
	next := uint64(0)
	for info, err := range w.objects.List(ctx, archive.PagesPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		if info.Key != archive.PageKey(next) {
			t.Fatalf("%s does not continue the chain, which is at %d", info.Key, next)
		}
		stored, err := store.ReadObject(ctx, w.objects, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		page, err := archive.DecodePage(stored)
		if err != nil {
			t.Fatalf("%s: %v", info.Key, err)
		}
		envelopes, err := archive.ParseStored(page)
		if err != nil {
			t.Fatalf("%s: %v", info.Key, err)
		}
		if len(envelopes) != page.Header.Count {
			t.Errorf("%s: %d envelopes, its header says %d", info.Key, len(envelopes), page.Header.Count)
		}
		for _, e := range envelopes {
			if e.HasSeq {
				seqs = append(seqs, uint64(e.Seq))
			}
		}
		headers, next = append(headers, page.Header), page.Header.LastSeq
	}
	cursor, err := w.catalog.Pages.Cursor(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if cursor.Seq > next {
		t.Errorf("the cursor is at %d, past the last page, which ends at %d", cursor.Seq, next)
	}
	if err := w.objects.Verify(); err != nil {
		t.Error(err)
	}
	return headers, seqs
}

// checkComplete checks that each message of the stream is in exactly one page,
// and that cursor and totals agree.
func (w *world) checkComplete(t tester) []archive.PageHeader {
	t.Helper()
	headers, seqs := w.checkChain(t)
	if fmt.Sprint(seqs) != fmt.Sprint(w.stream.seqs) {
		t.Fatalf("pages hold %d seqs, not the %d of the stream:\n%v\n%v", len(seqs), len(w.stream.seqs), seqs, w.stream.seqs)
	}
	cursor, err := w.catalog.Pages.Cursor(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if cursor.Seq != headers[len(headers)-1].LastSeq || int(cursor.Pages) != len(headers) {
		t.Errorf("cursor at %d over %d pages; there are %d, up to %d", cursor.Seq, cursor.Pages, len(headers), headers[len(headers)-1].LastSeq)
	}
	return headers
}

// reject is one object below rejects/, as any zstd tool sees it.
type reject struct {
	archive.RejectHeader
	reply []byte
}

func (w *world) rejects(t *testing.T) []reject {
	t.Helper()
	var all []reject
	for info, err := range w.objects.List(t.Context(), archive.RejectsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		stored, err := store.ReadObject(t.Context(), w.objects, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := archive.DecodePage(stored); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s could be taken for a page: %v", info.Key, err)
		}
		var r reject
		dec := json.NewDecoder(bytes.NewReader(stored[8:])) // behind the frame's magic and length
		if err := dec.Decode(&r.RejectHeader); err != nil {
			t.Fatalf("%s: header: %v", info.Key, err)
		}
		plain, err := zstd.NewReader(bytes.NewReader(stored))
		if err != nil {
			t.Fatal(err)
		}
		if r.reply, err = io.ReadAll(plain); err != nil {
			t.Fatalf("%s: %v", info.Key, err)
		}
		plain.Close()
		if int64(len(r.reply)) != r.Size || r.Reason == "" || r.Corp != corpID || !strings.Contains(info.Key, r.Run) {
			t.Errorf("%s: header %+v does not describe its %d bytes", info.Key, r.RejectHeader, len(r.reply))
		}
		all = append(all, r)
	}
	return all
}
