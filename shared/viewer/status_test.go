package viewer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
	"wecom-archive/shared/viewer"
)

// statusAnswer is what the tests look at.
type statusAnswer struct {
	Healthy bool
	Alarms  []struct{ Code, Severity, Message, Remedy string }
	Lag     *int64 `json:"lag_seconds"`
	Hours   *int64 `json:"hours_until_first_loss"`
	Seats   *int
	Success string `json:"last_success"`
	Cursor  struct {
		Seq, Pages, Envelopes, Bytes int64
		PulledAt                     string `json:"pulled_at"`
	}
	Archived int64
	Pending  struct {
		Pages, Envelopes int64
		Oldest           string
		AtLeast          bool `json:"at_least"`
	}
	Quarantine struct {
		Pages, Envelopes int64
		Reasons          map[string]int64
		AtLeast          bool `json:"at_least"`
	}
	Media struct {
		Files, Pending, Stored, Failed, Lost, Bytes, Mismatches int64
		Reasons                                                 map[string]int64
		Oldest                                                  string `json:"oldest_pending"`
		Expires                                                 string
	}
	Damage struct {
		Archive, Holes, Strays, Derived, Acknowledged int64
		AtLeast                                       bool `json:"at_least"`
		Newest                                        []struct{ Key, Kind string }
	}
	Gaps []struct {
		Since string
		Seq   uint64
	}
	Runs []struct{ ID string }
	Keys []struct {
		Version int64 `json:"publickey_ver"`
		Key     string
	} `json:"key_bindings"`
}

func (s statusAnswer) codes() []string {
	var codes []string
	for _, a := range s.Alarms {
		codes = append(codes, a.Code)
	}
	return codes
}

func (f *fixture) status() statusAnswer {
	f.tb.Helper()
	return into[statusAnswer](f.tb, f.get("operator-token", "/v1/status"))
}

func (f *fixture) must(err error) {
	f.tb.Helper()
	if err != nil {
		f.tb.Fatal(err)
	}
}

// pull notes n pages of 10 envelopes and moves the cursor over all but the last
// ahead of them.
func (f *fixture) pull(n, ahead int) []archive.PageHeader {
	f.tb.Helper()
	cursor, err := f.catalog.Pages.Cursor(f.tb.Context())
	f.must(err)
	asked := cursor.Seq
	var pages []archive.PageHeader
	for i := range n {
		h := archive.PageHeader{SeqAsked: asked, FirstSeq: asked + 1, LastSeq: asked + 10, Count: 10, Size: 500, PulledAt: now.Add(-time.Duration(n-i) * time.Second)}
		f.must(f.catalog.Pages.NotePage(f.tb.Context(), h))
		if i < n-ahead {
			cursor, err = f.catalog.Pages.AdvanceCursor(f.tb.Context(), cursor, h)
			f.must(err)
		}
		pages, asked = append(pages, h), h.LastSeq
	}
	return pages
}

func (f *fixture) finish(h archive.PageHeader, unreadable map[archive.Outcome]int) {
	f.tb.Helper()
	ok := h.Count
	for _, n := range unreadable {
		ok -= n
	}
	f.must(f.catalog.Pages.FinishPage(f.tb.Context(), catalog.PageState{
		Key: archive.PageKey(h.SeqAsked), SeqAsked: h.SeqAsked, LastSeq: h.LastSeq, Count: h.Count,
		PulledAt: h.PulledAt, OK: ok, Unreadable: unreadable,
	}))
}

func (f *fixture) proof(age time.Duration) {
	f.tb.Helper()
	_, err := f.catalog.Pages.UpdatePullState(f.tb.Context(), func(s *catalog.PullState) {
		seats := 12
		s.FirstRunAt, s.EndReachedAt, s.LastSuccessAt, s.Seats = now.Add(-age), now.Add(-age), now.Add(-age), &seats
	})
	f.must(err)
}

func TestStatusOfNothing(t *testing.T) {
	s := newFixture(t).status()
	if s.Healthy || !slices.Equal(s.codes(), []string{"never_ran"}) || s.Lag != nil || s.Hours != nil || s.Archived != 0 || s.Cursor.Seq != 0 {
		t.Errorf("%+v", s)
	}
	if s.Gaps == nil || s.Runs == nil || s.Keys == nil || s.Quarantine.Reasons == nil {
		t.Errorf("a list is null: %+v", s)
	}
}

