package viewer_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
)

// learn tells the index what WeCom said of people and rooms at a time.
func (f *fixture) learn(at time.Time, records ...archive.DirectoryRecord) {
	f.tb.Helper()
	for i := range records {
		records[i].At = at
		if records[i].Answer == "" {
			records[i].Answer = archive.Named
		}
	}
	p := archive.DirectoryPart{Corp: "ww1", Run: "run", At: at, Records: records}
	if err := f.catalog.People.ApplyDirectoryPart(f.tb.Context(), archive.DirectoryKey(p), p); err != nil {
		f.tb.Fatal(err)
	}
}

func employee(id, name string) archive.DirectoryRecord {
	return archive.DirectoryRecord{Kind: archive.SubjectEmployee, ID: id, Name: name}
}

func room(id, name string) archive.DirectoryRecord {
	return archive.DirectoryRecord{Kind: archive.SubjectRoom, ID: id, Name: name}
}

type named struct {
	ID     string
	Kind   string
	Name   string
	Now    string `json:"name_now"`
	IDOnly bool   `json:"id_only"`
}

// TestNameOfItsDay: somebody and a room are renamed between two messages; each message
// shows the name of its time, and the name now where that is another.
func TestNameOfItsDay(t *testing.T) {
	f := newFixture(t)
	day := 24 * time.Hour
	f.learn(at(-time.Hour), employee("li.na", "李娜"), room("wrRoom", "旧群"))
	f.learn(at(day), employee("li.na", "李娜(总监)"), room("wrRoom", "新群"), archive.DirectoryRecord{Kind: archive.SubjectEmployee, ID: "wang.wei", Answer: archive.Unknown})
	before, first, after := row(1, "room:wrRoom", at(-2*day), "before anybody asked"), row(2, "room:wrRoom", at(0), "first"), row(3, "room:wrRoom", at(day+time.Minute), "after")
	for _, r := range []*archive.Row{&before, &first, &after} {
		r.RoomID = "wrRoom"
	}
	byWei := row(4, "room:wrRoom", at(day+time.Hour), "somebody without a name")
	byWei.RoomID, byWei.FromID, byWei.ToIDs = "wrRoom", "wang.wei", []string{"li.na"}
	f.store(0, before, first, after, byWei)
	h := archive.PageHeader{SeqAsked: 0, FirstSeq: 1, LastSeq: 4, Count: 4, PulledAt: now}
	f.must(f.catalog.Pages.NotePage(t.Context(), h))
	state := catalog.PageState{Key: archive.PageKey(0), LastSeq: 4, Count: 4, PulledAt: now, Parts: 1, OK: 4}
	f.must(f.catalog.Pages.FinishPage(t.Context(), state))

	type shown struct {
		Seq         int64
		FromName    string `json:"from_name"`
		FromNameNow string `json:"from_name_now"`
		FromIDOnly  bool   `json:"from_id_only"`
		RoomName    string `json:"room_name"`
		RoomNameNow string `json:"room_name_now"`
	}
	want := []shown{
		{1, "李娜", "李娜(总监)", false, "旧群", "新群"},
		{2, "李娜", "李娜(总监)", false, "旧群", "新群"},
		{3, "李娜(总监)", "", false, "新群", ""},
		{4, "", "", true, "新群", ""},
	}
	page := into[struct {
		Messages []shown
		People   []named
	}](t, f.get("reader-token", "/v1/conversations/room:wrRoom/messages"))
	for i, w := range want {
		if len(page.Messages) != len(want) || page.Messages[i] != w {
			t.Fatalf("got  %+v\nwant %+v", page.Messages, want)
		}
		path := fmt.Sprint("/v1/messages/", w.Seq)
		if one := into[struct{ Messages []shown }](t, f.get("reader-token", path)); len(one.Messages) != 1 || one.Messages[0] != w {
			t.Errorf("by its seq: %+v, want %+v", one.Messages, w)
		}
	}
	if p := page.People; len(p) != 2 || p[0] != (named{"li.na", "employee", "李娜", "李娜(总监)", false}) || p[1] != (named{"wang.wei", "employee", "", "", true}) {
		t.Errorf("people: %+v", page.People)
	}
}

// TestTitles: conversations are called as on the day that they are listed for.
func TestTitles(t *testing.T) {
	f := newFixture(t)
	f.learn(at(-time.Hour), employee("li.na", "李娜"), room("wrRoom", "旧群"), archive.DirectoryRecord{Kind: archive.SubjectExternal, ID: "wmCUSTOMER-0001", Name: "王伟"})
	f.learn(at(48*time.Hour), employee("li.na", "李总"), room("wrRoom", "新群"))
	pair := row(1, "pair:li.na,wmCUSTOMER-0001", at(0), "x")
	pair.ToIDs = []string{"wmCUSTOMER-0001"}
	inRoom := row(2, "room:wrRoom", at(0), "x")
	inRoom.RoomID = "wrRoom"
	unknown := row(3, "pair:li.na,zhang.san", at(0), "x")
	unknown.ToIDs = []string{"zhang.san"}
	several := row(4, "multi:00", at(0), "x")
	f.store(0, pair, inRoom, unknown, several)
	type title struct {
		ID     string
		Name   string
		Now    string `json:"name_now"`
		IDOnly bool   `json:"id_only"`
	}
	want := []title{
		{"multi:00", "", "", true},
		{"pair:li.na,wmCUSTOMER-0001", "李娜 · 王伟", "李总 · 王伟", false},
		{"pair:li.na,zhang.san", "李娜 · zhang.san", "李总 · zhang.san", true},
		{"room:wrRoom", "旧群", "新群", false},
	}
	for _, path := range []string{"/v1/conversations?day=2026-11-23", "/v1/people/li.na/conversations"} {
		got := into[struct{ Conversations []title }](t, f.get("reader-token", path)).Conversations
		slices.SortFunc(got, func(a, b title) int { return strings.Compare(a.ID, b.ID) })
		for i := range want {
			if len(got) != len(want) || got[i] != want[i] {
				t.Fatalf("%s: got %+v\nwant %+v", path, got, want)
			}
		}
	}
}

