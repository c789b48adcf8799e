package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/api"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/person"
	"wecom-archive/shared/rebuild"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/viewer"
	"wecom-archive/shared/wecom/wecomtest"
)

// reindexer works on the world's bucket and index, through its faults.
func (w *world) reindexer(q store.Notifier) *rebuild.Reindexer {
	return rebuild.NewReindexer(rebuild.Config{
		Corp: corpID, Objects: w.faults.Objects(w.objects), Versions: w.objects, Catalog: catalog.New(w.faults.Index(w.index)),
		Dropper: w.index, Queue: w.faults.Notifier(q), Now: w.Now, Log: w.log, Parallel: 2,
	})
}

func (w *world) reindex(t *testing.T, drop bool) rebuild.Report {
	t.Helper()
	report, err := w.reindexer(&queue{}).Run(t.Context(), drop)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// redrive asks for pages to be tried again, and has them tried.
func (w *world) redrive(t *testing.T, s rebuild.Selection) (pages int) {
	t.Helper()
	p := w.boot(nil)
	r := &rebuild.Redriver{Corp: corpID, Objects: w.objects, Pages: p.catalog.Pages, Media: p.catalog.Media, Queue: p.queue, Now: w.Now, NewID: func() string { w.runs++; return fmt.Sprint("ask", w.runs) }}
	pages, err := r.Run(t.Context(), s, "somebody")
	if err != nil {
		t.Fatal(err)
	}
	for key, ok := p.queue.take(); ok; key, ok = p.queue.take() {
		if err := p.archiver.Handle(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	return pages
}

// eventful is a world in which everything happened that a rebuild has to know:
// key bindings, a gap, a key that came late and a redrive, envelopes that stay in
// quarantine, incidents, runs.
func eventful(t *testing.T) *world {
	t.Helper()
	w := happened(t)
	w.layOver(t)
	return w
}

// eventfulHoled is eventful with a page that is gone, whose segment has all of it, and with
// one that is gone with its segment, in whose place an alternate stands.
func eventfulHoled(t *testing.T) *world {
	t.Helper()
	w := happened(t)
	pages := w.read(t).pages
	covered, filled := uint64(0), pages[len(pages)-2].Header.SeqAsked
	for _, p := range pages[1:5] { // one of which all can be read
		if state, err := catalog.New(w.index).Pages.Page(t.Context(), p.Header.SeqAsked); err == nil && state.OK == state.Count {
			covered = p.Header.SeqAsked
		}
	}
	w = w.lose(t, func(asked uint64) bool { return asked == filled }, covered, filled)
	w.reindex(t, false)
	w.advance(time.Hour)
	w.boot(nil).mustFinish(t)
	w.reindex(t, true) // it counts what is there
	holes, err := catalog.New(w.index).Journal.Holes(t.Context(), 0, 10)
	if err != nil || len(holes) != 2 || holes[0].Outcome != archive.HoleCovered || holes[1].Outcome != archive.HoleFilled {
		t.Fatalf("holes %+v, %v", holes, err)
	}
	w.layOver(t)
	return w
}

// layOver lays something over the truth.
func (w *world) layOver(t *testing.T) {
	t.Helper()
	w.objects.PlantDeleteMarker(archive.PageKey(0))
	w.objects.PlantVersion(archive.KeyRecordKey("key-1"), []byte("another key"))
	if _, err := catalog.RecordIncidents(t.Context(), w.objects, w.objects, catalog.New(w.index).Journal, corpID, ""); err != nil {
		t.Fatal(err)
	}
}

// happened is eventful without incidents.
func happened(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, 120, 10, func(c *wecomtest.Config) {
		c.KeyChanges = []int{40, 80}
		c.Extents = []wecomtest.Extent{
			{Count: 60, From: start.Add(-72 * time.Hour), To: start.Add(-time.Hour)},
			{Count: 60, From: start.Add(140 * time.Hour), To: start.Add(150 * time.Hour)},
		}
	})
	if _, err := w.corp.UploadKey(&rsaKeys()[2].PublicKey); err != nil { // not ours yet
		t.Fatal(err)
	}
	w.boot(nil).mustFinish(t)
	w.advance(151 * time.Hour) // longer than WeCom's five days
	w.boot(nil).mustFinish(t)
	w.addKey(t, "key-3", rsaKeys()[2])
	w.advance(time.Hour)
	if pages := w.redrive(t, rebuild.Selection{Reason: archive.OutcomeUnknownKey}); pages == 0 {
		t.Fatal("no page waits for the third key")
	}
	return w
}

// apiAnswers asks the API everything there is, and returns each answer by its URL.
func (w *world) apiAnswers(t *testing.T) map[string]string {
	t.Helper()
	looks := 0
	everything := person.Person{Subject: "tester", Roles: []person.Role{person.Reader, person.Auditor, person.Operator}}
	handler := viewer.New(viewer.Config{
		Objects: w.objects, Derived: w.derived, Catalog: catalog.New(w.index), Read: w.newest,
		Access: &access.Recorder{Objects: storetest.NewObjects(), Now: w.Now, NewID: func() string { looks++; return fmt.Sprintf("look-%08d", looks) }},
		Auth:   api.StaticToken("token", everything), Now: w.Now, NewID: func() string { return "request" },
	})
	got := map[string]string{}
	ask := func(path string) []byte {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		req.Header.Set("Authorization", "Bearer token")
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, req)
		if rec.Code != http.StatusOK {
			t.Fatalf("%s answers %d: %s", path, rec.Code, rec.Body)
		}
		got[path] = rec.Body.String()
		return rec.Body.Bytes()
	}
	for _, list := range []string{"status", "pages?limit=1000", "quarantine", "runs", "gaps", "incidents", "keys"} {
		ask("/v1/" + list)
	}
	var people struct{ People []struct{ ID string } }
	if err := json.Unmarshal(ask("/v1/people?limit=1000"), &people); err != nil {
		t.Fatal(err)
	}
	for _, p := range people.People {
		ask("/v1/people/" + url.PathEscape(p.ID) + "/conversations?limit=1000")
	}
	for i := range w.corp.Len() {
		said, err := w.corp.Served(i)
		if err != nil {
			t.Fatal(err)
		}
		ask(fmt.Sprintf("/v1/messages/%d", said.Seq))
	}
	for back := range 20 {
		var days struct{ Conversations []struct{ ID string } }
		if err := json.Unmarshal(ask("/v1/conversations?day="+archive.Day(w.Now().AddDate(0, 0, -back))), &days); err != nil {
			t.Fatal(err)
		}
		for _, c := range days.Conversations {
			ask("/v1/conversations/" + url.PathEscape(c.ID) + "/messages?limit=200")
		}
	}
	return got
}

func wantSameAnswers(t *testing.T, got, want map[string]string) {
	t.Helper()
	for path, answer := range want {
		if got[path] != answer {
			t.Errorf("%s answered\n%s\nand after the rebuild\n%s", path, answer, got[path])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d answers, %d before", len(got), len(want))
	}
}

// facts are the items of an index that follow from objects, without their
// revisions: all but the lease, and of the puller's state what no object holds.
func facts(t *testing.T, index *storetest.Index) []string {
	t.Helper()
	var all []string
	for _, item := range index.All() {
		if item.Partition == "puller" && item.Sort == "lease" {
			continue
		}
		if item.Partition == "puller" && item.Sort == "state" {
			var s catalog.PullState
			if err := json.Unmarshal(item.Value, &s); err != nil {
				t.Fatal(err)
			}
			s.Seats = nil // WeCom's to say, at the next run
			var err error
			if item.Value, err = json.Marshal(s); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, item.Partition+" / "+item.Sort+": "+string(item.Value))
	}
	return all
}

func wantSameFacts(t *testing.T, got, want *storetest.Index) {
	t.Helper()
	g, w := facts(t, got), facts(t, want)
	for _, item := range w {
		if !slices.Contains(g, item) {
			t.Errorf("missing: %s", item)
		}
	}
	for _, item := range g {
		if !slices.Contains(w, item) {
			t.Errorf("not there before: %s", item)
		}
	}
}

// TestReindexEqual drops the index and makes it again: each of its items is as
// before, and each answer of the API byte for byte.
func TestReindexEqual(t *testing.T) {
	w := eventfulHoled(t)
	cat := catalog.New(w.index)
	gaps, _ := cat.Journal.Gaps(t.Context(), 10)
	incidents, _ := cat.Journal.Incidents(t.Context(), 10)
	bindings, _ := cat.Keys.Bindings(t.Context(), 10)
	quarantined, _ := cat.Pages.Quarantined(t.Context(), 0, 100)
	redriven := slices.ContainsFunc(quarantined, func(p catalog.PageState) bool { return !p.RedriveAt.IsZero() })
	if len(gaps) == 0 || len(incidents) != 2 || len(bindings) != 3 || len(quarantined) == 0 || !redriven {
		t.Fatalf("too little happened: %d gaps, %d incidents, %d bindings, %d pages in quarantine, redriven %v", len(gaps), len(incidents), len(bindings), len(quarantined), redriven)
	}
	// What no object holds, since only WeCom says it.
	if _, err := cat.Pages.UpdatePullState(t.Context(), func(s *catalog.PullState) { s.Seats = nil }); err != nil {
		t.Fatal(err)
	}
	answers := w.apiAnswers(t)
	before := storetest.NewIndex()
	if err := before.Put(t.Context(), w.index.All()...); err != nil {
		t.Fatal(err)
	}
	objects := len(w.all(t))

	w.reindex(t, false)
	wantSameFacts(t, w.index, before)
	w.reindex(t, true)
	wantSameFacts(t, w.index, before)
	wantSameAnswers(t, w.apiAnswers(t), answers)

	w.index = storetest.NewIndex()
	report := w.reindex(t, false)
	wantSameFacts(t, w.index, before)
	wantSameAnswers(t, w.apiAnswers(t), answers)
	cursor, err := cat.Pages.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := rebuild.Report{Pages: cursor.Pages, Envelopes: cursor.Envelopes, Events: report.Events, Incidents: 2, Media: 11, Holes: 1} // nobody fetches files here
	if report != want || report.Events < 8 {
		t.Errorf("report %+v, want %+v", report, want)
	}
	if n := len(w.all(t)); n != objects {
		t.Errorf("%d objects, %d before: a rebuild adds none", n, objects)
	}
	w.boot(nil).mustFinish(t) // and the program goes on
}

// all lists the bucket.
func (w *world) all(t *testing.T) (keys []string) {
	t.Helper()
	for info, err := range w.objects.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

// TestReindexDropsWhatIsStale: without --drop, items that no object accounts for
// stay; with it they go.
func TestReindexDropsWhatIsStale(t *testing.T) {
	w := eventful(t)
	stale := store.Item{Partition: "day#2020-01-01#0", Sort: "room:gone", Value: []byte("{}")}
	if err := w.index.Put(t.Context(), stale); err != nil {
		t.Fatal(err)
	}
	if w.reindex(t, false); w.has(t, stale) != nil {
		t.Error("an item went without --drop")
	}
	if w.reindex(t, true); !errors.Is(w.has(t, stale), store.ErrNotFound) {
		t.Error("a stale item survived --drop")
	}
}

func (w *world) has(t *testing.T, item store.Item) error {
	_, err := w.index.Get(t.Context(), item.Partition, item.Sort)
	return err
}

// TestReindexKilled kills a reindex after, and in the middle of, every durable
// operation and runs it again:
// the index is that of one that was not disturbed.
func TestReindexKilled(t *testing.T) {
	base := eventful(t)
	want := base.copy(t)
	want.index = storetest.NewIndex()
	want.reindex(t, false)
	step := 1
	if underRace || testing.Short() {
		step = 7
	}
	for _, when := range []storetest.When{storetest.After, storetest.Partly} {
		for k := 1; ; k += step {
			w := *base
			w.clock = &clock{now: base.Now()}
			w.index, w.faults = storetest.NewIndex(), storetest.NewFaults()
			w.faults.CrashAt(k, when)
			_, err := w.reindexer(&queue{}).Run(t.Context(), k%2 == 0)
			crashed := w.faults.Crashed()
			if crashed == (err == nil) {
				t.Fatalf("crash at %d: %v", k, err)
			}
			w.faults.Restart()
			w.reindex(t, false)
			wantSameFacts(t, w.index, want.index)
			if t.Failed() {
				t.Fatalf("killed at operation %d (%v)", k, when)
			}
			if !crashed {
				break
			}
		}
	}
}

// TestReindexResumes: the second run does not read again what the first one had
// done, and adds to its counts.
func TestReindexResumes(t *testing.T) {
	w := eventful(t)
	w.index = storetest.NewIndex()
	w.faults.CrashAt(60, storetest.Before)
	if _, err := w.reindexer(&queue{}).Run(t.Context(), false); !errors.Is(err, storetest.ErrCrashed) {
		t.Fatal(err)
	}
	w.faults.Restart()
	first := w.faults.Count()
	report := w.reindex(t, false)
	second := w.faults.Count() - first
	whole := *w
	whole.index, whole.faults = storetest.NewIndex(), storetest.NewFaults()
	want := whole.reindex(t, false)
	if !report.Resumed || report.Pages != want.Pages || report.Events != want.Events {
		t.Errorf("resumed: %+v, at once: %+v", report, want)
	}
	if n := whole.faults.Count(); second > n-30 {
		t.Errorf("the second run took %d writes, all at once are %d", second, n)
	}
}

// TestReindexWaits: nobody pulls by half an index, and a puller at work is not
// disturbed.
func TestReindexWaits(t *testing.T) {
	w := pulled(t, 20, 10)
	cat := catalog.New(w.index)
	if _, err := cat.Pages.AcquireLease(t.Context(), "puller", w.Now(), time.Minute); err != nil {
		t.Fatal(err)
	}
	var held *catalog.LeaseHeldError
	if _, err := w.reindexer(&queue{}).Run(t.Context(), true); !errors.As(err, &held) || held.Owner != "puller" {
		t.Errorf("beside a puller: %v", err)
	}
	w.advance(2 * time.Minute)

	var pullErr error
	asking := notify(func() { _, pullErr = w.boot(nil).puller.Run(t.Context()) })
	if _, err := w.reindexer(asking).Run(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if !errors.As(pullErr, &held) || held.Owner != "reindex" {
		t.Errorf("a pull during a reindex: %v", pullErr)
	}
	w.boot(nil).mustFinish(t) // the lease is free again
}

// notify is a queue that does something at each call.
type notify func()

func (n notify) Notify(context.Context, ...string) error { n(); return nil }

// TestReindexWaitingPages: pages that the archiver has not finished wait for it,
// also if the index said that they were done.
func TestReindexWaitingPages(t *testing.T) {
	w := pulled(t, 30, 10)
	cat := catalog.New(w.index)
	lie := catalog.PageState{Key: archive.PageKey(0), Count: 10, OK: 10, Parts: 1}
	if err := cat.Pages.FinishPage(t.Context(), lie); err != nil {
		t.Fatal(err)
	}
	q := &queue{}
	report, err := w.reindexer(q).Run(t.Context(), false)
	if err != nil || report.Waiting != report.Pages || report.Waiting < 3 {
		t.Fatalf("report %+v, %v", report, err)
	}
	if len(q.keys) != int(report.Waiting) {
		t.Errorf("queued %q", q.keys)
	}
	pending, err := cat.Pages.PendingPages(t.Context(), 0, 100)
	if err != nil || len(pending) != int(report.Waiting) {
		t.Errorf("%d pages wait, %v", len(pending), err)
	}
	w.advance(time.Hour)
	w.boot(nil).mustFinish(t)
	w.read(t).checkTruth(t, w.corp, spoilt)
}
