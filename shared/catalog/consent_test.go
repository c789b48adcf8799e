package catalog_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

const consentPair = "pair:li.na,wmQx9ZDAAAexampleCust01"

func drawFact(t *rapid.T) catalog.ConsentFact {
	return catalog.ConsentFact{
		Conversation: rapid.SampledFrom([]string{consentPair, "room:wrA"}).Draw(t, "conversation"),
		Person:       rapid.SampledFrom([]string{"wmA", "wmB", "wmC"}).Draw(t, "person"),
		Status:       rapid.SampledFrom([]archive.ConsentStatus{archive.ConsentAgreed, archive.ConsentRefused}).Draw(t, "status"),
		At:           asked.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "hour")) * time.Hour),
		Source:       rapid.SampledFrom([]string{catalog.ConsentFromMessage, catalog.ConsentFromCheck, catalog.ConsentFromCallback}).Draw(t, "source"),
	}
}

// drawCheck is what WeCom says of a person when it is asked, perhaps without since when.
func drawCheck(t *rapid.T) archive.DirectoryPart {
	f := drawFact(t)
	a := archive.Agreement{Person: f.Person, Status: f.Status}
	if rapid.Bool().Draw(t, "dated") {
		a.ChangedAt = f.At
	}
	at := asked.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "asked")) * time.Hour)
	return archive.DirectoryPart{Run: "run", At: at, Records: []archive.DirectoryRecord{{Kind: archive.SubjectConsent, ID: f.Conversation, At: at, Answer: archive.Named, Agreements: []archive.Agreement{a}}}}
}

// factOf is what a check says.
func factOf(p archive.DirectoryPart) catalog.ConsentFact {
	a := p.Records[0].Agreements[0]
	f := catalog.ConsentFact{Conversation: p.Records[0].ID, Person: a.Person, Status: a.Status, At: a.ChangedAt, Source: catalog.ConsentFromCheck}
	if f.At.IsZero() {
		f.At, f.Undated = p.At, true
	}
	return f
}

// standing is what facts of one person mean: in order of time, of those of one time the
// refusal last, and what is told without a time counts if it is another than before it.
func standing(facts []catalog.ConsentFact) (status archive.ConsentStatus, since time.Time) {
	// Of those without a time only the newest four are remembered.
	order := func(a, b catalog.ConsentFact) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Status, b.Status)) }
	undated := slices.SortedFunc(slices.Values(slices.DeleteFunc(slices.Clone(facts), func(f catalog.ConsentFact) bool { return !f.Undated })), order)
	undated = slices.CompactFunc(undated, func(a, b catalog.ConsentFact) bool { return order(a, b) == 0 })
	undated = undated[max(0, len(undated)-4):]
	facts = append(slices.DeleteFunc(slices.Clone(facts), func(f catalog.ConsentFact) bool { return f.Undated }), undated...)
	status = archive.ConsentUnanswered
	for _, undated := range []bool{false, true} {
		for hour := range 6 {
			at := asked.Add(time.Duration(hour) * time.Hour)
			for _, s := range []archive.ConsentStatus{archive.ConsentAgreed, archive.ConsentRefused} {
				there := slices.ContainsFunc(facts, func(f catalog.ConsentFact) bool { return f.Undated == undated && f.At.Equal(at) && f.Status == s })
				beats := at.After(since) || at.Equal(since) && s == archive.ConsentRefused
				if there && beats && !(undated && s == status) {
					status, since = s, at
				}
			}
		}
	}
	return status, since
}

