package directory_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/rebuild"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom/wecomtest"
)

// answers is all that the index says of names, seats and consent.
func (w *world) answers() string {
	w.t.Helper()
	var lines []string
	add := func(v any) {
		line, err := json.Marshal(v)
		if err != nil {
			w.t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	for s, err := range w.catalog.People.Subjects(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		add(s)
		e := w.entry(s.ID, s.Room)
		add(e)
		for _, n := range e.Names { // whoever has a name, or had it, is found by its end
			find := w.catalog.People.CalledPeople
			if s.Room {
				find = w.catalog.People.CalledRooms
			}
			_, size := utf8.DecodeRuneInString(n.Name)
			ids, _, err := find(w.t.Context(), n.Name[size:], "", 1000)
			if err != nil || len(n.Name) > size && !slices.Contains(ids, s.ID) {
				w.t.Errorf("%q finds %q, %v; want %s among them", n.Name[size:], ids, err, s.ID)
			}
		}
	}
	for c, err := range w.catalog.Consents.ConsentSubjects(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		state, err := w.catalog.Consents.ConsentOf(w.t.Context(), c.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		facts, err := w.catalog.Consents.ConsentFacts(w.t.Context(), c.ID, 100)
		if err != nil {
			w.t.Fatal(err)
		}
		add(c)
		add(state)
		add(facts)
	}
	for s, err := range w.catalog.People.Seats(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		add(s)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestRebuild: names, their times and seats come back from the objects alone, also
// into an index that has some of them.
func TestRebuild(t *testing.T) {
	w := small(t)
	w.mustRun(noSecret, true)
	for day := range 30 {
		w.pass(24 * time.Hour)
		w.corp.Rename(w.corp.Customers()[day].ID, fmt.Sprint("改名", day))
		if day == 10 {
			w.corp.Vanish(w.corp.Employees()[2].ID)
		}
		w.mustRun(appSecret, true)
	}
	want := w.answers()
	full := w.catalog
	for name, catalog := range map[string]*catalog.Catalog{"an empty index": catalog.New(storetest.NewIndex()), "the same index": full} {
		w.catalog = catalog
		w.everybodyTalks() // the pages do this; here are none
		log := &bytes.Buffer{}
		report, err := rebuild.NewReindexer(rebuild.Config{
			Corp: corpid, Objects: w.objects, Versions: w.objects.(*storetest.Objects), Catalog: catalog, Now: w.clock, Log: slog.New(slog.NewTextHandler(log, nil)),
		}).Run(t.Context(), false)
		if err != nil || report.Names < 31 || report.DamagedNames != 0 || strings.Contains(log.String(), "ERROR") {
			t.Fatalf("%s: %+v, %v, %s", name, report, err, log)
		}
		if got := w.answers(); got != want {
			t.Errorf("%s: the rebuilt index says something else:\n%s", name, firstDifference(got, want))
		}
		// The stage goes on from it.
		if again := w.mustRun(appSecret, false); again.Calls != 0 {
			t.Errorf("%s: the next run makes %d calls", name, again.Calls)
		}
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i] + "\n" + y[i]
		}
	}
	return fmt.Sprint(len(x), " and ", len(y), " lines")
}

// TestDamagedPart: a part that rots is passed over, by the stage and by reindex.
func TestDamagedPart(t *testing.T) {
	w := small(t)
	key := "directory/dt=2026-11-23/1795460000000-runX-00000.json.zst"
	if err := w.objects.PutIfAbsent(t.Context(), key, strings.NewReader("rot")); err != nil {
		t.Fatal(err)
	}
	w.mustRun(appSecret, true)
	w.wantNames("beside a rotten part", w.truth(true, true, true, true))
	w.catalog = catalog.New(storetest.NewIndex())
	w.everybodyTalks()
	report, err := rebuild.NewReindexer(rebuild.Config{
		Corp: corpid, Objects: w.objects, Versions: w.objects.(*storetest.Objects), Catalog: w.catalog, Now: w.clock, Log: slog.New(slog.DiscardHandler),
	}).Run(t.Context(), false)
	if err != nil || report.DamagedNames != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	w.wantNames("rebuilt beside a rotten part", w.truth(true, true, true, true))
}

// TestCrashAtEveryStep: wherever a run breaks off, the next one goes on, and the index
// says what the objects say.
func TestCrashAtEveryStep(t *testing.T) {
	for _, when := range []storetest.When{storetest.Before, storetest.After, storetest.Partly} {
		for _, crash := range []bool{true, false} {
			for k := 1; ; k++ {
				if k > 200 {
					t.Fatal("no end of steps")
				}
				w := newWorld(t, wecomtest.Config{Employees: 6, Customers: 8, Rooms: 2})
				w.everybodyTalks()
				objects, index := w.objects, w.index
				faults := storetest.NewFaults()
				w.objects, w.catalog = faults.Objects(objects), catalog.New(faults.Index(index))
				hit := false
				if crash {
					faults.CrashAt(k, when)
				} else {
					faults.FailAt(k, when)
				}
				_, err := w.run(appSecret, true)
				hit = err != nil
				faults.Restart()
				w.objects, w.catalog = objects, catalog.New(index)
				w.pass(3 * time.Minute) // the lease of the one that crashed
				if _, err := w.run(appSecret, true); err != nil {
					t.Fatalf("step %d %v: the next run: %v", k, when, err)
				}
				w.wantNames(fmt.Sprintf("step %d %v", k, when), w.truth(true, true, true, true))
				if faults.Count() < k {
					break
				}
				if !hit && !crash && when != storetest.After {
					t.Errorf("step %d %v: the failure was not told", k, when)
				}
				got := w.answers()
				w.catalog = catalog.New(storetest.NewIndex())
				w.everybodyTalks()
				if _, err := rebuild.NewReindexer(rebuild.Config{
					Corp: corpid, Objects: objects, Versions: objects.(*storetest.Objects), Catalog: w.catalog, Now: w.clock, Log: slog.New(slog.DiscardHandler),
				}).Run(t.Context(), false); err != nil {
					t.Fatal(err)
				}
				if want := w.answers(); got != want {
					t.Fatalf("step %d %v: index and objects differ:\n%s", k, when, firstDifference(got, want))
				}
			}
		}
	}
}