func TestStatusHealthy(t *testing.T) {
	f := newFixture(t)
	for _, h := range f.pull(3, 0) {
		f.finish(h, nil)
	}
	f.proof(90 * time.Minute)
	s := f.status()
	if !s.Healthy || len(s.Alarms) != 0 || *s.Lag != 5400 || *s.Hours != 118 || *s.Seats != 12 || s.Success != "2026-11-24T07:30:00.000Z" {
		t.Errorf("%+v", s)
	}
	if s.Cursor.Seq != 30 || s.Cursor.Pages != 3 || s.Cursor.Envelopes != 30 || s.Cursor.Bytes != 1500 || s.Cursor.PulledAt != "2026-11-24T08:59:59.000Z" {
		t.Errorf("cursor %+v", s.Cursor)
	}
	if s.Archived != 30 || s.Pending.Pages != 0 || s.Pending.Oldest != "" || s.Quarantine.Pages != 0 {
		t.Errorf("%+v", s)
	}
}

// TestStatusOfDamage: a page whose own header is damaged has envelopes that nobody can
// count, which is not said to be none.
func TestStatusOfDamage(t *testing.T) {
	f := newFixture(t)
	pages := f.pull(3, 0)
	for i, damaged := range [][]string{{archive.PageKey(pages[0].SeqAsked)}, {"messages/dt=2026-11-24/a.parquet", "messages/dt=2026-11-24/b.parquet"}} {
		f.must(f.catalog.Pages.FinishPage(t.Context(), catalog.PageState{
			Key: archive.PageKey(pages[i].SeqAsked), SeqAsked: pages[i].SeqAsked, LastSeq: pages[i].LastSeq, PulledAt: pages[i].PulledAt, Parts: 2, Damaged: damaged,
		}))
	}
	f.finish(pages[2], nil)
	f.proof(time.Minute)
	s := f.status()
	if len(s.Alarms) != 1 || !strings.HasPrefix(s.Alarms[0].Message, "1 page cannot be read: its header is damaged. ") || !strings.HasSuffix(s.Alarms[0].Message, " 2 parts of segments are damaged.") {
		t.Errorf("%+v", s.Alarms)
	}
}

func TestStatusCounts(t *testing.T) {
	f := newFixture(t)
	pages := f.pull(8, 2) // the cursor has passed 6: 60 envelopes
	f.finish(pages[0], nil)
	f.finish(pages[1], map[archive.Outcome]int{archive.OutcomeUnknownKey: 3, archive.OutcomeCrash: 1})
	f.finish(pages[3], map[archive.Outcome]int{archive.OutcomeUnknownKey: 2})
	f.finish(pages[6], map[archive.Outcome]int{archive.OutcomeBadMessage: 5}) // before the cursor got there
	f.proof(time.Minute)
	// A page that is just being finished stands in both lists.
	both := map[archive.Outcome]int{archive.OutcomeBadKey: 1}
	f.finish(pages[4], both)
	f.must(f.index.Put(t.Context(), store.Item{Partition: "pages:pending", Sort: fmt.Sprintf("%020d", pages[4].SeqAsked),
		Value: []byte(`{"seq_asked":40,"last_seq":50,"count":10,"pulled_at":"2026-11-24T08:59:56Z"}`)}))

	s := f.status()
	// Pending: 2, 4 and 5 of those passed, 7 beyond the cursor.
	if s.Pending.Pages != 4 || s.Pending.Envelopes != 30 || s.Pending.Oldest != "2026-11-24T08:59:54.000Z" || s.Pending.AtLeast {
		t.Errorf("pending %+v", s.Pending)
	}
	want := map[string]int64{"unknown_key_version": 5, "library_crash": 1, "bad_message": 5, "bad_random_key": 1}
	if s.Quarantine.Pages != 4 || s.Quarantine.Envelopes != 12 || fmt.Sprint(s.Quarantine.Reasons) != fmt.Sprint(want) || s.Quarantine.AtLeast {
		t.Errorf("quarantine %+v", s.Quarantine)
	}
	if s.Archived != 60-30-6 {
		t.Errorf("archived %d, want 24", s.Archived)
	}
	if !slices.Equal(s.codes(), []string{"quarantine"}) {
		t.Errorf("alarms %v", s.Alarms)
	}
}

