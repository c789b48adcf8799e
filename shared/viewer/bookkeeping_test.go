package viewer_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
)

// TestRolesOfLists: who may see what of the lists, and that none of them is a look.
func TestRolesOfLists(t *testing.T) {
	f := newFixture(t)
	f.store(0, row(1, pair, at(0), "the text"))
	health := map[string]int{"": 401, "nothing-token": 403, "operator-token": 200, "reader-token": 200, "auditor-token": 200}
	content := map[string]int{"": 401, "nothing-token": 403, "operator-token": 403, "reader-token": 200, "auditor-token": 200}
	keys := map[string]int{"": 401, "nothing-token": 403, "operator-token": 200, "reader-token": 403, "auditor-token": 200}
	for path, want := range map[string]map[string]int{
		"/v1/people": content, "/v1/people/li.na/conversations": content, "/v1/pages": health, "/v1/quarantine": health,
		"/v1/runs": health, "/v1/gaps": health, "/v1/incidents": health, "/v1/keys": keys,
	} {
		for token, status := range want {
			if w := f.get(token, path); w.Code != status {
				t.Errorf("%s as %q: %d, want %d: %s", path, token, w.Code, status, w.Body)
			} else if strings.Contains(w.Body.String(), "the text") {
				t.Errorf("%s as %q shows content", path, token)
			}
		}
	}
	if n := len(f.looks()); n != 0 {
		t.Errorf("%d looks at lists", n)
	}
}

type idPage struct {
	People        []struct{ ID, Kind string }
	Conversations []struct {
		ID      string
		LastDay string `json:"last_day"`
	}
	NextCursor string `json:"next_cursor"`
}

// TestPeople: everybody who was seen, by kind and by prefix, page by page.
func TestPeople(t *testing.T) {
	f := newFixture(t)
	var rows []archive.Row
	for n := range 25 {
		r := row(int64(n+1), fmt.Sprintf("pair:emp%02d,x", n), at(0), "x")
		r.FromID, r.ToIDs = fmt.Sprintf("emp%02d", n), []string{"wmCUSTOMER-0001", "wbROBOT-000001"}
		rows = append(rows, r)
	}
	f.store(0, rows...)
	var got []string
	path := "/v1/people?limit=4"
	for next := path; ; {
		p := into[idPage](t, f.get("reader-token", next))
		for _, person := range p.People {
			got = append(got, person.ID+" "+person.Kind)
		}
		if p.NextCursor == "" {
			break
		}
		next = path + "&cursor=" + p.NextCursor
	}
	if len(got) != 27 || !slices.IsSorted(got) || got[0] != "emp00 employee" || got[25] != "wbROBOT-000001 robot" || got[26] != "wmCUSTOMER-0001 external" {
		t.Errorf("people %v", got)
	}
	if p := into[idPage](t, f.get("reader-token", "/v1/people?prefix=emp1")); len(p.People) != 10 || p.People[0].ID != "emp10" {
		t.Errorf("with prefix: %+v", p.People)
	}
	if p := into[idPage](t, f.get("reader-token", "/v1/people?kind=external")); len(p.People) != 1 || p.People[0].ID != "wmCUSTOMER-0001" {
		t.Errorf("customers: %+v", p.People)
	}
	refusal(t, f.get("reader-token", "/v1/people?cursor=AAAA"), http.StatusBadRequest)
}