// TestConsentLikeAPlainList: the last answer counts, of two at one time the refusal,
// whatever the order, how often, and with crashes between; the timeline has them all.
func TestConsentLikeAPlainList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		index, faults := storetest.NewIndex(), storetest.NewFaults()
		var facts []catalog.ConsentFact
		var puts []func(*catalog.Catalog) error
		for _, f := range rapid.SliceOfN(rapid.Custom(drawFact), 0, 8).Draw(t, "facts") {
			facts = append(facts, f)
			puts = append(puts, func(c *catalog.Catalog) error { return c.Consents.PutConsent(ctx, f) })
		}
		for _, p := range rapid.SliceOfN(rapid.Custom(drawCheck), 1, 8).Draw(t, "checks") {
			facts = append(facts, factOf(p))
			puts = append(puts, func(c *catalog.Catalog) error { return c.People.ApplyDirectoryPart(ctx, archive.DirectoryKey(p), p) })
		}
		if len(facts) > 1 { // several at once, one of them twice
			some := []catalog.ConsentFact{facts[0], facts[len(facts)-1], facts[0]}
			puts = append(puts, func(c *catalog.Catalog) error { return c.Consents.PutConsent(ctx, some...) })
		}
		for _, put := range append(rapid.Permutation(puts).Draw(t, "order"), puts[0]) {
			faults.CrashAt(rapid.IntRange(1, 4).Draw(t, "crash"), rapid.SampledFrom([]storetest.When{storetest.Before, storetest.After}).Draw(t, "when"))
			if err := put(catalog.New(faults.Index(index))); err != nil && !errors.Is(err, storetest.ErrCrashed) {
				t.Fatal(err)
			}
			faults.Restart()
			if err := put(catalog.New(index)); err != nil {
				t.Fatal(err)
			}
		}
		cat := catalog.New(index)
		type whose struct{ conversation, person string }
		said, all := map[whose][]catalog.ConsentFact{}, map[string]map[string]bool{}
		for _, f := range facts {
			k := whose{f.Conversation, f.Person}
			said[k] = append(said[k], f)
			if all[f.Conversation] == nil {
				all[f.Conversation] = map[string]bool{}
			}
			all[f.Conversation][fmt.Sprint(f)] = true
		}
		states, err := cat.Consents.List(ctx, "", 10)
		if err != nil || len(states) != len(all) {
			t.Fatalf("%+v, %v", states, err)
		}
		for _, s := range states {
			one, err := cat.Consents.ConsentOf(ctx, s.Conversation)
			if err != nil || fmt.Sprint(one.People) != fmt.Sprint(s.People) {
				t.Fatalf("%+v, %v; want %+v", one, err, s)
			}
			for _, p := range s.People {
				k := whose{s.Conversation, p.Person}
				if status, since := standing(said[k]); p.Status != status || !p.Since.Equal(since) || p.Undated != nil {
					t.Fatalf("%s in %s: %+v, want %s since %s of %+v", p.Person, s.Conversation, p, status, since, said[k])
				}
				delete(said, k)
			}
			timeline, err := cat.Consents.ConsentFacts(ctx, s.Conversation, 100)
			if err != nil || len(timeline) != len(all[s.Conversation]) || !slices.IsSortedFunc(timeline, func(a, b catalog.ConsentFact) int { return b.At.Compare(a.At) }) {
				t.Fatalf("%+v, %v; want %v", timeline, err, all[s.Conversation])
			}
		}
		if len(said) > 0 {
			t.Fatalf("nobody knows of %v", said)
		}
	})
}

