package catalog_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// TestPlacesLikeAPlainList draws conversations, pages in any order and questions
// about them, and compares the index with a plain list of all messages.
func TestPlacesLikeAPlainList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		cat := catalog.New(storetest.NewIndex())
		all := map[string][]archive.Place{}
		for _, page := range drawPages(t) {
			key := archive.SegmentKey(time.UnixMilli(0), page.asked, page.part)
			// Again, as after a crash: it must change nothing.
			for range rapid.IntRange(1, 2).Draw(t, "times") {
				if err := decode.IndexConversationsPeopleRecallsConsents(ctx, cat.Conversations, cat.Consents, key, page.rows); err != nil {
					t.Fatal(err)
				}
			}
			for i, r := range page.rows {
				if r.Readable() {
					all[r.Conversation] = append(all[r.Conversation], archive.Place{Object: key, Row: i, Position: archive.Position{Time: r.MsgTime, Seq: r.Seq, Page: page.asked, Envelope: r.Position}})
				}
			}
		}
		q := catalog.PlaceQuery{
			Conversation: rapid.SampledFrom(conversations).Draw(t, "conversation"),
			Descending:   rapid.Bool().Draw(t, "descending"),
			Limit:        rapid.IntRange(1, 7).Draw(t, "limit"),
		}
		if rapid.Bool().Draw(t, "bounded") {
			q.From, q.To = drawTime(t), drawTime(t)
		}
		want := wantPlaces(all[q.Conversation], q)

		var got []archive.Place
		for {
			places, err := cat.Conversations.Places(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, places...)
			if len(places) < q.Limit {
				break
			}
			after := places[len(places)-1].Position
			q.After = &after
		}
		if !slices.Equal(got, want) {
			t.Fatalf("query %+v\ngot  %v\nwant %v", q, got, want)
		}
	})
}

var conversations = []string{"room:wrA", "pair:a,b", "pair:a,b2", "unparsed"}

type drawnPage struct {
	asked uint64
	part  int
	rows  []archive.Row
}

// drawPages draws segments whose messages lie within some hours, often in the
// same one, with seqs that do not follow the times.
func drawPages(t *rapid.T) []drawnPage {
	var pages []drawnPage
	seq := int64(0)
	for asked := range rapid.IntRange(1, 6).Draw(t, "pages") {
		p := drawnPage{asked: uint64(asked), part: rapid.IntRange(0, 1).Draw(t, "part")}
		for range rapid.IntRange(1, 12).Draw(t, "rows") {
			seq += rapid.Int64Range(0, 2).Draw(t, "gap")
			r := archive.Row{Position: len(p.rows), Seq: seq, HasSeq: true, Outcome: archive.OutcomeOK}
			if rapid.IntRange(0, 9).Draw(t, "unreadable") == 0 {
				r.Outcome = archive.OutcomeUnknownKey
			} else {
				r.Conversation = rapid.SampledFrom(conversations).Draw(t, "of")
				r.MsgTime = drawTime(t)
			}
			p.rows = append(p.rows, r)
		}
		pages = append(pages, p)
	}
	return rapid.Permutation(pages).Draw(t, "order")
}

func drawTime(t *rapid.T) time.Time {
	hour := rapid.Int64Range(0, 3).Draw(t, "hour")
	ms := rapid.SampledFrom([]int64{0, 1, 2, 1_800_000, 3_599_999}).Draw(t, "ms")
	return time.UnixMilli(1_767_000_000_000 + hour*3_600_000 + ms).UTC()
}

func wantPlaces(all []archive.Place, q catalog.PlaceQuery) []archive.Place {
	var want []archive.Place
	for _, p := range all {
		if (q.From.IsZero() || !p.Time.Before(q.From)) && (q.To.IsZero() || p.Time.Before(q.To)) {
			want = append(want, p)
		}
	}
	slices.SortFunc(want, func(a, b archive.Place) int {
		if q.Descending {
			a, b = b, a
		}
		return a.Position.Compare(b.Position)
	})
	return want
}

// TestPlacesOnce: a message that two parts hold is shown once; two messages with
// the same seq and time are both shown.
func TestPlacesOnce(t *testing.T) {
	cat := catalog.New(storetest.NewIndex())
	row := archive.Row{Seq: 5, HasSeq: true, Outcome: archive.OutcomeOK, Reading: archive.Reading{Conversation: "room:r", MsgTime: time.UnixMilli(1)}}
	twin := row
	twin.Position = 1
	for part := range 2 {
		if err := decode.IndexConversationsPeopleRecallsConsents(t.Context(), cat.Conversations, cat.Consents, archive.SegmentKey(time.UnixMilli(0), 1, part), []archive.Row{row, twin}); err != nil {
			t.Fatal(err)
		}
	}
	places, err := cat.Conversations.Places(t.Context(), catalog.PlaceQuery{Conversation: "room:r", Limit: 10})
	if err != nil || len(places) != 2 || places[0].Envelope != 0 || places[1].Envelope != 1 {
		t.Errorf("%v, %v; want both messages once", places, err)
	}
}

