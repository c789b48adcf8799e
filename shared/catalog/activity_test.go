package catalog_test

import (
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
	"wecom-archive/shared/store/storetest"
)

// TestActivityLikeAPlainList draws segments with talk in pairs and rooms, indexes
// them in any order, again, and with crashes between, and compares every list with
// a plain one.
func TestActivityLikeAPlainList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		index, faults := storetest.NewIndex(), storetest.NewFaults()
		segments := rapid.SliceOfN(rapid.Custom(drawTalk), 1, 6).Draw(t, "segments")
		order := rapid.Permutation(numbers(len(segments))).Draw(t, "order")
		for _, n := range append(order, order[0]) {
			key := archive.SegmentKey(time.UnixMilli(0), uint64(n), 0)
			faults.CrashAt(rapid.IntRange(1, 6).Draw(t, "crash"), rapid.SampledFrom([]storetest.When{storetest.Before, storetest.Partly, storetest.After}).Draw(t, "when"))
			cat := catalog.New(faults.Index(index))
			err := decode.IndexConversationsPeopleRecallsConsents(ctx, cat.Conversations, cat.Consents, key, segments[n])
			if err != nil && !errors.Is(err, storetest.ErrCrashed) {
				t.Fatal(err)
			}
			faults.Restart()
			if err := decode.IndexConversationsPeopleRecallsConsents(ctx, cat.Conversations, cat.Consents, key, segments[n]); err != nil {
				t.Fatal(err)
			}
		}
		catalog := catalog.New(index)
		want := plainActivity(segments)
		for person, talks := range want.talks {
			limit := rapid.IntRange(1, 4).Draw(t, "limit")
			if got := pageTalks(t, catalog, person, limit, nil); !slices.Equal(got, talks) {
				t.Fatalf("%s talked\n%v\nwant\n%v", person, got, talks)
			}
		}
		var people []string
		for after := ""; ; after = people[len(people)-1] {
			more, err := catalog.People.Seen(ctx, "", after, 2)
			if err != nil {
				t.Fatal(err)
			}
			if people = append(people, more...); len(more) < 2 {
				break
			}
		}
		if !slices.Equal(people, want.people) {
			t.Fatalf("people %v, want %v", people, want.people)
		}
		for day, conversations := range want.days {
			if got, err := catalog.Conversations.ActiveConversations(ctx, day, "", 100); err != nil || !slices.Equal(got, conversations) {
				t.Fatalf("%s: %v, %v; want %v", day, got, err, conversations)
			}
		}
	})
}

// pageTalks lists in steps of limit, and calls between after each step.
func pageTalks(t *rapid.T, cat *catalog.Catalog, person string, limit int, between func()) (all []catalog.Talk) {
	for after := (*catalog.Talk)(nil); ; after = &all[len(all)-1] {
		got, err := cat.People.Talks(context.Background(), person, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, got...); len(got) < limit {
			return all
		}
		if between != nil {
			between()
		}
	}
}

// TestTalksWhileTheyGrow: while one pages, other conversations come to life. Those
// that stay quiet are all listed, once.
func TestTalksWhileTheyGrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		catalog := catalog.New(storetest.NewIndex())
		asked := uint64(0)
		say := func(conversation string, day int, people ...string) {
			asked++
			at := activityDay.AddDate(0, 0, day)
			row := archive.Row{Seq: int64(asked), HasSeq: true, Outcome: archive.OutcomeOK, Reading: archive.Reading{Conversation: conversation, FromID: people[0], ToIDs: people[1:], MsgTime: at}}
			if err := decode.IndexConversationsPeopleRecallsConsents(context.Background(), catalog.Conversations, catalog.Consents, archive.SegmentKey(at, asked, 0), []archive.Row{row}); err != nil {
				t.Fatal(err)
			}
		}
		quiet := map[string]bool{}
		for n := range rapid.IntRange(3, 12).Draw(t, "conversations") {
			conversation := fmt.Sprintf("pair:a,c%02d", n)
			if rapid.Bool().Draw(t, "room") {
				conversation = fmt.Sprintf("room:r%02d", n)
			}
			quiet[conversation] = true
			say(conversation, rapid.IntRange(0, 5).Draw(t, "day"), "a", fmt.Sprintf("c%02d", n))
		}
		n := 0
		got := pageTalks(t, catalog, "a", 2, func() {
			n++
			say(fmt.Sprintf("pair:a,new%d", n), rapid.IntRange(0, 9).Draw(t, "new day"), "a", fmt.Sprint("new", n))
		})
		seen := map[string]int{}
		for _, talk := range got {
			seen[talk.Conversation]++
		}
		for conversation := range quiet {
			if seen[conversation] != 1 {
				t.Fatalf("%s is listed %d times in %v", conversation, seen[conversation], got)
			}
		}
	})
}