// TestDirectoryLists: people and rooms with all names they had, and what came of
// asking; none of it for who may not read content.
func TestDirectoryLists(t *testing.T) {
	f := newFixture(t)
	inRoom := row(1, "room:wrRoom", at(0), "x")
	inRoom.RoomID, inRoom.ToIDs = "wrRoom", []string{"zhang.san", "wmCUSTOMER-0001"}
	f.store(0, inRoom)
	f.learn(at(0), archive.DirectoryRecord{Kind: archive.SubjectEmployee, ID: "li.na", Name: "李娜", Spelling: "Li.Na", Position: "经理", Status: 1})
	f.learn(at(time.Hour), archive.DirectoryRecord{Kind: archive.SubjectRoom, ID: "wrRoom", Answer: archive.NoApp, Customers: true},
		employee("li.na", "李总"), archive.DirectoryRecord{Kind: archive.SubjectExternal, ID: "wmCUSTOMER-0001", Answer: archive.Unknown})
	type listed struct {
		ID, Name, Answer, Kind string
		IDOnly                 bool `json:"id_only"`
		Customers              bool
		Names                  []catalog.NamePeriod
	}
	people := into[struct{ People []listed }](t, f.get("reader-token", "/v1/people")).People
	if len(people) != 3 || people[0].Name != "李总" || len(people[0].Names) != 2 || people[0].Names[0].Name != "李娜" || people[0].IDOnly ||
		!people[1].IDOnly || people[1].Answer != "unknown" || !people[2].IDOnly || people[2].Answer != "" {
		t.Errorf("people: %+v", people)
	}
	rooms := into[struct{ Rooms []listed }](t, f.get("reader-token", "/v1/rooms")).Rooms
	if len(rooms) != 1 || rooms[0].ID != "wrRoom" || !rooms[0].IDOnly || rooms[0].Answer != "no_app" || !rooms[0].Customers {
		t.Errorf("rooms: %+v", rooms)
	}
	refusal(t, f.get("operator-token", "/v1/rooms"), 403)
	refusal(t, f.get("reader-token", "/v1/rooms?cursor=AAAA"), 400)
}

// TestFindByName: people and rooms are found by any part of any name they had, each
// once, however the pages are cut, and people by the beginning of their ids too.
func TestFindByName(t *testing.T) {
	f := newFixture(t)
	people := []archive.DirectoryRecord{employee("li.na", "李娜"), employee("wang.wei", "王伟"), employee("wang.na", "王娜娜")}
	f.learn(at(0), people...)
	f.learn(at(0), archive.DirectoryRecord{Kind: archive.SubjectExternal, ID: customer, Name: "ＷＡＮＧ 先生"}, room("wrA", "王伟项目群"), room("wrB", "财务"))
	f.learn(at(time.Hour), employee("li.na", "王李娜"))
	ids := []string{"li.na", "wang.wei", "wang.na", customer, "zhang"}
	f.must(f.catalog.Conversations.PutActive(t.Context(), archive.Reading{Conversation: "room:wrA", RoomID: "wrA", FromID: "li.na", ToIDs: ids, MsgTime: at(0)}))
	for q, want := range map[string][]string{
		"王": {"wang.wei", "wang.na", "li.na"}, "娜": {"li.na", "wang.na"}, "李娜": {"li.na"}, "娜娜": {"wang.na"}, "wang": {customer, "wang.na", "wang.wei"},
		"先生": {customer}, "Wang.W": {"wang.wei"}, "wmQx": {customer}, "Zh": {"zhang"}, "没有": nil, "#": nil, "王#": nil,
	} {
		slices.Sort(want)
		for _, limit := range []int{1, 2, 100} {
			var got []string
			for cursor := ""; ; {
				page := into[idPage](t, f.get("reader-token", fmt.Sprintf("/v1/people?q=%s&limit=%d&cursor=%s", url.QueryEscape(q), limit, cursor)))
				for _, p := range page.People {
					got = append(got, p.ID)
				}
				if cursor = page.NextCursor; cursor == "" {
					break
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%q, %d a page: %q, want %q", q, limit, got, want)
			}
		}
	}
	for path, want := range map[string]string{"/v1/rooms?q=项目": `"id":"wrA"`, "/v1/rooms?q=财": `"id":"wrB"`, "/v1/rooms?q=无": `"rooms":[]`} {
		if body := f.get("reader-token", path).Body.String(); !strings.Contains(body, want) || strings.Count(body, `"conversation"`) > 1 {
			t.Errorf("%s: %s", path, body)
		}
	}
	for path, status := range map[string]int{"/v1/people?q=x&prefix=y": 422, "/v1/people?q=x&cursor=y": 400, "/v1/rooms?q=x&cursor=y": 400} {
		if w := f.get("reader-token", path); w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
	}
	if w := f.get("operator-token", "/v1/people?q=x"); w.Code != 403 {
		t.Errorf("operator: %d", w.Code)
	}
}