// TestConsentInMessages: what a segment says, and only of conversations with people
// outside.
func TestConsentInMessages(t *testing.T) {
	ctx := t.Context()
	catalog := catalog.New(storetest.NewIndex())
	row := func(seq int64, kind, chat, conversation, from string) archive.Row {
		return archive.Row{Seq: seq, HasSeq: true, Outcome: archive.OutcomeOK, Reading: archive.Reading{
			Conversation: conversation, FromID: from, ToIDs: []string{"li.na"}, MsgType: kind, ChatKind: chat, MsgTime: asked.Add(time.Duration(seq) * time.Second),
		}}
	}
	rows := []archive.Row{
		row(1, "agree", "external", consentPair, "wmA"), row(2, "disagree", "external", consentPair, "wmA"),
		row(3, "text", "external", "pair:li.na,wmB", "wmB"), row(4, "text", "internal", "pair:li.na,wang.wei", "wang.wei"),
		row(5, "agree", "external", "room:wrA", "wmC"), row(6, "text", "external", "multi:x", "wmC"),
	}
	for range 2 {
		if err := decode.IndexConversationsPeopleRecallsConsents(ctx, catalog.Conversations, catalog.Consents, archive.SegmentKey(asked, 7, 0), rows); err != nil {
			t.Fatal(err)
		}
	}
	states, err := catalog.Consents.List(ctx, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range states {
		line := s.Conversation
		for _, p := range s.People {
			line += fmt.Sprintf(" %s %s", p.Person, p.Status)
		}
		got = append(got, line)
	}
	want := []string{"pair:li.na,wmB", consentPair + " wmA refused", "room:wrA wmC agreed"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if rest, err := catalog.Consents.List(ctx, want[0], 1); err != nil || len(rest) != 1 || rest[0].Conversation != consentPair {
		t.Errorf("the next page: %+v, %v", rest, err)
	}
}

// TestConsentChecked: WeCom's answers count with their own times; what is not
// answered says only when it was asked.
func TestConsentChecked(t *testing.T) {
	ctx := t.Context()
	catalog := catalog.New(storetest.NewIndex())
	check := func(at time.Time, agreements ...archive.Agreement) {
		t.Helper()
		p := archive.DirectoryPart{Run: "run", At: at, Records: []archive.DirectoryRecord{{Kind: archive.SubjectConsent, ID: consentPair, At: at, Answer: archive.Named, Agreements: agreements}}}
		for range 2 {
			if err := catalog.People.ApplyDirectoryPart(ctx, archive.DirectoryKey(p), p); err != nil {
				t.Fatal(err)
			}
		}
	}
	day := 24 * time.Hour
	check(asked, archive.Agreement{Person: "wmA", Status: archive.ConsentUnanswered})
	expect := func(status archive.ConsentStatus, since, checked time.Time, facts int) {
		t.Helper()
		s, err := catalog.Consents.ConsentOf(ctx, consentPair)
		if err != nil || len(s.People) != 1 || s.People[0].Status != status || !s.People[0].Since.Equal(since) || !s.People[0].CheckedAt.Equal(checked) || !s.AskedAt.Equal(checked) {
			t.Errorf("%+v, %v", s, err)
		}
		if all, err := catalog.Consents.ConsentFacts(ctx, consentPair, 10); err != nil || len(all) != facts {
			t.Errorf("%d facts, %v; want %d", len(all), err, facts)
		}
	}
	expect(archive.ConsentUnanswered, time.Time{}, asked, 0)
	check(asked.Add(day), archive.Agreement{Person: "wmA", Status: archive.ConsentAgreed, ChangedAt: asked.Add(time.Hour)})
	expect(archive.ConsentAgreed, asked.Add(time.Hour), asked.Add(day), 1)
	check(asked.Add(2*day), archive.Agreement{Person: "wmA", Status: archive.ConsentAgreed, ChangedAt: asked.Add(time.Hour)})
	expect(archive.ConsentAgreed, asked.Add(time.Hour), asked.Add(2*day), 1)
	check(asked.Add(3*day), archive.Agreement{Person: "wmA", Status: archive.ConsentRefused}) // without a time
	expect(archive.ConsentRefused, asked.Add(3*day), asked.Add(3*day), 2)
	check(asked.Add(4*day), archive.Agreement{Person: "wmA", Status: archive.ConsentRefused})
	expect(archive.ConsentRefused, asked.Add(3*day), asked.Add(4*day), 3)
	check(asked.Add(5*day), archive.Agreement{Person: strings.Repeat("x", 300), Status: archive.ConsentRefused}, archive.Agreement{Status: archive.ConsentRefused})
	if s, err := catalog.Consents.ConsentOf(ctx, consentPair); err != nil || len(s.People) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestMoveConsent: two conversations turn out to be one. Wherever the move breaks off,
// the next one ends it, and all is as if it had been one from the start.
func TestMoveConsent(t *testing.T) {
	const later = "pair:li.na2,wmQx9ZDAAAexampleCust01"
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		index, whole, faults := storetest.NewIndex(), catalog.New(storetest.NewIndex()), storetest.NewFaults()
		cat := catalog.New(index)
		for _, p := range rapid.SliceOfN(rapid.Custom(drawCheck), 1, 8).Draw(t, "checks") {
			r := &p.Records[0]
			r.ID = consentPair
			if err := whole.People.ApplyDirectoryPart(ctx, archive.DirectoryKey(p), p); err != nil {
				t.Fatal(err)
			}
			if r.Agreements[0].Status == archive.ConsentRefused || rapid.Bool().Draw(t, "later") {
				r.ID = later
			}
			if err := cat.People.ApplyDirectoryPart(ctx, archive.DirectoryKey(p), p); err != nil {
				t.Fatal(err)
			}
		}
		faults.CrashAt(rapid.IntRange(1, 9).Draw(t, "crash"), rapid.SampledFrom([]storetest.When{storetest.Before, storetest.After, storetest.Partly}).Draw(t, "when"))
		if err := catalog.New(faults.Index(index)).Consents.MoveConsent(ctx, later, consentPair); err != nil && !errors.Is(err, storetest.ErrCrashed) {
			t.Fatal(err)
		}
		for c, err := range cat.Consents.ConsentSubjects(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if c.ID == later {
				if err := cat.Consents.MoveConsent(ctx, later, consentPair); err != nil {
					t.Fatal(err)
				}
			}
		}
		for name, ask := range map[string]func(*catalog.Catalog) (any, error){
			"states":   func(c *catalog.Catalog) (any, error) { return c.Consents.List(ctx, "", 10) },
			"timeline": func(c *catalog.Catalog) (any, error) { return c.Consents.ConsentFacts(ctx, consentPair, 100) },
			"left":     func(c *catalog.Catalog) (any, error) { return c.Consents.ConsentFacts(ctx, later, 100) },
		} {
			got, err := ask(cat)
			want, werr := ask(whole)
			if err != nil || werr != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s: %v, %v; want %v, %v", name, got, err, want, werr)
			}
		}
	})
}

