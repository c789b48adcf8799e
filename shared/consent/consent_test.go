package consent_test

import (
	"context"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/archive/archivetest"
	"wecom-archive/shared/consent"
)

const conversation = "pair:li.na,wmQx9ZDAAAexampleCust01"

// written is a transcript with one message.
type written time.Time

func (w written) Any(_ context.Context, _ string, from, _ time.Time) (bool, error) {
	return !time.Time(w).Before(from), nil
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
		{archive.ConsentFromMessage, at, at, false},
		{archive.ConsentFromMessage, at, at.Add(time.Millisecond), true},
		{archive.ConsentFromCheck, at.Truncate(time.Second), at, false},
		{archive.ConsentFromCheck, at.Truncate(time.Second), at.Truncate(time.Second).Add(time.Second), true},
	} {
		catalog := archive.NewCatalog(archivetest.NewIndex())
		fact := archive.ConsentFact{Conversation: conversation, Person: "wmQx9ZDAAAexampleCust01", Status: archive.ConsentRefused, At: tc.since, Source: tc.source}
		if err := catalog.PutConsent(t.Context(), fact); err != nil {
			t.Fatal(err)
		}
		lines, err := consent.Lister{Catalog: catalog, Transcript: written(tc.message)}.Of(t.Context(), conversation)
		if err != nil || len(lines) != 1 || lines[0].MessagesAfter != tc.after {
			t.Errorf("%+v: %+v, %v", tc, lines, err)
		}
	}
}

// TestNobodyAsked: of a pair that nobody was asked about the customer is unanswered.
func TestNobodyAsked(t *testing.T) {
	lines := consent.Lines(archive.ConsentState{Conversation: conversation})
	if len(lines) != 1 || lines[0].Person != "wmQx9ZDAAAexampleCust01" || lines[0].Status != archive.ConsentUnanswered || !lines[0].AskedAt.IsZero() {
		t.Errorf("%+v", lines)
	}
	if lines := consent.Lines(archive.ConsentState{Conversation: "room:wrA"}); len(lines) != 1 || lines[0].Person != "" {
		t.Errorf("%+v", lines)
	}
}
