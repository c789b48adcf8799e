package capture_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom/wecomtest"
)

// holed is a world of three pages whose second one is gone, with a new index that has
// passed the hole; since the company said so much in the last hour, WeCom has all of it.
func holed(t *testing.T) (w *world, from, to uint64) {
	t.Helper()
	w = newWorld(60)
	w.mustPull(t)
	from, to = w.stream.seqs[19], w.stream.seqs[39]
	objects := storetest.NewObjects()
	for info, err := range w.objects.List(t.Context(), archive.PagesPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := store.ReadObject(t.Context(), w.objects, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		if info.Key == archive.PageKey(from) {
			continue
		}
		if err := objects.PutIfAbsent(t.Context(), info.Key, bytes.NewReader(body)); err != nil {
			t.Fatal(err)
		}
	}
	w.objects, w.index, w.queue = objects, storetest.NewIndex(), &recorder{}
	w.catalog = catalog.New(w.index)
	w.stream.asked, w.stream.limits = nil, nil
	w.mustPull(t)
	holes, err := w.catalog.Journal.OpenHoles(t.Context(), 10)
	if err != nil || len(holes) != 1 || holes[0].From != from || holes[0].To != to || holes[0].Examined {
		t.Fatalf("holes %+v, %v", holes, err)
	}
	if !slices.Contains(w.queue.keys, archive.PageKey(from)) {
		t.Fatalf("the archiver was asked for %q, and not what segments hold", w.queue.keys)
	}
	if slices.Contains(w.stream.asked, from) {
		t.Fatalf("WeCom was asked for what comes after %v before anybody looked", w.stream.asked)
	}
	ask := []catalog.Ask{{Stretch: archive.Stretch{From: from, To: to}}}
	if err := w.catalog.Journal.NoteExamined(t.Context(), from, to, ask, morning, morning); err != nil {
		t.Fatal(err)
	}
	w.stream.asked, w.stream.limits = nil, nil
	return w, from, to
}

func (w *world) alternates(t *testing.T) (headers []archive.PageHeader) {
	t.Helper()
	for info, err := range w.objects.List(t.Context(), archive.PagesPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		if _, n, ok := archive.ParseAnyPageKey(info.Key); !ok || n == 0 {
			continue
		}
		stored, err := store.ReadObject(t.Context(), w.objects, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		page, err := archive.DecodePage(stored)
		if err != nil || page.Header.Key() != info.Key {
			t.Fatalf("%s: %+v, %v", info.Key, page.Header, err)
		}
		headers = append(headers, page.Header)
	}
	return headers
}

func (w *world) hole(t *testing.T, from, to uint64) catalog.Hole {
	t.Helper()
	h, found, err := w.catalog.Journal.Hole(t.Context(), from, to)
	if err != nil || !found {
		t.Fatalf("hole %d to %d: %v, %v", from, to, found, err)
	}
	return h
}

// TestFill: exactly the stretch is asked for, twice, and what came is stored beside the
// place of the page; the cursor stands where it stood.
func TestFill(t *testing.T) {
	w, from, to := holed(t)
	before, err := w.catalog.Pages.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.mustPull(t)
	got := w.alternates(t)
	if len(got) != 1 || got[0].SeqAsked != from || got[0].Alternate != 1 || got[0].LastSeq != to || got[0].Until != to || got[0].Count != 20 || got[0].Stem != archive.Day(morning) {
		t.Fatalf("alternates %+v", got)
	}
	if h := w.hole(t, from, to); h.Outcome != archive.HoleFilled || len(h.Lost) > 0 {
		t.Errorf("hole %+v", h)
	}
	if cursor, err := w.catalog.Pages.Cursor(t.Context()); err != nil || cursor != before {
		t.Errorf("cursor %+v, before %+v, %v", cursor, before, err)
	}
	if fmt.Sprint(w.stream.asked[:2]) != fmt.Sprint([]uint64{from, from}) || fmt.Sprint(w.stream.limits[:2]) != "[20 20]" {
		t.Errorf("asked %v, at most %v", w.stream.asked, w.stream.limits)
	}
	w.stream.asked = nil
	if w.mustPull(t); slices.Contains(w.stream.asked, from) {
		t.Error("what is filled was asked for again")
	}
}

// TestFillOnlyWhatIsMissing: of an answer that goes on behind the hole, only what lies in
// it is asked for and stored.
func TestFillOnlyWhatIsMissing(t *testing.T) {
	w, from, to := holed(t)
	middle := w.stream.seqs[24]
	ask := []catalog.Ask{{Stretch: archive.Stretch{From: from, To: middle}, Used: 3}}
	if err := w.catalog.Journal.NoteExamined(t.Context(), from, to, ask, morning, morning); err != nil {
		t.Fatal(err)
	}
	w.mustPull(t)
	if got := w.alternates(t); len(got) != 1 || got[0].Alternate != 4 || got[0].LastSeq != middle || got[0].Until != middle || got[0].Count != 5 || got[0].Limit != 5 {
		t.Fatalf("alternates %+v", got)
	}
}

// TestFillLost: what WeCom does not have any more is lost, which its later messages show;
// an empty answer shows nothing, since an archive that is switched off looks the same.
func TestFillLost(t *testing.T) {
	for name, test := range map[string]struct {
		seqs    func([]uint64) []uint64 // that WeCom still has
		outcome string
		lost    func(seqs []uint64) []archive.Stretch
		stored  int
	}{
		"all of it":     {func(s []uint64) []uint64 { return s[45:] }, archive.HoleLost, func(s []uint64) []archive.Stretch { return []archive.Stretch{{From: s[19], To: s[39]}} }, 0},
		"its beginning": {func(s []uint64) []uint64 { return s[30:] }, archive.HoleLost, func(s []uint64) []archive.Stretch { return []archive.Stretch{{From: s[19], To: s[30] - 1}} }, 1},
		"nobody knows":  {func([]uint64) []uint64 { return nil }, archive.HoleOpen, func([]uint64) []archive.Stretch { return nil }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w, from, to := holed(t)
			all := w.stream.seqs
			w.stream.seqs = test.seqs(all)
			w.advance(5*24*time.Hour + time.Hour)
			w.mustPull(t)
			if h := w.hole(t, from, to); h.Outcome != test.outcome || !slices.Equal(h.Lost, test.lost(all)) {
				t.Errorf("hole %+v, want lost %v", h, test.lost(all))
			}
			if got := w.alternates(t); len(got) != test.stored {
				t.Errorf("alternates %+v", got)
			}
		})
	}
}

// TestFillWavers: an answer that is another one when it is asked for again is not stored.
func TestFillWavers(t *testing.T) {
	w, from, to := holed(t)
	waver := func(asked uint64, limit int, reply []byte) ([]byte, error) {
		if asked == from {
			return bytes.Replace(reply, []byte(`"msgid":"m`), fmt.Appendf(nil, `"msgid":"%dm`, len(w.stream.asked)), 1), nil
		}
		return reply, nil
	}
	w.stream.fail(60, waver)
	if _, err := w.pull(t); err == nil {
		t.Error("nobody is told")
	}
	if got := w.alternates(t); len(got) > 0 || w.hole(t, from, to).Outcome != archive.HoleOpen {
		t.Errorf("alternates %+v, hole %+v", got, w.hole(t, from, to))
	}
	w.stream.faults = nil
	w.mustPull(t)
	if got := w.alternates(t); len(got) != 1 || got[0].LastSeq != to {
		t.Errorf("alternates %+v", got)
	}
}

// TestFillShuffled: an answer in which what is missing stands behind what is not is not
// stored: just the missing cannot be asked for.
func TestFillShuffled(t *testing.T) {
	w, from, to := holed(t)
	middle := w.stream.seqs[24]
	ask := []catalog.Ask{{Stretch: archive.Stretch{From: from, To: middle}}}
	if err := w.catalog.Journal.NoteExamined(t.Context(), from, to, ask, morning, morning); err != nil {
		t.Fatal(err)
	}
	w.stream.fail(60, func(asked uint64, limit int, reply []byte) ([]byte, error) {
		if asked != from {
			return reply, nil
		}
		var doc struct {
			Errcode  int               `json:"errcode"`
			Chatdata []json.RawMessage `json:"chatdata"`
		}
		if err := json.Unmarshal(reply, &doc); err != nil {
			return nil, err
		}
		slices.Reverse(doc.Chatdata)
		return json.Marshal(doc)
	})
	if _, err := w.pull(t); err == nil {
		t.Error("nobody is told")
	}
	if got := w.alternates(t); len(got) > 0 {
		t.Errorf("alternates %+v", got)
	}
}

// TestFillRefused: a smaller answer is asked for if WeCom wants that, in as many alternates
// as it takes.
func TestFillRefused(t *testing.T) {
	w, from, to := holed(t)
	w.stream.fail(100, wecomtest.TooLarge(7))
	w.mustPull(t)
	at := from
	for _, h := range w.alternates(t) {
		if h.SeqAsked != at || h.Count > 7 || h.Alternate != 1 {
			t.Errorf("alternate %+v, want one asked after %d", h, at)
		}
		at = h.Until
	}
	if at != to || w.hole(t, from, to).Outcome != archive.HoleFilled {
		t.Errorf("filled up to %d of %d: %+v", at, to, w.hole(t, from, to))
	}
}
