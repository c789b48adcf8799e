package compact_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/store"
	"wecom-archive/shared/transcript"
)

// loseRuns removes all that is derived.
func (w *world) loseRuns(t testing.TB) {
	t.Helper()
	for info := range w.derived.List(t.Context(), "", "") {
		if err := w.derived.Delete(t.Context(), info.Key); err != nil {
			t.Fatal(err)
		}
	}
	w.reader = w.newReader()
}

// TestManySegments: an answer reads so many segments and no more, and says so; who asks
// again gets further, since it is remembered what they hold.
func TestManySegments(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for p := range 400 {
		conversation := "room:many"
		if p%40 == 0 {
			conversation = "room:few"
		}
		w.store(t, uint64(p*100), 0, day0, w.message(0, conversation, day0.Add(time.Duration(p)*time.Minute), day0))
	}
	w.now = day0.AddDate(0, 0, 2)
	if _, err := w.compactor(compact.DefaultLimits()).Run(t.Context(), w.now); err != nil {
		t.Fatal(err)
	}
	w.loseRuns(t)
	q := catalog.PlaceQuery{Conversation: "room:few", Limit: 1000}
	want := seqs(w.want(q))
	for ask, incomplete := range []bool{true, false} {
		part, err := w.reader.Some(t.Context(), q)
		if got := seqs(part.Messages); err != nil || part.Incomplete != incomplete || incomplete == slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("question %d: %v, incomplete %v, %v; want %v", ask, got, part.Incomplete, err, want)
		}
	}
	if part, err := w.reader.Some(t.Context(), catalog.PlaceQuery{Conversation: "room:many", Limit: 10}); err != nil || !part.Incomplete {
		t.Errorf("%d messages, incomplete %v, %v", len(part.Messages), part.Incomplete, err)
	}
}

// TestFallBackReadsAsRunsDo: with another parser, and userids that changed, segments
// answer as the runs did.
func TestFallBackReadsAsRunsDo(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.parser = 2
	w.read = func(raw []byte, msgid string, pulledAt time.Time) archive.Reading {
		r := archive.Reading{ParserVersion: 2, Conversation: "pair:li.na2,wang.wei", FromID: "li.na2", ToIDs: []string{"wang.wei"}, MsgTime: pulledAt, Text: "better"}
		return reading.Apply(nil, r)
	}
	for p := range 3 {
		w.store(t, uint64(p*100), 0, day0, w.message(0, "room:old", day0, day0.Add(time.Duration(p)*time.Minute)))
	}
	if err := w.catalog.People.PutAlias(t.Context(), archive.Alias{Was: "li.na", Is: "li.na2", At: day0}); err != nil {
		t.Fatal(err)
	}
	w.now = day0.AddDate(0, 0, 2)
	w.mustRun(t)
	q := catalog.PlaceQuery{Conversation: "pair:li.na,wang.wei", Limit: 10}
	w.reader = w.newReader()
	before, err := w.reader.Messages(t.Context(), q)
	if err != nil || len(before) != 3 {
		t.Fatalf("%v, %v", seqs(before), err)
	}
	w.loseRuns(t)
	after, err := w.reader.Messages(t.Context(), q)
	if fmt.Sprint(after) != fmt.Sprint(before) || err != nil {
		t.Errorf("%v, %v\nwant %v", after, err, before)
	}
}

// TestIndexDamage: postings that cannot be read, or that point to nothing, cost their own
// messages, and are written down.
func TestIndexDamage(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for p := range 3 {
		w.store(t, uint64(p*100), 0, day0, w.message(0, "room:1", day0.Add(time.Duration(p)*2*time.Hour), day0))
	}
	q := catalog.PlaceQuery{Conversation: "room:1", Limit: 10}
	postings := slices.DeleteFunc(w.items(t, "conversation#room:1"), func(i store.Item) bool { return !strings.HasPrefix(i.Sort, "m#") })
	put := func(item store.Item, value string) {
		item.Value = []byte(value)
		if err := w.catalog.Table.Put(t.Context(), item); err != nil {
			t.Fatal(err)
		}
	}
	put(postings[0], strings.Replace(string(postings[0].Value), "[0,", "[7,", 1))
	w.rot[w.parts[1].key] = store.ErrNotFound
	got, err := w.reader.Messages(t.Context(), q)
	var outcomes []archive.Outcome
	for _, m := range got {
		outcomes = append(outcomes, m.Outcome)
	}
	if want := []archive.Outcome{archive.OutcomeDamaged, archive.OutcomeDamaged, archive.OutcomeOK}; err != nil || !slices.Equal(outcomes, want) {
		t.Errorf("%v, %v", outcomes, err)
	}
	put(postings[2], "{")
	part, err := w.reader.Some(t.Context(), q)
	if err != nil || len(part.Messages) != 2 || !part.Incomplete {
		t.Errorf("%d messages, incomplete %v, %v", len(part.Messages), part.Incomplete, err)
	}
	if any, err := w.reader.Any(t.Context(), "room:1", day0, day0.AddDate(0, 0, 1)); !any || err != nil {
		t.Errorf("any %v, %v", any, err)
	}
	if any, err := w.reader.Any(t.Context(), "room:1", day0.Add(4*time.Hour), day0.AddDate(0, 0, 1)); any || !errors.Is(err, transcript.ErrIncomplete) {
		t.Errorf("any %v, %v", any, err)
	}
	open := w.openFindings(t)
	for _, says := range []string{"index altered " + w.parts[0].key, "archive missing " + w.parts[1].key, "index altered conversation#room:1"} {
		if !strings.Contains(open, says) {
			t.Errorf("%q is not in %q", says, open)
		}
	}
}

// TestSpanGarbled: a month of a conversation whose times cannot be read counts as any
// time, and is noted again.
func TestSpanGarbled(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.fillWorld(t, 6)
	w.now = day0.AddDate(0, 0, 75)
	w.mustRun(t)
	for _, item := range w.items(t, "conversation#room:1") {
		if strings.HasPrefix(item.Sort, "c#") {
			item.Value = []byte("?")
			if err := w.catalog.Table.Put(t.Context(), item); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.checkEverything(t)
	if _, err := w.compactor(tiny).Rebuild(t.Context(), "", w.now); err != nil {
		t.Fatal(err)
	}
	for _, item := range w.items(t, "conversation#room:1") {
		if string(item.Value) == "?" {
			t.Errorf("%s is as it was", item.Sort)
		}
	}
	w.checkEverything(t)
	w.check(t, catalog.PlaceQuery{Conversation: "room:1", Limit: math.MaxInt})
}