// writesBefore is an index to which somebody else writes just before the first deletion.
type writesBefore struct {
	store.Index
	write func()
}

func (w *writesBefore) Delete(ctx context.Context, items ...store.Item) error {
	if write := w.write; write != nil {
		w.write = nil
		write()
	}
	return w.Index.Delete(ctx, items...)
}

// TestMoveConsentBesideOthers: what somebody adds to the old conversation while it moves,
// not knowing yet, moves too.
func TestMoveConsentBesideOthers(t *testing.T) {
	const later = "pair:li.na2,wmQx9ZDAAAexampleCust01"
	index := storetest.NewIndex()
	cat := catalog.New(index)
	fact := func(status archive.ConsentStatus, at time.Time) catalog.ConsentFact {
		return catalog.ConsentFact{Conversation: later, Person: "wmA", Status: status, At: at, Source: catalog.ConsentFromMessage}
	}
	put := func(f catalog.ConsentFact) {
		if err := cat.Consents.PutConsent(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	put(fact(archive.ConsentAgreed, asked))
	moving := &writesBefore{index, func() { put(fact(archive.ConsentRefused, asked.Add(time.Hour))) }}
	if err := catalog.New(moving).Consents.MoveConsent(t.Context(), later, consentPair); err != nil {
		t.Fatal(err)
	}
	s, err := cat.Consents.ConsentOf(t.Context(), consentPair)
	if err != nil || len(s.People) != 1 || s.People[0].Status != archive.ConsentRefused {
		t.Errorf("%+v, %v", s, err)
	}
	if facts, err := cat.Consents.ConsentFacts(t.Context(), consentPair, 10); err != nil || len(facts) != 2 {
		t.Errorf("%+v, %v", facts, err)
	}
}