// TestConversationsOfAPerson: the last active first, in whatever case the userid
// is asked for, page by page.
func TestConversationsOfAPerson(t *testing.T) {
	f := newFixture(t)
	for n := range 9 {
		r := row(int64(n+1), fmt.Sprintf("pair:c%d,li.na", n), at(-time.Duration(n%4)*24*time.Hour), "x")
		r.ToIDs = []string{fmt.Sprintf("c%d", n)}
		if n == 5 {
			r.Conversation, r.RoomID = "room:wr5", "wr5"
		}
		f.store(uint64(10*n), r)
	}
	want := []string{"pair:c8,li.na", "pair:c4,li.na", "pair:c0,li.na", "room:wr5", "pair:c1,li.na", "pair:c6,li.na", "pair:c2,li.na", "pair:c7,li.na", "pair:c3,li.na"}
	var got []string
	path := "/v1/people/Li.Na/conversations?limit=2"
	for next := path; ; {
		p := into[idPage](t, f.get("reader-token", next))
		for _, c := range p.Conversations {
			got = append(got, c.ID)
		}
		if p.NextCursor == "" {
			break
		}
		next = path + "&cursor=" + p.NextCursor
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if w := f.get("reader-token", "/v1/people/nobody/conversations"); strings.TrimSpace(w.Body.String()) != `{"conversations":[]}` {
		t.Errorf("nobody: %s", w.Body)
	}
	refusal(t, f.get("reader-token", "/v1/people/other/conversations?cursor="+into[idPage](t, f.get("reader-token", path)).NextCursor), http.StatusBadRequest)
}

// TestMessageBySeq: a message is found by its seq alone; what cannot be read says
// why; each look is recorded before.
func TestMessageBySeq(t *testing.T) {
	f := newFixture(t)
	first, second := row(11, pair, at(0), "first"), row(12, "room:wr", at(time.Minute), "second")
	sealed := archive.Row{Position: 13, Seq: 13, HasSeq: true, MsgID: "m13", PulledAt: start, Outcome: archive.OutcomeUnknownKey}
	f.store(10, first, second, sealed)
	header := archive.PageHeader{SeqAsked: 10, LastSeq: 15, Count: 3, PulledAt: now}
	if err := f.catalog.Pages.NotePage(t.Context(), header); err != nil {
		t.Fatal(err)
	}
	type answer struct {
		Page     string
		Messages []struct {
			Seq                int64
			Conversation, Text string
			Raw                []byte `json:"raw_base64"`
		}
		Unreadable []string
		Waiting    bool
	}
	if a := into[answer](t, f.get("reader-token", "/v1/messages/12")); !a.Waiting || len(a.Messages) != 0 {
		t.Errorf("before the page is archived: %+v", a)
	}
	state := catalog.PageState{Key: archive.PageKey(10), SeqAsked: 10, LastSeq: 15, Count: 3, PulledAt: now, Parts: 1, OK: 2, Unreadable: map[archive.Outcome]int{archive.OutcomeUnknownKey: 1}}
	if err := f.catalog.Pages.FinishPage(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	a := into[answer](t, f.get("reader-token", "/v1/messages/12"))
	if len(a.Messages) != 1 || a.Messages[0].Text != "second" || a.Messages[0].Conversation != "room:wr" || a.Messages[0].Raw != nil || a.Page != archive.PageKey(10) {
		t.Errorf("answer %+v", a)
	}
	looks := f.looks()
	if len(looks) != 1 || looks[0].Conversation != "room:wr" || looks[0].Seqs.First != 12 || looks[0].What != access.WhatMessages || looks[0].Remote != "192.0.2.7" {
		t.Errorf("looks %+v", looks)
	}
	if a := into[answer](t, f.get("reader-token", "/v1/messages/13")); len(a.Messages) != 0 || len(a.Unreadable) != 1 || a.Unreadable[0] != "unknown_key_version" {
		t.Errorf("an unreadable one: %+v", a)
	}
	for _, seq := range []string{"5", "14", "99"} {
		refusal(t, f.get("reader-token", "/v1/messages/"+seq), http.StatusNotFound)
	}
	refusal(t, f.get("reader-token", "/v1/messages/0"), http.StatusUnprocessableEntity)
	refusal(t, f.get("operator-token", "/v1/messages/12"), http.StatusForbidden)
	refusal(t, f.get("reader-token", "/v1/messages/12?raw=true"), http.StatusForbidden)
	if a := into[answer](t, f.get("auditor-token", "/v1/messages/12?raw=true")); string(a.Messages[0].Raw) != string(second.Raw) {
		t.Errorf("raw: %+v", a)
	}
	f.access.err = errors.New("bucket is gone")
	refusal(t, f.get("reader-token", "/v1/messages/12"), http.StatusServiceUnavailable)
}

// TestBookkeeping: pages, quarantine, runs, gaps, incidents and keys, each page by
// page.
func TestBookkeeping(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	for n := range 7 {
		h := archive.PageHeader{SeqAsked: uint64(100 * n), LastSeq: uint64(100*n + 100), Count: 10, PulledAt: at(time.Duration(n) * time.Hour)}
		state := catalog.PageState{Key: archive.PageKey(h.SeqAsked), SeqAsked: h.SeqAsked, LastSeq: h.LastSeq, Count: 10, PulledAt: h.PulledAt, Parts: 1, OK: 9}
		if n%2 == 0 {
			state.Unreadable = map[archive.Outcome]int{archive.OutcomeUnknownKey: 1}
		} else {
			state.Unreadable = map[archive.Outcome]int{archive.OutcomeBadMessage: 1}
		}
		run := archive.Run{ID: fmt.Sprint("run", n), Stage: "puller", StartedAt: h.PulledAt, Stopped: "end"}
		gap := archive.Gap{Since: h.PulledAt, Until: h.PulledAt, Seq: h.SeqAsked}
		incident := archive.Incident{Key: archive.PageKey(h.SeqAsked), Version: "v", Kind: archive.IncidentDeleteMarker, Modified: h.PulledAt}
		if err := errors.Join(f.catalog.Pages.NotePage(ctx, h), f.catalog.Pages.FinishPage(ctx, state), f.catalog.Journal.PutRun(ctx, run), f.catalog.Journal.PutGap(ctx, gap), f.catalog.Journal.PutIncident(ctx, incident)); err != nil {
			t.Fatal(err)
		}
	}
	all := func(path, list, member string) (got []string) {
		for next := path; ; {
			p := into[map[string]any](t, f.get("operator-token", next))
			for _, entry := range p[list].([]any) {
				got = append(got, fmt.Sprint(entry.(map[string]any)[member]))
			}
			cursor, ok := p["next_cursor"].(string)
			if !ok {
				return got
			}
			next = path + "&cursor=" + cursor
		}
	}
	up := []string{"0", "100", "200", "300", "400", "500", "600"}
	down := slices.Clone(up)
	slices.Reverse(down)
	for _, test := range []struct {
		path, list, member string
		want               []string
	}{
		{"/v1/pages?limit=3", "pages", "seq_asked", up},
		{"/v1/quarantine?limit=3", "pages", "seq_asked", up},
		{"/v1/quarantine?limit=2&reason=bad_message", "pages", "seq_asked", []string{"100", "300", "500"}},
		{"/v1/runs?limit=3", "runs", "id", []string{"run6", "run5", "run4", "run3", "run2", "run1", "run0"}},
		{"/v1/gaps?limit=7", "gaps", "seq", down},
		{"/v1/incidents?limit=1", "incidents", "kind", slices.Repeat([]string{"delete_marker"}, 7)},
	} {
		if got := all(test.path, test.list, test.member); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.path, got, test.want)
		}
		refusal(t, f.get("operator-token", test.path+"&cursor=AAAA"), http.StatusBadRequest)
	}
	if p := into[map[string]any](t, f.get("operator-token", "/v1/pages/300")); p["readable"] != 9. || p["key"] != archive.PageKey(300) {
		t.Errorf("page %v", p)
	}
	refusal(t, f.get("operator-token", "/v1/pages/301"), http.StatusNotFound)
	alarms := f.get("operator-token", "/v1/status").Body.String()
	if !strings.Contains(alarms, `"code":"incident"`) {
		t.Errorf("status says nothing of the incidents: %s", alarms)
	}
}

// TestKeys: public halves and what is proved of them, from the index: whoever serves the
// API may not read the records, in which the wrapped halves lie.
func TestKeys(t *testing.T) {
	f := newFixture(t)
	f.must(f.catalog.Keys.SavePublicKey(t.Context(), archive.PublicKey{ID: "first", PublicPEM: "-----BEGIN PUBLIC KEY-----", Fingerprint: "ab", Imported: true, CreatedAt: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}))
	for version := range int64(2) {
		if err := f.catalog.Keys.Bind(t.Context(), archive.KeyBinding{PublicKeyVer: version + 1, Key: "first", MsgID: "m"}); err != nil {
			t.Fatal(err)
		}
	}
	w := f.get("operator-token", "/v1/keys")
	got := into[map[string]any](t, w)
	want := map[string]any{"keys": []any{map[string]any{
		"id": "first", "fingerprint": "ab", "public_pem": "-----BEGIN PUBLIC KEY-----", "imported": true, "created_at": "2026-11-01T00:00:00Z", "versions": []any{1., 2.},
	}}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
