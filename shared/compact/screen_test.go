package compact_test

import (
	"fmt"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/transcript"
)

// screenBudget is the requests to S3 that one screen of a conversation may take.
const screenBudget = 12

// TestScreen: a conversation has spoken once a day for three years. Each screen of
// it takes at most screenBudget requests by a process that has just started, and
// no more in an archive of ten times the size.
func TestScreen(t *testing.T) {
	t.Parallel()
	perDay := 5
	if underRace {
		perDay = 2
	}
	small := mostRequests(t, perDay)
	large := mostRequests(t, perDay*10)
	t.Logf("requests for one screen: %d with %d messages a day, %d with %d", small, perDay, large, perDay*10)
	if small > screenBudget || large > small+1 { // a row group's border may fall into the conversation
		t.Errorf("%d requests, and %d in the larger archive; at most %d and no growth", small, large, screenBudget)
	}
}

// mostRequests is what the most expensive screen takes.
func mostRequests(t *testing.T, perDay int) (most int) {
	const screen = 50
	days := 3 * 365
	if underRace {
		days = 120
	}
	w := newWorld()
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	limits := compact.DefaultLimits()
	limits.GroupRows = 128 // as if there were 32 times as many messages
	for day := range days {
		pulled := start.AddDate(0, 0, day).Add(20 * time.Hour)
		rows := make([]archive.Row, 0, perDay+1)
		for i := range perDay {
			// Pairs among 1,000 people, and the one that is looked at in their middle.
			n := (day*7919 + i*104729) % 500000
			rows = append(rows, w.message(i, fmt.Sprintf("pair:u%03d,u%03d", n%1000, n/1000), pulled.Add(-time.Duration(i)*time.Minute), pulled))
		}
		rows = append(rows, w.message(perDay, "pair:u500,u501", pulled, pulled))
		w.store(t, uint64(day*1000000), 0, pulled, rows...)
		w.messages = w.messages[:0] // counted only
		// Daily in the last two months, as it is run; before, once a month.
		if w.now = pulled.Add(time.Hour); day >= days-50 || pulled.Day() == 2 {
			if _, err := w.compactor(limits).Run(t.Context(), w.now); err != nil {
				t.Fatal(err)
			}
		}
		w.parts = w.parts[:0]
	}
	if n := w.tail(); n != 0 {
		t.Fatalf("%d postings are left", n)
	}
	counter := storetest.NewRequestCounter()
	for _, descending := range []bool{true, false} {
		q := catalog.PlaceQuery{Conversation: "pair:u500,u501", Descending: descending, Limit: screen + 1}
		total := 0
		for {
			fresh := transcript.New(transcript.Config{
				Objects: counter.Objects(w.objects), Derived: counter.Derived(w.derived),
				Conversations: w.catalog.Conversations, Pages: w.catalog.Pages, Compactions: compaction.NewIndex(w.catalog.Table),
			})
			counter.Forget()
			counter.Reset()
			got, err := fresh.Messages(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, counter.Count().Total())
			if total += min(len(got), screen); len(got) <= screen {
				break
			}
			q.After = &got[screen-1].Place.Position
		}
		if total < days {
			t.Fatalf("%d messages of %d days", total, days)
		}
	}
	return most
}
