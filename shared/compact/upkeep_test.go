package compact_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/store"
)

// TestDerivedLost: without compacted objects answers are as before, and after a rebuild,
// too.
func TestDerivedLost(t *testing.T) {
	w := newWorld()
	w.fillWorld(t, 20)
	w.now = day0.AddDate(0, 0, 75)
	w.mustRun(t)
	var keys []string
	for info, err := range w.derived.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	damage := map[string]func(key string) error{
		"missing": func(key string) error { return w.derived.Delete(t.Context(), key) },
		"changed": func(key string) error {
			body, err := store.ReadObject(t.Context(), w.derived, key)
			if err != nil {
				return err
			}
			for i := range body {
				body[i] ^= 1
			}
			return w.derived.Put(t.Context(), key, strings.NewReader(string(body)))
		},
		"cut off": func(key string) error { return w.derived.Put(t.Context(), key, strings.NewReader("PAR1")) },
	}
	for name, harm := range damage {
		for _, key := range keys {
			if err := harm(key); err != nil {
				t.Fatal(err)
			}
		}
		w.reader = w.newReader()
		w.checkAll(t, 10)
		if w.openFindings(t) == "" {
			t.Errorf("%s: nobody noticed", name)
		}
		if _, err := w.compactor(tiny).Rebuild(t.Context(), compact.All, w.now); err != nil {
			t.Fatal(err)
		}
		w.checkAll(t, 10)
		if open := w.openFindings(t); open != "" {
			t.Errorf("%s: still open: %s", name, open)
		}
		keys = nil
		for info := range w.derived.List(t.Context(), "", "") {
			keys = append(keys, info.Key)
		}
	}
}

// TestReadersMeanwhile: readers see every message while runs are made, switched and
// replaced, and while others take the postings away.
func TestReadersMeanwhile(t *testing.T) {
	w := newWorld()
	w.fillWorld(t, 30)
	done := make(chan struct{})
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				for _, conversation := range []string{"room:0", "room:3", "room:late"} {
					q := catalog.PlaceQuery{Conversation: conversation, Limit: 1000}
					got, err := w.reader.Messages(context.Background(), q)
					if want := w.want(q); err != nil || len(got) != len(want) {
						t.Errorf("%s: %d messages, %v; want %d", conversation, len(got), err, len(want))
						return
					}
				}
			}
		})
	}
	step := 3
	if underRace {
		step = 12
	}
	for day := 1; day < 80; day += step {
		w.now = day0.AddDate(0, 0, day)
		w.mustRun(t)
	}
	if _, err := w.compactor(tiny).Rebuild(t.Context(), compact.All, w.now); err != nil {
		t.Fatal(err)
	}
	close(done)
	group.Wait()
	w.checkDone(t)
}

// TestDaily: over days of a month the old run is rewritten now and then only.
func TestDaily(t *testing.T) {
	t.Parallel()
	w := newWorld()
	var rows, messages int64
	for day := range 60 {
		pulled := day0.AddDate(0, 0, day)
		var list []archive.Row
		for i := range 30 {
			list = append(list, w.message(i, fmt.Sprintf("room:%d", i%7), pulled, pulled))
		}
		w.store(t, uint64(day)*100, 0, pulled, list...)
		messages += int64(len(list))
		w.now = pulled.Add(time.Hour)
		sum := w.mustRun(t)
		if rows += sum.Rows; sum.Parts != 1 || sum.Messages != 30 {
			t.Fatalf("day %d: %+v", day, sum)
		}
	}
	if times := float64(rows) / float64(messages); times > 8 {
		t.Errorf("each message was written %.1f times", times)
	}
	w.checkDone(t)
}

// TestDeadline: with no time left nothing is begun, and the summary says so.
func TestDeadline(t *testing.T) {
	w := newWorld()
	w.fillWorld(t, 5)
	w.now = day0.AddDate(0, 0, 75)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	sum, err := w.compactor(tiny).Run(ctx, w.now)
	if err != nil || !sum.More || sum.Rounds > 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	if sum = w.mustRun(t); sum.More || sum.Parts != len(w.parts) {
		t.Errorf("%+v", sum)
	}
}
