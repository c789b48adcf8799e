package catalog_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// TestHolesInAnyOrder: whatever the order of the events of a hole, and however often they
// are read, the last one counts, and the open ones are those whose last event says so.
func TestHolesInAnyOrder(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	outcomes := []string{archive.HoleOpen, archive.HoleCovered, archive.HoleLost, archive.HoleFilled}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "events")
		var events []archive.ChainHole
		last := map[uint64]archive.ChainHole{}
		for i := range n {
			h := archive.ChainHole{From: rapid.Uint64Range(1, 2).Draw(t, "from"), To: 9, Outcome: rapid.SampledFrom(outcomes).Draw(t, "outcome"), NoticedAt: at, At: at.Add(time.Duration(i) * time.Hour)}
			events = append(events, h)
			last[h.From] = h
		}
		events = append(rapid.Permutation(events).Draw(t, "order"), events[0])
		journal := catalog.New(storetest.NewIndex()).Journal
		for _, h := range events {
			if err := journal.PutHole(t.Context(), h); err != nil {
				t.Fatal(err)
			}
		}
		var open []uint64
		for from, h := range last {
			got, found, err := journal.Hole(t.Context(), from, 9)
			if err != nil || !found || got.Outcome != h.Outcome || !got.At.Equal(h.At) {
				t.Fatalf("hole %+v, %v, %v; want %+v", got, found, err, h)
			}
			if h.Outcome == archive.HoleOpen {
				open = append(open, from)
			}
		}
		slices.Sort(open)
		listed, err := journal.OpenHoles(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, h := range listed {
			got = append(got, h.From)
		}
		if !slices.Equal(got, open) {
			t.Fatalf("open %v, want %v", got, open)
		}
	})
}

// TestHoleCrashes: wherever noting a hole breaks off, the same again puts it right.
func TestHoleCrashes(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for _, when := range []storetest.When{storetest.Before, storetest.After, storetest.Partly} {
		for k := 1; k <= 6; k++ {
			index, faults := storetest.NewIndex(), storetest.NewFaults()
			do := func() error {
				journal := catalog.New(faults.Index(index)).Journal
				h := archive.ChainHole{From: 1, To: 9, Outcome: archive.HoleOpen, NoticedAt: at, At: at}
				if err := journal.PutHole(t.Context(), h); err != nil {
					return err
				}
				if err := journal.NoteExamined(t.Context(), 1, 9, []catalog.Ask{{Stretch: archive.Stretch{From: 1, To: 9}}}, at, at); err != nil {
					return err
				}
				h.Outcome, h.At = archive.HoleFilled, at.Add(time.Hour)
				return journal.PutHole(t.Context(), h)
			}
			faults.CrashAt(k, when)
			_ = do()
			faults.Restart()
			if err := do(); err != nil {
				t.Fatal(err)
			}
			journal := catalog.New(index).Journal
			h, found, err := journal.Hole(t.Context(), 1, 9)
			open, openErr := journal.OpenHoles(t.Context(), 10)
			if err != nil || openErr != nil || !found || h.Outcome != archive.HoleFilled || h.Examined || len(h.Ask) > 0 || len(open) > 0 {
				t.Errorf("crash at %d (%v): %+v, open %+v", k, when, h, open)
			}
		}
	}
}

// TestHoleAround: where the hole begins that a seq lies in; of several, the outermost.
func TestHoleAround(t *testing.T) {
	journal := catalog.New(storetest.NewIndex()).Journal
	for _, s := range []archive.Stretch{{From: 10, To: 20}, {From: 15, To: 30}, {From: 40, To: 50}} {
		if err := journal.PutHole(t.Context(), archive.ChainHole{From: s.From, To: s.To, Outcome: archive.HoleLost}); err != nil {
			t.Fatal(err)
		}
	}
	for seq, want := range map[uint64]uint64{9: 9, 10: 10, 19: 10, 20: 10, 29: 10, 30: 30, 45: 40, 50: 50} {
		if got, err := journal.HoleAround(t.Context(), seq); err != nil || got != want {
			t.Errorf("%d lies in the hole from %d, want %d (%v)", seq, got, want, err)
		}
	}
}

// TestNotePageAfterALostOne: a page in the place of one that is gone waits for the archiver,
// though the index knows of what was there before.
func TestNotePageAfterALostOne(t *testing.T) {
	pages := catalog.New(storetest.NewIndex()).Pages
	h := archive.PageHeader{SeqAsked: 7, LastSeq: 9, Count: 2, PulledAt: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	lost := catalog.PageState{Key: archive.PageKey(7), SeqAsked: 7, LastSeq: 7, Parts: 1, Damaged: []string{archive.PageKey(7)}}
	if err := pages.FinishPage(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	if err := pages.NotePage(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	waiting, err := pages.PendingPages(t.Context(), 0, 10)
	if err != nil || len(waiting) != 1 || waiting[0].LastSeq != 9 {
		t.Errorf("waiting %+v, %v", waiting, err)
	}
	if s, err := pages.Page(t.Context(), 7); err != nil || s.Archived {
		t.Errorf("state %+v, %v", s, err)
	}
}

// TestPassHole: the cursor passes what is recorded, once.
func TestPassHole(t *testing.T) {
	pages := catalog.New(storetest.NewIndex()).Pages
	cursor, err := pages.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h := archive.ChainHole{From: 0, To: 9}
	next, err := pages.PassHole(t.Context(), cursor, h)
	if err != nil || next.Seq != 9 {
		t.Fatalf("cursor %+v, %v", next, err)
	}
	if _, err := pages.PassHole(t.Context(), cursor, h); !errors.Is(err, store.ErrConflict) {
		t.Error("passed twice from the same place")
	}
	if _, err := pages.PassHole(t.Context(), next, h); err == nil {
		t.Error("passed backwards")
	}
}
