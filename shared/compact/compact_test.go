package compact_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/store/storetest"
)

// TestModel: whatever is stored, compacted, crashed and rebuilt in whatever order,
// a transcript is the plain list of the messages.
func TestModel(t *testing.T) {
	t.Parallel()
	checks := "40"
	if underRace {
		checks = "8"
	}
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set(checks); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		ctx := context.Background()
		type gap struct { // an unreadable row
			asked    uint64
			position int
			seq      int64
			pulled   time.Time
		}
		var gaps []gap
		parts := map[uint64]int{}
		conversation := rapid.SampledFrom([]string{"room:a", "room:a\x00", "room:a!", "pair:x,y", "unparsed"})
		nextPage := uint64(0)
		t.Repeat(map[string]func(*rapid.T){
			"store": func(t *rapid.T) {
				asked := nextPage
				nextPage += 100
				pulled := day0.AddDate(0, 0, rapid.IntRange(0, 70).Draw(t, "day"))
				var rows []archive.Row
				for i := range rapid.IntRange(1, 16).Draw(t, "rows") {
					if rapid.IntRange(0, 9).Draw(t, "unreadable") == 0 {
						w.seq++
						rows = append(rows, unreadable(i, w.seq, pulled))
						gaps = append(gaps, gap{asked, i, w.seq, pulled})
						continue
					}
					at := pulled.Add(-time.Duration(rapid.IntRange(0, 200).Draw(t, "hours")) * time.Hour)
					rows = append(rows, w.message(i, conversation.Draw(t, "conversation"), at, pulled))
				}
				w.store(t, asked, 0, pulled, rows...)
				parts[asked] = 1
			},
			"recover": func(t *rapid.T) {
				if len(gaps) == 0 {
					t.Skip("nothing is unreadable")
				}
				i := rapid.IntRange(0, len(gaps)-1).Draw(t, "gap")
				g := gaps[i]
				gaps = append(gaps[:i], gaps[i+1:]...)
				row := w.message(g.position, conversation.Draw(t, "conversation"), g.pulled, g.pulled)
				row.Seq = g.seq
				w.store(t, g.asked, parts[g.asked], g.pulled, row)
				parts[g.asked]++
			},
			"damaged part": func(t *rapid.T) {
				if nextPage == 0 {
					t.Skip("no page yet")
				}
				p := rapid.SampledFrom(w.parts).Draw(t, "part")
				_, asked, _, _ := archive.ParseSegmentKey(p.key)
				key := archive.SegmentKey(p.rows[0].PulledAt, asked, parts[asked])
				parts[asked]++
				if err := w.objects.PutIfAbsent(ctx, key, strings.NewReader("garbage")); err != nil {
					t.Fatalf("%v", err)
				}
			},
			"double": func(t *rapid.T) { // two parts have a message
				if len(w.messages) == 0 {
					t.Skip("no message yet")
				}
				m := rapid.SampledFrom(w.messages).Draw(t, "message")
				w.store(t, m.Place.Page, parts[m.Place.Page], m.PulledAt, m.Row)
				parts[m.Place.Page]++
			},
			"index again": func(t *rapid.T) {
				if len(w.parts) == 0 {
					t.Skip("no part yet")
				}
				p := rapid.SampledFrom(w.parts).Draw(t, "part")
				if err := decode.IndexConversationsPeopleRecallsConsents(ctx, w.catalog.Conversations, w.catalog.Consents, p.key, p.rows); err != nil {
					t.Fatalf("%v", err)
				}
			},
			"compact": func(t *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.IntRange(0, 30*24).Draw(t, "later")) * time.Hour)
				if _, err := w.compactor(tiny).Run(ctx, w.now); err != nil {
					t.Fatalf("%v", err)
				}
			},
			"rebuild": func(t *rapid.T) {
				month := rapid.SampledFrom([]string{compact.All, "2026-09", "2026-10", "2026-11"}).Draw(t, "month")
				if _, err := w.compactor(tiny).Rebuild(ctx, month, w.now); err != nil {
					t.Fatalf("%v", err)
				}
			},
			"crash": func(t *rapid.T) {
				w.faults.CrashAt(rapid.IntRange(1, 60).Draw(t, "step"), rapid.SampledFrom([]storetest.When{storetest.Before, storetest.After, storetest.Partly}).Draw(t, "when"))
				var err error
				if rapid.Bool().Draw(t, "rebuild") {
					_, err = w.compactor(tiny).Rebuild(ctx, compact.All, w.now)
				} else {
					_, err = w.compactor(tiny).Run(ctx, w.now)
				}
				if err != nil && !errors.Is(err, storetest.ErrCrashed) {
					t.Fatalf("%v", err)
				}
				w.faults.Restart()
			},
			"": func(t *rapid.T) {
				q := catalog.PlaceQuery{
					Conversation: conversation.Draw(t, "asked"), Descending: rapid.Bool().Draw(t, "descending"), Limit: rapid.IntRange(1, 40).Draw(t, "limit"),
				}
				bound := rapid.Custom(func(t *rapid.T) time.Time {
					if rapid.Bool().Draw(t, "none") {
						return time.Time{}
					}
					return day0.Add(time.Duration(rapid.IntRange(-200, 71*24).Draw(t, "bound")) * time.Hour)
				})
				q.From, q.To = bound.Draw(t, "from"), bound.Draw(t, "to")
				if len(w.messages) > 0 && rapid.Bool().Draw(t, "after") {
					p := rapid.SampledFrom(w.messages).Draw(t, "message").Place.Position
					q.After = &p
				}
				w.check(t, q)
			},
		})
		w.checkAll(t, 7)
		w.checkScreens(t, 7, rapid.IntRange(1, 12).Draw(t, "requests"))
	})
}

