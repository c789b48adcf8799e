package pipeline_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/transcript"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

// TestAlias: WeCom changes an employee's userid in the midst. When somebody says so,
// what was archived under the new one joins the conversations of the first, and what
// comes later goes there at once; no message is lost or found twice, and all of it can
// be made again from the objects.
func TestAlias(t *testing.T) {
	w := newWorld(t, 240, 10, func(c *wecomtest.Config) {
		c.Employees, c.Customers = 4, 4
		c.Extents = []wecomtest.Extent{
			{Count: 120, From: start.Add(-72 * time.Hour), To: start.Add(-time.Hour)},
			{Count: 120, From: start.Add(2 * time.Hour), To: start.Add(20 * time.Hour)},
		}
	})
	w.boot(nil).mustFinish(t)
	cat := catalog.New(w.index)
	employee := busiest(t, w.corp)
	before := conversationsOf(t, w, employee)
	if before == 0 {
		t.Fatalf("%s talks to nobody", employee)
	}

	const was = "first.userid"
	refusal := refuse(t, w, employee)
	alias := archive.Alias{Was: was, Is: employee, At: w.Now(), Who: "me"}
	if err := catalog.SayAlias(t.Context(), w.objects, cat.People, corpID, alias); err != nil {
		t.Fatal(err)
	}
	if err := catalog.SayAlias(t.Context(), w.objects, cat.People, corpID, archive.Alias{Was: employee, Is: was, At: w.Now()}); !errors.Is(err, catalog.ErrAlias) {
		t.Errorf("the contrary: %v", err)
	}
	report := w.reparse(t, reading.Read, wecom.ParserVersion)
	if report.Moved == 0 || report.Removed == 0 {
		t.Errorf("%+v", report)
	}
	if left := conversationsOf(t, w, employee); left != 0 {
		t.Errorf("%d messages are left in conversations of the new userid", left)
	}
	if moved := conversationsOf(t, w, was); moved != before {
		t.Errorf("%d messages are in conversations of the first userid, want %d", moved, before)
	}
	refusal(t, was)
	w.advance(21 * time.Hour)
	w.boot(nil).mustFinish(t)
	if left, moved := conversationsOf(t, w, employee), conversationsOf(t, w, was); left != 0 || moved <= before {
		t.Errorf("later messages: %d under the new userid, %d under the first, %d before", left, moved, before)
	}
	talks, err := cat.People.Talks(t.Context(), employee, nil, 100)
	if err != nil || !slices.ContainsFunc(talks, func(t catalog.Talk) bool { return strings.Contains(t.Conversation, was) }) {
		t.Errorf("whoever looks for the new userid finds %v, %v", talks, err)
	}
	// A page that came once more lists its old conversations, empty, until:
	w.reparse(t, reading.Read, wecom.ParserVersion)
	want := w.apiAnswers(t)
	w.index, w.derived = storetest.NewIndex(), storetest.NewDerived()
	w.reindex(t, false)
	refusal(t, was)
	w.reparse(t, reading.Read, wecom.ParserVersion)
	got := w.apiAnswers(t)
	delete(want, "/v1/status") // it named the seats, which WeCom says
	delete(got, "/v1/status")
	wantSameAnswers(t, got, want)
}

// refuse lets WeCom say, while it is asked under a userid, that a customer of that
// employee refused. The returned function demands that this is known, and known once,
// under another userid.
func refuse(t *testing.T, w *world, userid string) func(t *testing.T, was string) {
	t.Helper()
	cat := catalog.New(w.index)
	var pair []chat.Participant
	for c, err := range cat.Consents.ConsentSubjects(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if p := chat.PairOf(c.ID); pair == nil && slices.ContainsFunc(p, func(p chat.Participant) bool { return p.ID == userid }) {
			pair = p
		}
	}
	if len(pair) != 2 {
		t.Fatalf("%s talks to nobody outside", userid)
	}
	customer := pair[0]
	if customer.ID == userid {
		customer = pair[1]
	}
	at := w.Now().Truncate(time.Millisecond)
	part := archive.DirectoryPart{Corp: corpID, Run: "run", At: at, Records: []archive.DirectoryRecord{{
		Kind: archive.SubjectConsent, ID: chat.ConversationOf("", pair...), At: at, Answer: archive.Named,
		Agreements: []archive.Agreement{{Person: customer.ID, Status: archive.ConsentRefused, ChangedAt: at}},
	}}}
	if _, err := archive.PutDirectoryPart(t.Context(), w.objects, part); err != nil {
		t.Fatal(err)
	}
	if err := cat.People.ApplyDirectoryPart(t.Context(), archive.DirectoryKey(part), part); err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T, was string) {
		t.Helper()
		catalog := catalog.New(w.index)
		states, err := catalog.Consents.List(t.Context(), "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		var of []string
		for _, s := range states {
			for _, p := range s.People {
				if p.Person == customer.ID && p.Status == archive.ConsentRefused {
					of = append(of, s.Conversation)
				}
			}
			if slices.ContainsFunc(chat.PairOf(s.Conversation), func(p chat.Participant) bool { return p.ID == userid }) {
				t.Errorf("consent in %s stays apart", s.Conversation)
			}
		}
		want := chat.ConversationOf("", customer, chat.Participant{ID: was, Kind: chat.Employee})
		if !slices.Equal(of, []string{want}) {
			t.Errorf("refusals in %q, want %q", of, want)
		}
		if facts, err := catalog.Consents.ConsentFacts(t.Context(), want, 10); err != nil || len(facts) == 0 {
			t.Errorf("the timeline: %v, %v", facts, err)
		}
	}
}

// busiest is the employee in the most pairs.
func busiest(t *testing.T, corp *wecomtest.Corp) (id string) {
	t.Helper()
	count := map[string]int{}
	for i := range corp.Len() {
		said, err := corp.Served(i)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range chat.PairOf(reading.Read(said.Raw, "", start).Conversation) {
			if p.Kind == chat.Employee {
				count[p.ID]++
			}
		}
	}
	for p, n := range count {
		if n > count[id] || n == count[id] && p < id {
			id = p
		}
	}
	return id
}

// conversationsOf counts the messages in the pairs of a userid that are listed.
func conversationsOf(t *testing.T, w *world, userid string) (messages int) {
	t.Helper()
	cat := catalog.New(w.index)
	transcripts := transcript.New(transcript.Config{
		Objects: w.objects, Derived: w.derived,
		Conversations: cat.Conversations, Pages: cat.Pages, Compactions: compaction.NewIndex(cat.Table),
	})
	seen := map[string]bool{}
	for back := range 10 {
		conversations, err := cat.Conversations.ActiveConversations(t.Context(), archive.Day(w.Now().AddDate(0, 0, -back)), "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range conversations {
			if seen[c] || !slices.ContainsFunc(chat.PairOf(c), func(p chat.Participant) bool { return p.ID == userid }) {
				continue
			}
			seen[c] = true
			found, err := transcripts.Messages(t.Context(), catalog.PlaceQuery{Conversation: c, Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			messages += len(found)
		}
	}
	return messages
}
