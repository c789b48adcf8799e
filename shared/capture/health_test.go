package capture_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/capture"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/health"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// TestEveryFailureHasARemedy: whichever durable operation of a run fails, the run
// says what to do.
func TestEveryFailureHasARemedy(t *testing.T) {
	failed := 0
	for k := 1; ; k++ {
		w := newWorld(50)
		w.waiting(t, 3, w.Now().Add(-time.Hour))
		faults := storetest.NewFaults()
		c := w.config()
		index := faults.Index(w.index)
		c.Objects, c.Queue = faults.Objects(w.objects), faults.Notifier(w.queue)
		take(&c, catalog.New(index))
		faults.FailAt(k, storetest.Before)
		run, err := capture.New(c).Run(t.Context())
		if faults.Count() < k {
			break
		}
		if err != nil {
			failed++
		}
		if err != nil && run.Remedy == "" && !strings.Contains(err.Error(), "lease") {
			t.Errorf("operation %d: run %+v: %v", k, run, err)
		}
	}
	if failed < 15 {
		t.Errorf("only %d operations failed", failed)
	}
}

// TestGarbageAtTheCursor: what cannot be read under the cursor's key, and can never be
// replaced, does not stop the puller. It asks again, stores an alternate, and says so.
func TestGarbageAtTheCursor(t *testing.T) {
	w := newWorld(50)
	w.put(t, archive.PageKey(0), "garbage")
	run := w.mustPull(t)
	if run.Pages != 3 || run.Envelopes != 50 {
		t.Fatalf("run %+v", run)
	}
	stored, err := store.ReadObject(t.Context(), w.objects, archive.AlternateKey(0, 1))
	if err != nil {
		t.Fatal(err)
	}
	h, err := archive.DecodePageHeader(stored)
	if err != nil || h.Alternate != 1 || h.Until != h.LastSeq || h.Stem != archive.Day(morning) || h.Count != 20 {
		t.Errorf("alternate %+v, %v", h, err)
	}
	found, err := damage.New(w.objects, w.catalog.Table, corpID, w.Now).Summary(t.Context())
	if err != nil || !slices.ContainsFunc(found.Open, func(e damage.Entry) bool {
		return e.Finding.Kind == archive.Altered && e.Finding.Key == archive.PageKey(0)
	}) {
		t.Errorf("findings %+v, %v", found, err)
	}
	// Its alternate cannot be read either: there is a second one, and the cursor goes on.
	w.index = storetest.NewIndex()
	w.catalog = catalog.New(w.index)
	w.objects = storetest.NewObjects()
	w.put(t, archive.PageKey(0), "garbage")
	w.put(t, archive.AlternateKey(0, 1), string(stored[:len(stored)/2]))
	w.mustPull(t)
	if _, err := store.ReadObject(t.Context(), w.objects, archive.AlternateKey(0, 2)); err != nil {
		t.Error(err)
	}
}

// seats is a list of who is archived.
type seats struct {
	ids []string
	err error
}

func (s *seats) Seats(context.Context) ([]string, error) { return s.ids, s.err }

// TestSeats: an empty scope alarms at once, and no longer when it is mended.
func TestSeats(t *testing.T) {
	w := newWorld(0)
	list := &seats{}
	c := w.config()
	c.Seats = list
	run := func() (codes []health.AlarmCode) {
		t.Helper()
		if _, err := capture.New(c).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		codes, _ = w.judge(t)
		return codes
	}
	if codes := run(); !slices.Equal(codes, []health.AlarmCode{health.AlarmQuiet}) {
		t.Errorf("alarms %v with nobody in the scope", codes)
	}
	list.ids = []string{"somebody"}
	w.stream.seqs = newStream(30).seqs
	if codes := run(); len(codes) > 0 {
		t.Errorf("alarms %v after somebody's messages", codes)
	}
	list.err = errors.New("no answer")
	w.advance(25 * time.Hour)
	if codes := run(); !slices.Contains(codes, health.AlarmQuiet) {
		t.Errorf("alarms %v after a silent day, seats not known", codes)
	}
}

// TestSilenceIsLearned: a corp that rests for two days a week is well in the next
// weekend, and not on a day on which it never rested; an outage teaches nothing,
// and a lost index forgets nothing.
func TestSilenceIsLearned(t *testing.T) {
	for _, every := range []time.Duration{6 * time.Hour, 24 * time.Hour} {
		t.Run(fmt.Sprint(every), func(t *testing.T) {
			w := newWorld(1)
			c := w.config()
			c.Seats = &seats{ids: []string{"somebody"}}
			next := uint64(5000)
			// live lets days pass. The corp talks on the days that say so.
			live := func(days int, talks func(day int) bool, pulls bool) (quiet bool) {
				t.Helper()
				for d := range days {
					for h := time.Duration(0); h < day; h += every {
						if talks(d) {
							next++
							w.stream.seqs = append(w.stream.seqs, next)
						}
						w.advance(every)
						if !pulls {
							continue
						}
						if _, err := capture.New(c).Run(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
				}
				codes, _ := w.judge(t)
				return slices.Contains(codes, health.AlarmQuiet)
			}
			always := func(int) bool { return true }
			never := func(int) bool { return false }

			live(10, always, true)
			live(3, always, false) // an outage in which people talk
			live(4, always, true)
			if !live(2, never, true) {
				t.Error("two silent days are believed, though only an outage came before")
			}
			live(5, always, true)
			if live(2, never, true) {
				t.Error("an alarm about a weekend like the last one")
			}
			before, _ := w.judge(t)
			w.loseIndex()
			take(&c, w.catalog)
			w.advance(time.Minute)
			if _, err := capture.New(c).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if after, _ := w.judge(t); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("alarms %v after the index was lost, %v before", after, before)
			}
			if !live(1, never, true) {
				t.Error("a third silent day is believed")
			}
		})
	}
}

// TestDamagedIndexHasARemedy: nothing is asked of WeCom, and the run says what to do.
func TestDamagedIndexHasARemedy(t *testing.T) {
	for _, sort := range []string{"cursor", "state"} {
		w := newWorld(50)
		w.mustPull(t)
		if err := w.index.Put(t.Context(), store.Item{Partition: "puller", Sort: sort, Value: []byte("{")}); err != nil {
			t.Fatal(err)
		}
		run, err := w.pull(t)
		if !errors.Is(err, store.ErrIndexDamaged) || !strings.Contains(run.Remedy, "Drop it") || run.Calls > 0 {
			t.Errorf("%s: run %+v: %v", sort, run, err)
		}
	}
}