// TestCrashAtEveryStep: a crash at any durable step changes no answer, and the next
// run completes the work.
func TestCrashAtEveryStep(t *testing.T) {
	for _, when := range []storetest.When{storetest.Before, storetest.After, storetest.Partly} {
		t.Run(fmt.Sprint(when), func(t *testing.T) {
			t.Parallel()
			for k := 1; ; k++ {
				w := newWorld()
				w.fillWorld(t, 4)
				w.now = day0.AddDate(0, 0, 75)
				w.faults.CrashAt(k, when)
				_, err := w.compactor(tiny).Run(t.Context(), w.now)
				crashed := w.faults.Crashed()
				if err == nil && crashed || err != nil && !errors.Is(err, storetest.ErrCrashed) {
					t.Fatalf("step %d: %v", k, err)
				}
				w.checkAll(t, 20)
				w.faults.Restart()
				w.now = w.now.AddDate(0, 0, 2)
				w.mustRun(t)
				w.checkDone(t)
				if underRace {
					k += 4
				}
				if !crashed {
					if k < 15 {
						t.Errorf("only %d steps", k)
					}
					return
				}
			}
		})
	}
}

func (w *world) mustRun(t testing.TB) compact.Summary {
	t.Helper()
	sum, err := w.compactor(tiny).Run(t.Context(), w.now)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// checkDone: all is compacted, nothing is left over once it is old, and answers are
// right.
func (w *world) checkDone(t testing.TB) {
	t.Helper()
	w.checkAll(t, 10)
	if n := w.tail(); n > 0 {
		t.Fatalf("%d postings are left", n)
	}
	w.now = time.Now().Add(50 * time.Hour) // the bucket in memory knows no other clock
	if after := day0.AddDate(0, 0, 130); w.now.Before(after) {
		w.now = after
	}
	w.mustRun(t)
	w.now = w.now.Add(50 * time.Hour) // what that replaced
	w.mustRun(t)
	runs, objects := map[string]bool{}, 0
	months, err := compaction.NewIndex(w.catalog.Table).Months(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range months {
		if len(m.Runs) > 2 || m.Rebuild != nil || len(m.Replaced) > 0 {
			t.Fatalf("%+v", m)
		}
		for _, run := range m.Runs {
			runs[run.ID] = true
			objects += 2*run.Objects + len(run.Extracts) // an object of extracts for each, and their directories
		}
	}
	for info, err := range w.derived.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if _, run, ok := compaction.ParseKey(info.Key); !ok || !runs[run] {
			t.Fatalf("%s is left over", info.Key)
		}
		objects--
	}
	if objects != 0 {
		t.Fatalf("%d objects are missing", objects)
	}
	for _, item := range w.index.All() {
		if run, ok := strings.CutPrefix(item.Partition, "compaction#"); ok && !runs[run] {
			t.Fatalf("directory of run %s is left over", run)
		}
	}
	w.checkAll(t, 10)
}

// TestBetterParser: a rebuild reads every message with the newest parser, even into
// other conversations; no object of the archive changes.
func TestBetterParser(t *testing.T) {
	for _, first := range []string{"compacted before", "tail only"} {
		t.Run(first, func(t *testing.T) {
			w := newWorld()
			w.fillWorld(t, 20)
			w.now = day0.AddDate(0, 0, 75)
			if first == "compacted before" {
				w.mustRun(t)
			}
			w.parser = 2
			w.read = func(raw []byte, msgid string, pulledAt time.Time) archive.Reading {
				var n int
				fmt.Sscanf(string(raw), `{"n":%d}`, &n)
				return archive.Reading{ParserVersion: 2, Conversation: fmt.Sprintf("room:new%d", n%3), MsgTime: pulledAt.Add(-time.Duration(n) * time.Minute), Text: "better " + msgid}
			}
			for i := range w.messages {
				m := &w.messages[i]
				m.Reading = w.read(m.Raw, m.MsgID, m.PulledAt)
				m.Place.Time = m.MsgTime
			}
			if _, err := w.compactor(tiny).Rebuild(t.Context(), compact.All, w.now); err != nil {
				t.Fatal(err)
			}
			w.checkDone(t)
			if got, err := w.reader.Messages(t.Context(), catalog.PlaceQuery{Conversation: "room:1", Limit: 1}); err != nil || len(got) > 0 {
				t.Errorf("the old conversation has %v, %v", seqs(got), err)
			}
			if err := w.objects.Verify(); err != nil {
				t.Error(err)
			}
		})
	}
}
