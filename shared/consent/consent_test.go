package consent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/consent"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/transcript"
)

const conversation = "pair:li.na,wmQx9ZDAAAexampleCust01"

// written is a transcript with one message, and counts who asks.
type written struct {
	at    time.Time
	asked *atomic.Int64
}

func (w written) Messages(_ context.Context, q catalog.PlaceQuery) ([]transcript.Message, error) {
	if !q.Descending || q.Limit > 20 {
		return nil, errors.New("only the last ones are needed")
	}
	w.asked.Add(1)
	m, answer := transcript.Message{}, transcript.Message{}
	m.MsgTime, answer.MsgTime, answer.MsgType = w.at, w.at.Add(time.Hour), "agree" // of somebody else, which is no message
	return []transcript.Message{answer, m}, nil
}

// TestPages: however the pages are cut, within a room too, they have every person once;
// and however many refused in a conversation, one look says whether anybody wrote later.
func TestPages(t *testing.T) {
	cat := catalog.New(storetest.NewIndex())
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	var want []string
	for _, room := range []string{"room:wrA", "room:wrB", "room:wrC"} {
		for i := range 30 {
			f := catalog.ConsentFact{Conversation: room, Person: fmt.Sprintf("wm%02d", i), Status: archive.ConsentAgreed, At: at.Add(time.Duration(i) * time.Minute), Source: catalog.ConsentFromCheck}
			if i%3 == 0 {
				f.Status = archive.ConsentRefused
				want = append(want, fmt.Sprint(room, f.Person, i < 20))
			}
			if err := cat.Consents.PutConsent(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cat.Conversations.PutActive(t.Context(), archive.Reading{Conversation: "room:wrBB", RoomID: "wrBB", ChatKind: "external", FromID: "li.na", MsgTime: at}); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{1, 7, 30, 31, 500} {
		lister := consent.Lister{Consents: cat.Consents, People: cat.People, Transcript: written{at.Add(20 * time.Minute), new(atomic.Int64)}}
		var got []string
		pages := 0
		for after := (consent.Place{}); ; {
			lines, next, err := lister.Page(t.Context(), after, limit, archive.ConsentRefused)
			if err != nil || len(lines) > limit {
				t.Fatalf("%d lines, %v", len(lines), err)
			}
			for _, l := range lines {
				got = append(got, fmt.Sprint(l.Conversation, l.Person, l.MessagesAfter))
			}
			if pages++; next == nil {
				break
			}
			after = *next
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %q\nwant %q", limit, got, want)
		}
		if least := (91 + limit - 1) / limit; pages != least {
			t.Errorf("%d pages of %d, want %d", pages, limit, least)
		}
	}
	counted := written{at, new(atomic.Int64)}
	if _, _, err := (consent.Lister{Consents: cat.Consents, People: cat.People, Transcript: counted}).Page(t.Context(), consent.Place{}, 500, ""); err != nil || counted.asked.Load() != 3 {
		t.Errorf("%d looks at transcripts, %v; want one for each room", counted.asked.Load(), err)
	}
}

// TestMessagesAfter: WeCom tells times of refusals in whole seconds; the message by
// which somebody refuses is none after it.
func TestMessagesAfter(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 300e6, time.UTC)
	for _, tc := range []struct {
		source  string
		since   time.Time
		message time.Time
		after   bool
	}{
		{catalog.ConsentFromMessage, at, at, false},
		{catalog.ConsentFromMessage, at, at.Add(time.Millisecond), true},
		{catalog.ConsentFromCheck, at.Truncate(time.Second), at, false},
		{catalog.ConsentFromCheck, at.Truncate(time.Second), at.Truncate(time.Second).Add(time.Second), true},
	} {
		cat := catalog.New(storetest.NewIndex())
		fact := catalog.ConsentFact{Conversation: conversation, Person: "wmQx9ZDAAAexampleCust01", Status: archive.ConsentRefused, At: tc.since, Source: tc.source}
		if err := cat.Consents.PutConsent(t.Context(), fact); err != nil {
			t.Fatal(err)
		}
		lines, err := consent.Lister{Consents: cat.Consents, People: cat.People, Transcript: written{tc.message, new(atomic.Int64)}}.Of(t.Context(), conversation)
		if err != nil || len(lines) != 1 || lines[0].MessagesAfter != tc.after {
			t.Errorf("%+v: %+v, %v", tc, lines, err)
		}
	}
}

// TestNobodyAsked: of a pair that nobody was asked about the customer is unanswered.
func TestNobodyAsked(t *testing.T) {
	lines := consent.Lines(catalog.ConsentState{Conversation: conversation})
	if len(lines) != 1 || lines[0].Person != "wmQx9ZDAAAexampleCust01" || lines[0].Status != archive.ConsentUnanswered || !lines[0].AskedAt.IsZero() {
		t.Errorf("%+v", lines)
	}
	if lines := consent.Lines(catalog.ConsentState{Conversation: "room:wrA"}); len(lines) != 1 || lines[0].Person != "" {
		t.Errorf("%+v", lines)
	}
}
