package viewer_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/wecom"
)

const pair = "pair:li.na,wang.wei"

func at(d time.Duration) time.Time { return start.Add(d) }

func TestMessage(t *testing.T) {
	f := newFixture(t)
	r := row(7, pair, at(1500*time.Millisecond), "你好 <b>")
	r.RoomID, r.RefMsgID = "wrRoom", "m1"
	r.Media = []archive.MediaRef{
		{Path: "image", Kind: "image", Size: 12, MD5: "aa", FileIDSHA256: "bb"},
		{Path: "item.1", Kind: "file", Name: "报价.pdf", Size: -1, FileIDSHA256: "cc"},
	}
	other := row(5, "room:other", at(0), "elsewhere")
	unreadable := archive.Row{Position: 9, Seq: 9, HasSeq: true, MsgID: "m9", PublicKeyVer: 4, PulledAt: start, Outcome: archive.OutcomeUnknownKey}
	key := f.store(4, r, other, unreadable)

	got := into[map[string]any](t, f.get("reader-token", messagesPath(pair)))
	want := map[string]any{"messages": []any{map[string]any{
		"seq": 7., "msgid": "m7", "time": "2026-11-23T08:00:01.500Z", "time_source": "msgtime", "action": "send", "type": "text",
		"from": "li.na", "from_id_only": true, "from_kind": "employee", "to": []any{"wang.wei"}, "room": "wrRoom", "chat": "internal", "ref": "m1", "text": "你好 <b>",
		"media": []any{
			map[string]any{"path": "image", "kind": "image", "size": 12., "md5": "aa"},
			map[string]any{"path": "item.1", "kind": "file", "name": "报价.pdf"},
		},
		"parser_version": float64(wecom.ParserVersion), "publickey_ver": 3., "raw_sha256": r.RawSHA256, "segment": key, "row": 1., "page": archive.PageKey(4),
	}}, "people": []any{
		map[string]any{"id": "li.na", "kind": "employee", "id_only": true}, map[string]any{"id": "wang.wei", "kind": "employee", "id_only": true},
	}, "complete": true}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestMessagesWithoutMembers(t *testing.T) {
	f := newFixture(t)
	r := row(1, "unparsed", at(0), "")
	r.ToIDs, r.Text, r.PublicKeyVer = nil, "", -1
	setRaw(&r, []byte{})
	f.store(0, r)
	w := f.get("auditor-token", messagesPath("unparsed", "raw", "true"))
	for _, part := range []string{`"to":[]`, `"media":[]`, `"raw_base64":""`} {
		if !strings.Contains(w.Body.String(), part) {
			t.Errorf("no %s in %s", part, w.Body)
		}
	}
	if strings.Contains(w.Body.String(), "publickey_ver") {
		t.Errorf("an unknown publickey_ver shows: %s", w.Body)
	}
	w = f.get("reader-token", messagesPath("nobody:knows this"))
	if body := strings.TrimSpace(w.Body.String()); w.Code != 200 || body != `{"messages":[],"people":[],"complete":true}` {
		t.Errorf("unknown conversation: %d %s", w.Code, body)
	}
}

func TestRaw(t *testing.T) {
	f := newFixture(t)
	r := row(1, pair, at(0), "x")
	setRaw(&r, []byte("{\"a\":\"\x01\xff\",\"sdkfileid\":\"secret-file-id\"}"))
	f.store(0, r)

	w := f.get("auditor-token", messagesPath(pair, "raw", "true"))
	got := into[page](t, w).Messages[0]
	if !bytes.Equal(*got.Raw, r.Raw) {
		t.Errorf("raw %q, want %q", *got.Raw, r.Raw)
	}
	if f.looks()[0].What != access.WhatMessagesRaw {
		t.Errorf("look %+v", f.looks()[0])
	}
	p := refusal(t, f.get("reader-token", messagesPath(pair, "raw", "true")), 403)
	if !strings.Contains(p.Detail, "auditor") {
		t.Errorf("detail %q", p.Detail)
	}
	for _, path := range []string{messagesPath(pair), messagesPath(pair, "raw", "false")} {
		w := f.get("auditor-token", path)
		if into[page](t, w).Messages[0].Raw != nil || strings.Contains(w.Body.String(), "secret-file-id") {
			t.Errorf("raw shows without being asked for: %s", w.Body)
		}
	}
}

func TestConversationIDsInPaths(t *testing.T) {
	ids := []string{
		pair, "room:wrX/../../v1/status", "pair:a%2Cb,c%3Ad%2Fe%20f%25", "pair:zz@x.y_-~,%E5%BC%A0", "room:张三 的群/%2F?a=b#c;d&e", "..", "room:a//b/",
	}
	f := newFixture(t)
	var rows []archive.Row
	for i, id := range ids {
		rows = append(rows, row(int64(i+1), id, at(0), id))
	}
	f.store(0, rows...)
	server := httptest.NewServer(f.handler) // with a real client: it is the mux that unescapes
	defer server.Close()
	for i, id := range ids {
		path := messagesPath(id)
		if id == ".." {
			path = strings.Replace(path, "..", "%2E%2E", 1)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer reader-token")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		w.Code = resp.StatusCode
		if _, err := w.Body.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := into[page](t, w); !slices.Equal(got.seqs(), []int64{int64(i + 1)}) || got.Messages[0].Text != id {
			t.Errorf("%s: got %v", id, got)
		}
	}
}

func TestMessageBounds(t *testing.T) {
	f := newFixture(t)
	for i := range 5 {
		f.store(uint64(i), row(int64(i+1), pair, at(time.Duration(i)*time.Second), "x"))
	}
	ms := func(d time.Duration) string { return fmt.Sprint(at(d).UnixMilli()) }
	tests := []struct {
		from, to string
		want     []int64
	}{
		{"", "", []int64{1, 2, 3, 4, 5}},
		{"2026-11-23T08:00:02Z", "", []int64{3, 4, 5}},
		{"", "2026-11-23T08:00:02Z", []int64{1, 2}},
		{"2026-11-23T16:00:01+08:00", "2026-11-23T16:00:03.000+08:00", []int64{2, 3}},
		{ms(time.Second), ms(3 * time.Second), []int64{2, 3}},
		{"2026-11-23T08:00:01.001Z", ms(3*time.Second + time.Millisecond), []int64{3, 4}},
		{"0", "1", nil},
		{"2027-01-01T00:00:00Z", "", nil},
	}
	for _, tt := range tests {
		for _, order := range []string{"asc", "desc"} {
			got := into[page](t, f.get("reader-token", messagesPath(pair, "from", tt.from, "to", tt.to, "order", order))).seqs()
			want := slices.Clone(tt.want)
			if order == "desc" {
				slices.Reverse(want)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s to %s %s: got %v, want %v", tt.from, tt.to, order, got, want)
			}
		}
	}
}

func TestBadParameters(t *testing.T) {
	f := newFixture(t)
	f.store(0, row(1, pair, at(0), "a"), row(2, pair, at(1), "b"))
	cursor := into[page](t, f.get("reader-token", messagesPath(pair, "limit", "1", "from", "1000"))).NextCursor
	day := "/v1/conversations?day=2026-11-23"
	tests := []struct {
		path, where, detail string
		status              int
	}{
		{messagesPath(pair, "limit", "0"), "query.limit", "", 422},
		{messagesPath(pair, "limit", "201"), "query.limit", "", 422},
		{messagesPath(pair, "limit", "many"), "query.limit", "", 422},
		{messagesPath(pair, "order", "up"), "query.order", "", 422},
		{messagesPath(pair, "form", "1"), "query.form", "", 422},
		{messagesPath(pair, "from", "yesterday"), "query.from", "2026-11-23T08:00:00Z", 422},
		{messagesPath(pair, "to", "2026-11-23"), "query.to", "2026-11-23T08:00:00Z", 422},
		{messagesPath(pair, "to", "2026-11-23T08:00:00 08:00"), "query.to", "%2B", 422},
		{messagesPath(pair, "from", "-1"), "query.from", "1970", 422},
		{messagesPath(pair, "to", "0001-01-01T00:00:00Z"), "query.to", "1970", 422},
		{messagesPath(pair, "from", "9223372036854775807"), "query.from", "9999", 422},
		{messagesPath(pair, "from", "2000", "to", "2000"), "query.to", "after from", 422},
		{"/v1/conversations/%FF/messages", "path.id", "UTF-8", 422},
		{messagesPath(strings.Repeat("长", 400)), "path.id", "bytes", 422},
		{messagesPath(pair, "cursor", "nonsense!"), "query.cursor", "next_cursor", 400},
		{messagesPath(pair, "from", "1000", "cursor", cursor[:len(cursor)-2]), "query.cursor", "next_cursor", 400},
		{messagesPath(pair, "from", "1001", "cursor", cursor), "query.cursor", "another query", 400},
		{messagesPath(pair, "from", "1000", "to", "2000", "cursor", cursor), "query.cursor", "another query", 400},
		{messagesPath(pair, "from", "1000", "order", "desc", "cursor", cursor), "query.cursor", "another query", 400},
		{messagesPath("room:x", "from", "1000", "cursor", cursor), "query.cursor", "another query", 400},
		{day + "&cursor=" + cursor, "query.cursor", "another query", 400},
		{day + "&limit=1001", "query.limit", "", 422},
		{"/v1/conversations", "query.day", "", 422},
		{"/v1/conversations?day=2026-02-30", "query.day", "", 422},
		{"/v1/conversations?day=today", "query.day", "", 422},
		{"/v1/status?x=1", "query.x", "", 422},
	}
	for _, tt := range tests {
		p := refusal(t, f.get("reader-token", tt.path), tt.status)
		if len(p.Errors) != 1 || p.Errors[0].Location != tt.where || !strings.Contains(p.Detail+p.Errors[0].Message, tt.detail) {
			t.Errorf("%s: %+v, want %s and %q", tt.path, p, tt.where, tt.detail)
		}
	}
	if n := len(f.looks()); n != 1 {
		t.Errorf("%d looks, want that of the first page", n)
	}
	// The rest of the cursor's query may change from page to page.
	if got := into[page](t, f.get("auditor-token", messagesPath(pair, "limit", "9", "from", "1970-01-01T00:00:01Z", "raw", "true", "cursor", cursor))).seqs(); !slices.Equal(got, []int64{2}) {
		t.Errorf("second page %v", got)
	}
}

// follow reads all pages and returns the seqs, in order.
func follow(tb rapid.TB, f *fixture, conversation string, limit int, params ...string) []int64 {
	tb.Helper()
	var seqs []int64
	cursor := ""
	for {
		all := append(slices.Clone(params), "limit", fmt.Sprint(limit))
		if cursor != "" {
			all = append(all, "cursor", cursor)
		}
		got := into[page](tb, f.get("reader-token", messagesPath(conversation, all...)))
		if seqs = append(seqs, got.seqs()...); len(seqs) > 2000 {
			tb.Fatal("the pages do not end")
		}
		if cursor = got.NextCursor; cursor == "" {
			return seqs
		}
		if len(got.Messages) != limit {
			tb.Fatalf("a page of %d before the end, want %d", len(got.Messages), limit)
		}
	}
}

// Pages arrive in seq order, messages are read in time order, and neither says
// much about the other.
func TestPaging(t *testing.T) {
	f := newFixture(t)
	rng := rand.New(rand.NewPCG(1, 2))
	type placed struct {
		ms  int64
		seq int64
	}
	var want []placed
	const pages, perPage = 20, 100
	for p := range pages {
		var rows []archive.Row
		for i := range perPage {
			seq := int64(p*perPage + i + 1)
			when := at(time.Duration(rng.IntN(36*3600)) * time.Second) // many share a second
			conversation := pair
			if i%2 == 1 {
				conversation = "room:noise"
			} else {
				want = append(want, placed{when.UnixMilli(), seq})
			}
			rows = append(rows, row(seq, conversation, when, "x"))
		}
		f.store(uint64(p*perPage), rows...)
	}
	if len(want) != 1000 {
		t.Fatalf("%d messages", len(want))
	}
	slices.SortFunc(want, func(a, b placed) int { return cmp.Or(cmp.Compare(a.ms, b.ms), cmp.Compare(a.seq, b.seq)) })
	var seqs []int64
	for _, w := range want {
		seqs = append(seqs, w.seq)
	}
	if got := follow(t, f, pair, 200); !slices.Equal(got, seqs) {
		t.Errorf("ascending: %d messages, want %d in order", len(got), len(seqs))
	}
	slices.Reverse(seqs)
	if got := follow(t, f, pair, 150, "order", "desc"); !slices.Equal(got, seqs) {
		t.Errorf("descending: %d messages, want %d in order", len(got), len(seqs))
	}
	// Every message was shown in a recorded look.
	seen := map[int64]int{}
	for _, l := range f.looks() {
		for _, seq := range l.Seqs.List {
			seen[seq]++
		}
	}
	for _, seq := range seqs {
		if seen[seq] != 2 {
			t.Fatalf("message %d stands in %d looks, want 2", seq, seen[seq])
		}
	}
}

func TestPagingProperty(t *testing.T) {
	f := newFixture(t)
	rng := rand.New(rand.NewPCG(3, 4))
	all := map[int64]time.Time{}
	for p := range 3 {
		var rows []archive.Row
		for i := range 8 {
			// Few distinct times around the turn of an hour, so that they collide.
			seq, when := int64(p*8+i+1), at(time.Hour+time.Duration(rng.IntN(7)-3)*time.Millisecond)
			all[seq] = when
			rows = append(rows, row(seq, pair, when, "x"))
		}
		f.store(uint64(p*8), rows...)
	}
	rapid.Check(t, func(rt *rapid.T) {
		from := at(time.Hour + time.Duration(rapid.IntRange(-4, 4).Draw(rt, "from"))*time.Millisecond)
		to := from.Add(time.Duration(rapid.IntRange(1, 8).Draw(rt, "period")) * time.Millisecond)
		desc := rapid.Bool().Draw(rt, "descending")
		var want []int64
		for seq, when := range all {
			if !when.Before(from) && when.Before(to) {
				want = append(want, seq)
			}
		}
		slices.SortFunc(want, func(a, b int64) int {
			d := cmp.Or(all[a].Compare(all[b]), cmp.Compare(a, b))
			if desc {
				return -d
			}
			return d
		})
		order := map[bool]string{false: "asc", true: "desc"}[desc]
		got := follow(rt, f, pair, rapid.IntRange(4, 30).Draw(rt, "limit"),
			"from", from.Format(time.RFC3339Nano), "to", fmt.Sprint(to.UnixMilli()), "order", order)
		if !slices.Equal(got, want) {
			rt.Fatalf("got %v, want %v", got, want)
		}
	})
}

// A Lambda's answer ends at 6 MB, whatever the limit asks for.
func TestLongMessages(t *testing.T) {
	f := newFixture(t)
	var rows []archive.Row
	for i := range 4 {
		r := row(int64(i+1), pair, at(time.Duration(i)), "")
		r.Text = strings.Repeat("long", 600_000) // 2.4 MB
		rows = append(rows, r)
	}
	huge := row(5, pair, at(time.Second), "")
	huge.Text = strings.Repeat("huge", 2_000_000) // alone above the bound
	f.store(0, append(rows, huge)...)
	var got []string
	cursor := ""
	for {
		p := into[page](t, f.get("reader-token", messagesPath(pair, "cursor", cursor)))
		got = append(got, fmt.Sprint(p.seqs()))
		if cursor = p.NextCursor; cursor == "" {
			break
		}
	}
	if want := []string{"[1 2]", "[3 4]", "[5]"}; !slices.Equal(got, want) {
		t.Errorf("pages %v, want %v", got, want)
	}
}