// TestScreenCostsTheSame counts what one screen of a conversation asks of the
// index when the conversation is a hundred times as long.
func TestScreenCostsTheSame(t *testing.T) {
	queries := func(days int) int {
		index := &countingIndex{Index: storetest.NewIndex()}
		cat := catalog.New(index)
		for day := range days {
			at := time.UnixMilli(1_700_000_000_000).Add(time.Duration(day) * 24 * time.Hour)
			row := archive.Row{Seq: int64(day + 1), HasSeq: true, Outcome: archive.OutcomeOK, Reading: archive.Reading{Conversation: "room:r", MsgTime: at}}
			if err := decode.IndexConversationsPeopleRecallsConsents(t.Context(), cat.Conversations, cat.Consents, archive.SegmentKey(at, uint64(day), 0), []archive.Row{row}); err != nil {
				t.Fatal(err)
			}
		}
		index.queries = 0
		places, err := cat.Conversations.Places(t.Context(), catalog.PlaceQuery{Conversation: "room:r", Limit: 50, Descending: true})
		if err != nil || len(places) != 50 {
			t.Fatalf("%d places, %v", len(places), err)
		}
		return index.queries
	}
	if short, long := queries(60), queries(6000); short != long {
		t.Errorf("%d queries in a short conversation, %d in a long one", short, long)
	}
}

type countingIndex struct {
	store.Index
	queries int
}

func (x *countingIndex) Query(ctx context.Context, q store.IndexQuery) ([]store.Item, error) {
	x.queries++
	return x.Index.Query(ctx, q)
}

func TestActiveConversations(t *testing.T) {
	catalog := catalog.New(storetest.NewIndex())
	at := time.Date(2026, 11, 23, 23, 59, 59, 0, time.UTC)
	var rows []archive.Row
	var want []string
	for i := range 300 {
		id := fmt.Sprintf("room:wr%03d", i)
		want = append(want, id)
		rows = append(rows, archive.Row{Seq: int64(i + 1), HasSeq: true, Outcome: archive.OutcomeOK, Reading: archive.Reading{Conversation: id, MsgTime: at}})
	}
	rows = append(rows, archive.Row{Seq: 999, HasSeq: true, Outcome: archive.OutcomeOK, Reading: archive.Reading{Conversation: "room:next", MsgTime: at.Add(time.Second)}})
	if err := decode.IndexConversationsPeopleRecallsConsents(t.Context(), catalog.Conversations, catalog.Consents, archive.SegmentKey(at, 0, 0), rows); err != nil {
		t.Fatal(err)
	}
	var got []string
	for after := ""; ; {
		ids, err := catalog.Conversations.ActiveConversations(t.Context(), "2026-11-23", after, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) == 0 {
			break
		}
		got, after = append(got, ids...), ids[len(ids)-1]
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %d ids, want %d, each once and in order", len(got), len(want))
	}
}

// TestPagingCost: a screen costs the same number of queries wherever in the
// conversation the reader is, in both directions.
func TestPagingCost(t *testing.T) {
	index := &countingIndex{Index: storetest.NewIndex()}
	cat := catalog.New(index)
	start := time.Date(2026, 1, 1, 0, 30, 0, 0, time.UTC)
	const hours = 2000
	for hour := range hours {
		at := start.Add(time.Duration(hour) * time.Hour)
		row := archive.Row{Seq: int64(hour + 1), HasSeq: true, Outcome: archive.OutcomeOK, Reading: archive.Reading{Conversation: "room:r", MsgTime: at}}
		mustDo(t, decode.IndexConversationsPeopleRecallsConsents(t.Context(), cat.Conversations, cat.Consents, archive.SegmentKey(at, uint64(hour), 0), []archive.Row{row}))
	}
	for _, descending := range []bool{false, true} {
		q := catalog.PlaceQuery{Conversation: "room:r", Limit: 50, Descending: descending}
		total := 0
		for {
			index.queries = 0
			places, err := cat.Conversations.Places(t.Context(), q)
			mustDo(t, err)
			if index.queries > 1 {
				t.Fatalf("%d queries for the screen after %v", index.queries, q.After)
			}
			if total += len(places); len(places) < q.Limit {
				break
			}
			q.After = &places[len(places)-1].Position
		}
		if total != hours {
			t.Errorf("descending %v: %d messages, want %d", descending, total, hours)
		}
	}
	if _, err := cat.Conversations.Places(t.Context(), catalog.PlaceQuery{Conversation: "room:r"}); err == nil {
		t.Error("a limit of 0 is taken")
	}
}

// TestBusyHour: a page's rows of one hour fill several items of the index, none
// too large for it, and paging through the hour neither skips nor repeats.
func TestBusyHour(t *testing.T) {
	index := storetest.NewIndex()
	cat := catalog.New(index)
	at := time.UnixMilli(253_402_300_799_999).UTC() // the longest time there is
	rows := make([]archive.Row, 9000)
	for i := range rows {
		rows[i] = archive.Row{Seq: math.MaxInt64 - int64(i), HasSeq: true, Outcome: archive.OutcomeOK, Reading: archive.Reading{Conversation: "room:r", MsgTime: at}}
	}
	mustDo(t, decode.IndexConversationsPeopleRecallsConsents(t.Context(), cat.Conversations, cat.Consents, archive.SegmentKey(at, math.MaxUint64, 1), rows))
	q, n := catalog.PlaceQuery{Conversation: "room:r", Limit: 4001, From: at, To: at.Add(time.Millisecond)}, 0
	for {
		places, err := cat.Conversations.Places(t.Context(), q)
		mustDo(t, err)
		for _, p := range places {
			if want := math.MaxInt64 - int64(len(rows)-1-n); p.Seq != want || p.Row != len(rows)-1-n {
				t.Fatalf("place %d is row %d, seq %d", n, p.Row, p.Seq)
			}
			n++
		}
		if len(places) < q.Limit {
			break
		}
		q.After = &places[len(places)-1].Position
	}
	if n != len(rows) {
		t.Errorf("%d places, want %d", n, len(rows))
	}
}
