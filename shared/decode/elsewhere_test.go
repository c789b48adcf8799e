package decode_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/store"
)

// alternate stores what came when a page was asked for again, three days later.
func (w *world) alternate(t *testing.T, asked uint64, n int, stem string, envelopes ...envelope) string {
	t.Helper()
	reply, err := json.Marshal(map[string]any{"errcode": 0, "errmsg": "ok", "chatdata": envelopes})
	if err != nil {
		t.Fatal(err)
	}
	h := archive.PageHeader{
		Corp: corpID, SeqAsked: asked, Limit: len(envelopes), FirstSeq: asked + 1, LastSeq: asked + 100, Count: len(envelopes),
		PulledAt: noon.AddDate(0, 0, 3), Run: "r", Alternate: n, Until: asked + 100, Stem: stem,
	}
	stored, err := archive.EncodePage(h, reply)
	if err != nil {
		t.Fatal(err)
	}
	w.put(t, h.Key(), stored)
	return h.Key()
}

// state is what the index says of a page, in words.
func (w *world) state(t *testing.T, asked uint64) string {
	t.Helper()
	s, err := w.catalog.Pages.Page(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s parts %d of %d ok %d %v damaged %d", s.Key, s.Parts, s.Count, s.OK, s.Unreadable, len(s.Damaged))
}

// TestElsewhere: a message that a row has is not stored again, whichever of a page and its
// alternates comes first, and whoever is quicker.
func TestElsewhere(t *testing.T) {
	day := archive.Day(noon)
	all := func(t *testing.T) []envelope {
		return []envelope{seal(t, 0, 1, 1, message(1)), seal(t, 0, 2, 1, message(2)), seal(t, 0, 3, 1, message(3))}
	}
	t.Run("the page first", func(t *testing.T) {
		w := newWorld(t)
		key := w.page(t, 0, all(t)...)
		w.handleWith(t, key, 1)
		again := w.alternate(t, 0, 1, day, all(t)...)
		if got := w.handle(t, again); got != "1:ok 2:bad_message 3:bad_message 2:ok 3:ok 1:elsewhere 2:elsewhere 3:elsewhere" {
			t.Errorf("outcomes %s", got)
		}
		if got := w.state(t, 0); got != key+" parts 3 of 3 ok 3 map[] damaged 0" {
			t.Errorf("state %s", got)
		}
		for i, rows := range w.parts(t, key) {
			for _, r := range rows {
				if r.Outcome == archive.OutcomeElsewhere && (r.Raw != nil || archive.AlternateOf(r.Position) != 1 || archive.Day(r.PulledAt) != day) {
					t.Errorf("part %d: row %+v", i, r)
				}
			}
		}
		if again := w.handle(t, key); again != "1:ok 2:bad_message 3:bad_message 2:ok 3:ok 1:elsewhere 2:elsewhere 3:elsewhere" {
			t.Errorf("handled again: %s", again)
		}
	})
	t.Run("the alternate first", func(t *testing.T) {
		w := newWorld(t)
		w.alternate(t, 0, 1, day, all(t)[1:]...)
		w.handle(t, archive.AlternateKey(0, 1))
		if got := w.state(t, 0); got != archive.AlternateKey(0, 1)+" parts 1 of 2 ok 2 map[] damaged 0" {
			t.Errorf("state %s", got)
		}
		key := w.page(t, 0, all(t)...)
		if got := w.handle(t, key); got != "2:ok 3:ok 1:ok 2:elsewhere 3:elsewhere" {
			t.Errorf("outcomes %s", got)
		}
	})
	t.Run("twice in one reply", func(t *testing.T) {
		w := newWorld(t)
		key := w.page(t, 0, all(t)[0])
		w.handle(t, key)
		w.alternate(t, 0, 1, day, all(t)[0], all(t)[0])
		if got := w.handle(t, archive.AlternateKey(0, 1)); got != "1:ok 1:elsewhere 1:ok" {
			t.Errorf("outcomes %s", got)
		}
	})
	t.Run("in another segment of the hole", func(t *testing.T) {
		w := newWorld(t)
		w.handle(t, w.page(t, 0, all(t)...))
		if err := w.catalog.Journal.PutHole(t.Context(), archive.ChainHole{From: 0, To: 200, Outcome: archive.HoleOpen, At: noon}); err != nil {
			t.Fatal(err)
		}
		w.alternate(t, 1, 1, day, all(t)[1:]...)
		if err := w.archiver().Handle(t.Context(), archive.AlternateKey(1, 1)); err != nil {
			t.Fatal(err)
		}
		for _, r := range w.parts(t, archive.PageKey(1))[0] {
			if r.Outcome != archive.OutcomeElsewhere {
				t.Errorf("seq %d is stored again", r.Seq)
			}
		}
	})
	t.Run("another is quicker", func(t *testing.T) {
		w := newWorld(t)
		key := w.page(t, 0, all(t)...)
		again := w.alternate(t, 0, 1, day, all(t)...)
		slow := w.archiver().Config
		slow.Objects = &overtaken{Objects: w.objects, f: func() { w.handle(t, key) }}
		if err := decode.New(slow).Handle(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		if got := w.handle(t, key); got != "1:ok 2:ok 3:ok 1:elsewhere 2:elsewhere 3:elsewhere" {
			t.Errorf("outcomes %s", got)
		}
	})
}

// TestSurvey: of a page that is gone, what its segment has is indexed; what it lacks is to
// be asked for, and under a number that was not in use.
func TestSurvey(t *testing.T) {
	for name, test := range map[string]struct {
		opens   int // messages of three that could be read
		outcome string
		ask     int
	}{
		"all":  {3, archive.HoleCovered, 0},
		"some": {2, archive.HoleOpen, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			key := w.page(t, 0, seal(t, 0, 1, 1, message(1)), seal(t, 0, 2, 1, message(2)), seal(t, 0, 3, 1, message(3)))
			w.handleWith(t, key, test.opens)
			w.alternate(t, 0, 4, archive.Day(noon), seal(t, 1, 2, 1, "not readable"))
			w.handleWith(t, archive.AlternateKey(0, 4), 0)
			lost := newWorld(t)
			for info, err := range w.objects.List(t.Context(), archive.SegmentsPrefix, "") {
				if err != nil {
					t.Fatal(err)
				}
				body, err := store.ReadObject(t.Context(), w.objects, info.Key)
				if err != nil {
					t.Fatal(err)
				}
				lost.put(t, info.Key, body)
			}
			x := decode.Indexer{
				Corp: corpID, Objects: lost.objects, Log: lost.archiver().Log, Now: func() time.Time { return noon },
				Conversations: lost.catalog.Conversations, Consents: lost.catalog.Consents, Media: lost.catalog.Media, Pages: lost.catalog.Pages,
				Holes: lost.catalog.Journal, Findings: lost.findings(),
			}
			end, _, err := x.Survey(t.Context(), decode.Region{From: 0, To: 3, First: noon, Last: noon, By: "test"})
			if err != nil || end != 3 {
				t.Fatalf("up to %d, %v", end, err)
			}
			h, found, err := lost.catalog.Journal.Hole(t.Context(), 0, 3)
			if err != nil || !found || h.Outcome != test.outcome || len(h.Ask) != test.ask || test.ask > 0 && (h.Ask[0] != catalog.Ask{Stretch: archive.Stretch{To: 3}, Used: 4}) {
				t.Errorf("hole %+v, %v, %v", h, found, err)
			}
			if s, err := lost.catalog.Pages.Page(t.Context(), 0); err != nil || s.OK != test.opens || s.LastSeq != 3 || len(s.Damaged) != 1 {
				t.Errorf("state %+v, %v", s, err)
			}
		})
	}
}