// TestRoomMembersOnce: a room whose members are known costs nothing for them,
// however many there are.
func TestRoomMembersOnce(t *testing.T) {
	counter := storetest.NewUnitCounter()
	catalog := catalog.New(counter.Index(storetest.NewIndex()))
	var members []string
	for n := range 500 {
		members = append(members, fmt.Sprintf("member%03d", n))
	}
	index := func(asked uint64, from string, to []string) int {
		counter.Reset()
		row := archive.Row{Seq: int64(asked), HasSeq: true, Outcome: archive.OutcomeOK, Reading: archive.Reading{Conversation: "room:wr1", RoomID: "wr1", FromID: from, ToIDs: to, MsgTime: activityDay}}
		if err := decode.IndexConversationsPeopleRecallsConsents(t.Context(), catalog.Conversations, catalog.Consents, archive.SegmentKey(activityDay, asked, 0), []archive.Row{row}); err != nil {
			t.Fatal(err)
		}
		return counter.Units().Writes
	}
	if first := index(1, members[0], members[1:]); first < 500 {
		t.Errorf("%d writes for 500 members", first)
	}
	if again := index(2, members[7], slices.DeleteFunc(slices.Clone(members), func(id string) bool { return id == members[7] })); again != 2 {
		t.Errorf("%d writes for another message in the room, want the posting and the open part alone", again)
	}
	if joined := index(3, members[0], append(members[1:], "newcomer")); joined != 5 { // posting, open part, person, member, set
		t.Errorf("%d writes for one who joined, want 5", joined)
	}
	for _, id := range []string{members[7], members[499], "newcomer"} {
		if talks, err := catalog.People.Talks(t.Context(), id, nil, 10); err != nil || len(talks) != 1 || talks[0].Conversation != "room:wr1" {
			t.Errorf("%s: %v, %v", id, talks, err)
		}
	}
}

var activityDay = time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)

func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func drawTalk(t *rapid.T) []archive.Row {
	var rows []archive.Row
	for n := range rapid.IntRange(1, 8).Draw(t, "messages") {
		r := archive.Row{Position: n, Seq: int64(n + 1), HasSeq: true, Outcome: archive.OutcomeOK}
		r.MsgTime = activityDay.AddDate(0, 0, rapid.IntRange(0, 4).Draw(t, "day"))
		people := rapid.Permutation([]string{"a", "b", "c", "wmCustomerOne"}).Draw(t, "people")
		if rapid.Bool().Draw(t, "room") {
			r.Conversation = "room:" + rapid.SampledFrom([]string{"r1", "r2"}).Draw(t, "which")
			r.FromID, r.ToIDs = people[0], people[1:rapid.IntRange(1, 4).Draw(t, "members")]
		} else {
			r.FromID, r.ToIDs = people[0], people[1:2]
			pair := []string{people[0], people[1]}
			slices.Sort(pair)
			r.Conversation = "pair:" + strings.Join(pair, ",")
		}
		rows = append(rows, r)
	}
	return rows
}

type plain struct {
	talks  map[string][]catalog.Talk
	days   map[string][]string
	people []string
}

func plainActivity(segments [][]archive.Row) plain {
	last, members, days := map[string]string{}, map[string]map[string]bool{}, map[string]map[string]bool{}
	for _, rows := range segments {
		for _, r := range rows {
			day := archive.Day(r.MsgTime)
			last[r.Conversation] = max(last[r.Conversation], day)
			if days[day] == nil {
				days[day] = map[string]bool{}
			}
			days[day][r.Conversation] = true
			for _, id := range append([]string{r.FromID}, r.ToIDs...) {
				if members[id] == nil {
					members[id] = map[string]bool{}
				}
				members[id][r.Conversation] = true
			}
		}
	}
	p := plain{talks: map[string][]catalog.Talk{}, days: map[string][]string{}}
	for id, conversations := range members {
		p.people = append(p.people, id)
		for conversation := range conversations {
			p.talks[id] = append(p.talks[id], catalog.Talk{Day: last[conversation], Conversation: conversation})
		}
		slices.SortFunc(p.talks[id], func(a, b catalog.Talk) int { return strings.Compare(b.Day+b.Conversation, a.Day+a.Conversation) })
	}
	slices.Sort(p.people)
	for day, conversations := range days {
		for conversation := range conversations {
			p.days[day] = append(p.days[day], conversation)
		}
		slices.Sort(p.days[day])
	}
	return p
}