func TestStatusAlarms(t *testing.T) {
	f := newFixture(t)
	f.pull(1, 0)
	f.proof(98 * time.Hour)
	for i := range 3 {
		since := start.AddDate(0, 0, -20*i)
		f.must(f.catalog.Journal.PutGap(t.Context(), archive.Gap{Since: since, Until: since.Add(time.Hour), Seq: uint64(i), Run: "r", SeenAt: now}))
	}
	for i := range 15 {
		f.must(f.catalog.Journal.PutRun(t.Context(), archive.Run{ID: fmt.Sprint("run", i), Stage: "puller", StartedAt: start.Add(time.Duration(i) * time.Hour)}))
	}
	f.must(f.catalog.Journal.PutRun(t.Context(), archive.Run{ID: "other", Stage: "archiver", StartedAt: now}))
	f.must(f.catalog.Keys.Bind(t.Context(), archive.KeyBinding{PublicKeyVer: 2, Key: "key-two", MsgID: "m"}))
	f.must(f.catalog.Keys.Bind(t.Context(), archive.KeyBinding{PublicKeyVer: 10, Key: "key-ten", MsgID: "m"}))

	s := f.status()
	if s.Healthy || !slices.Contains(s.codes(), "behind") || !slices.Contains(s.codes(), "gap") || *s.Hours != 22 {
		t.Errorf("%+v", s)
	}
	for _, a := range s.Alarms {
		if a.Message == "" || a.Remedy == "" {
			t.Errorf("alarm %+v", a)
		}
	}
	if len(s.Gaps) != 3 || s.Gaps[0].Since != "2026-11-23T08:00:00Z" || s.Gaps[2].Seq != 2 {
		t.Errorf("gaps %+v", s.Gaps)
	}
	if len(s.Runs) != 10 || s.Runs[0].ID != "run14" || s.Runs[9].ID != "run5" {
		t.Errorf("runs %+v", s.Runs)
	}
	if len(s.Keys) != 2 || s.Keys[0].Key != "key-two" || s.Keys[1].Version != 10 {
		t.Errorf("keys %+v", s.Keys)
	}

	f.proof(200 * time.Hour)
	if s := f.status(); *s.Hours != 0 || !slices.Contains(s.codes(), "loss") {
		t.Errorf("after the window: %+v", s)
	}
}

// What cannot be undone is shown for ever, and does not keep the archive from being
// healthy for ever.
func TestStatusOfOldTroubles(t *testing.T) {
	f := newFixture(t)
	for _, h := range f.pull(2, 0) {
		f.finish(h, nil)
	}
	f.proof(time.Minute)
	old := now.AddDate(0, 0, -31)
	stuck := archive.PageHeader{SeqAsked: 1000, LastSeq: 1010, Count: 10, PulledAt: old}
	f.finish(stuck, map[archive.Outcome]int{archive.OutcomeBadMessage: 1})
	f.must(f.catalog.Journal.PutGap(t.Context(), archive.Gap{Since: old.AddDate(0, 0, -6), Until: old, SeenAt: old}))
	s := f.status()
	if !s.Healthy || !slices.Equal(s.codes(), []string{"gap", "quarantine"}) {
		t.Errorf("%+v", s)
	}
	for _, a := range s.Alarms {
		if a.Severity != "record" {
			t.Errorf("alarm %+v", a)
		}
	}
	// One that waits for a key is never old.
	f.finish(archive.PageHeader{SeqAsked: 1010, LastSeq: 1020, Count: 10, PulledAt: old}, map[archive.Outcome]int{archive.OutcomeUnknownKey: 1})
	if s := f.status(); s.Healthy || s.Alarms[1].Severity != "action" {
		t.Errorf("%+v", s)
	}
}

// TestStatusOfMedia: files are counted, and what is wrong with them alarms.
func TestStatusOfMedia(t *testing.T) {
	f := newFixture(t)
	f.proof(time.Hour)
	if s := f.status(); s.Media.Files != 0 || s.Media.Oldest != "" || len(s.Alarms) != 0 {
		t.Fatalf("without files: %+v, %v", s.Media, s.codes())
	}
	note := func(asked uint64, age time.Duration, count catalog.MediaCount) {
		t.Helper()
		pulled := now.Add(-age)
		f.must(f.catalog.Media.NoteMediaList(t.Context(), catalog.MediaList{SeqAsked: asked, PulledAt: pulled, Expires: pulled.Add(archive.Window), MediaCount: count}, false))
	}
	note(1, time.Hour, catalog.MediaCount{Refs: 10, Stored: 4, Bytes: 1 << 40, Mismatches: 1})
	if s := f.status(); s.Media.Pending != 6 || s.Media.Stored != 4 || s.Media.Bytes != 1<<40 || s.Media.Mismatches != 1 || len(s.Alarms) != 0 {
		t.Errorf("%+v, %v", s.Media, s.codes())
	}
	note(2, 25*time.Hour, catalog.MediaCount{Refs: 3})
	note(3, 50*24*time.Hour, catalog.MediaCount{Refs: 5, Failed: 3, Lost: 2, FailedAt: now.Add(-time.Hour), LostAt: now.Add(-40 * 24 * time.Hour),
		Reasons: map[archive.MediaReason]int{archive.ReasonExpired: 2, archive.ReasonUnavailable: 3}})
	s := f.status()
	if s.Media.Files != 18 || s.Media.Pending != 9 || s.Media.Failed != 3 || s.Media.Lost != 2 || s.Media.Reasons["expired"] != 2 || s.Media.Reasons["unavailable"] != 3 {
		t.Errorf("%+v", s.Media)
	}
	if oldest := now.Add(-25 * time.Hour); s.Media.Oldest != oldest.Format("2006-01-02T15:04:05.000Z") {
		t.Errorf("the oldest is of %s, want %s", s.Media.Oldest, oldest)
	}
	if codes := s.codes(); !slices.Equal(codes, []string{"media_lost", "media_failed", "media_pending"}) || s.Healthy {
		t.Fatalf("alarms %v", codes)
	}
	for i, want := range []string{"record", "action", "action"} {
		if s.Alarms[i].Severity != want || s.Alarms[i].Remedy == "" {
			t.Errorf("%+v, want %s", s.Alarms[i], want)
		}
	}
}

// However large the backlog: 500 pages a query, or one more to see whether there are
// more, and 10,000 counted.
func TestStatusIsBounded(t *testing.T) {
	f := newFixture(t)
	var items []store.Item
	for i := range 10_001 {
		sort := fmt.Sprintf("%020d", i)
		value := fmt.Appendf(nil, `{"seq_asked":%d,"last_seq":%d,"count":1,"pulled_at":"2026-11-24T08:00:00Z","unreadable":{"bad_message":1}}`, i, i+1)
		items = append(items, store.Item{Partition: "quarantine", Sort: sort, Value: value}, store.Item{Partition: "pages", Sort: sort, Value: value})
		if i < 10_000 {
			items = append(items, store.Item{Partition: "pages:pending", Sort: sort, Value: value})
		}
	}
	for i := range 501 {
		items = append(items, store.Item{Partition: "damage", Sort: fmt.Sprintf("open#%016x", i), Value: fmt.Appendf(nil, `{"id":"%016x","finding":{"where":"archive","kind":"altered","key":"media/%d","noticed":"2026-11-24T08:00:00Z"}}`, i, i)})
	}
	f.must(f.index.Put(t.Context(), items...))
	limits := &watchedIndex{Index: f.index}
	f.handler = viewer.New(viewer.Config{Objects: f.objects, Catalog: catalog.New(limits), Access: f.access, Auth: people{}})
	s := f.status()
	if s.Pending.Pages != 10_000 || s.Pending.AtLeast {
		t.Errorf("pending %+v", s.Pending)
	}
	if s.Quarantine.Pages != 10_000 || s.Quarantine.Envelopes != 10_000 || !s.Quarantine.AtLeast {
		t.Errorf("quarantine %+v", s.Quarantine)
	}
	if s.Archived != 0 {
		t.Errorf("archived %d", s.Archived)
	}
	if s.Damage.Archive != 500 || !s.Damage.AtLeast || len(s.Damage.Newest) != 20 {
		t.Errorf("damage %+v", s.Damage)
	}
	if limits.most > 501 || limits.queries > 62 {
		t.Errorf("%d queries, of up to %d items", limits.queries, limits.most)
	}
}

type watchedIndex struct {
	store.Index
	most, queries int
}

func (x *watchedIndex) Query(ctx context.Context, q store.IndexQuery) ([]store.Item, error) {
	x.most = max(x.most, q.Limit)
	x.queries++
	return x.Index.Query(ctx, q)
}

// TestStatusOfUnknownBuild: what answers judges itself, and by how the archive locks.
func TestStatusOfUnknownBuild(t *testing.T) {
	for _, test := range []struct {
		name, version   string
		compliance      bool
		err             error
		healthy, alarms bool
	}{
		{"not told", "", true, nil, true, false},
		{"a release", "v1.2.3", true, nil, true, false},
		{"changed", "v1.2.3+dirty", true, nil, false, true},
		{"changed, tried out", "v1.2.3+dirty", false, nil, true, true},
		{"changed, and no right to ask", "v1.2.3+dirty", false, errors.New("denied"), false, true},
	} {
		f := newFixture(t)
		for _, h := range f.pull(1, 0) {
			f.finish(h, nil)
		}
		f.proof(time.Hour)
		f.handler = viewer.New(viewer.Config{
			Objects: f.objects, Catalog: f.catalog, Access: f.access, Auth: people{}, Now: func() time.Time { return now },
			Version: test.version, Compliance: func(context.Context) (bool, error) { return test.compliance, test.err },
		})
		s := f.status()
		if s.Healthy != test.healthy || slices.Contains(s.codes(), "version") != test.alarms {
			t.Errorf("%s: healthy %v, alarms %v", test.name, s.Healthy, s.codes())
		}
	}
}
