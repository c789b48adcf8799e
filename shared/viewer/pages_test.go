package viewer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/person"
	"wecom-archive/shared/viewer"
)

// visitor is signed in with the roles that the header names.
type visitor struct{}

func (visitor) Visitor(_ http.ResponseWriter, r *http.Request) (person.Person, error) {
	switch role := r.Header.Get("Test-Role"); role {
	case "":
		return person.Person{}, fmt.Errorf("%w: no cookie", person.ErrUnauthenticated)
	case "unlucky":
		return person.Person{}, errors.New("broken")
	default:
		return person.Person{Subject: "the-" + role, Name: "李<b>读", Roles: []person.Role{person.Role(role)}}, nil
	}
}

// pagesFixture serves the pages, too.
func pagesFixture(t testing.TB) *fixture {
	f := newFixture(t)
	f.handler = viewer.New(viewer.Config{
		Objects: f.objects, Catalog: f.catalog, Access: f.access, Auth: people{}, Visitors: visitor{},
		Now: func() time.Time { return now }, NewID: serial("request"), Log: slog.New(slog.NewJSONHandler(f.log, nil)),
	})
	return f
}

func (f *fixture) page(role, path string) *httptest.ResponseRecorder {
	f.tb.Helper()
	r := httptest.NewRequestWithContext(f.tb.Context(), http.MethodGet, path, nil)
	r.Header.Set("Test-Role", role)
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

// archived says that the page asked after 0 has its segment, so that messages are found
// by seq.
func (f *fixture) archived(rows ...archive.Row) {
	f.tb.Helper()
	f.store(0, rows...)
	f.must(f.catalog.Pages.NotePage(f.tb.Context(), archive.PageHeader{SeqAsked: 0, LastSeq: uint64(len(rows)), Count: len(rows), PulledAt: now}))
	f.must(f.catalog.Pages.FinishPage(f.tb.Context(), catalog.PageState{Key: archive.PageKey(0), LastSeq: uint64(len(rows)), Count: len(rows), PulledAt: now, Parts: 1, OK: len(rows)}))
}

func transcriptPath(id string) string { return "/c?" + url.Values{"id": {id}}.Encode() }

// said is a message with this plaintext.
func said(seq int64, plaintext string) archive.Row {
	r := row(seq, pair, at(time.Duration(seq)*time.Second), "")
	setRaw(&r, []byte(plaintext))
	return r
}

func TestPagesByRole(t *testing.T) {
	f := pagesFixture(t)
	f.archived(row(1, pair, at(0), "the text"))
	const see, refuse, signIn = http.StatusOK, http.StatusForbidden, http.StatusSeeOther
	for _, c := range []struct {
		path                                 string
		reader, auditor, operator, stranger_ int
	}{
		{"/", see, see, see, signIn},
		{"/c", see, see, refuse, signIn},
		{transcriptPath(pair), see, see, refuse, signIn},
		{"/record/1", see, see, refuse, signIn},
		{"/m/1", http.StatusSeeOther, http.StatusSeeOther, refuse, signIn},
		{"/access", refuse, see, refuse, signIn},
		{"/damage", see, see, see, signIn},
		{"/setup", refuse, refuse, see, signIn},
	} {
		for role, want := range map[string]int{"reader": c.reader, "auditor": c.auditor, "operator": c.operator, "": c.stranger_} {
			w := f.page(role, c.path)
			if w.Code != want {
				t.Errorf("%q on %s: %d, want %d", role, c.path, w.Code, want)
			}
			if want == refuse && strings.Contains(w.Body.String(), "the text") {
				t.Errorf("%s shows content to %s", c.path, role)
			}
		}
	}
	if w := f.page("unlucky", "/c"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d", w.Code)
	}
}

// TestPagesFailClosed: what cannot be recorded is not shown.
func TestPagesFailClosed(t *testing.T) {
	f := pagesFixture(t)
	f.archived(row(1, pair, at(0), "the text"))
	for _, path := range []string{transcriptPath(pair), "/record/1"} {
		f.access.err = nil
		before := len(f.looks())
		if w := f.page("auditor", path); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "the text") {
			t.Fatalf("%s: %d", path, w.Code)
		}
		looks := f.looks()
		if len(looks) != before+1 || looks[len(looks)-1].How != "web" || looks[len(looks)-1].Who != "the-auditor" {
			t.Errorf("%s: looks %+v", path, looks)
		}
		f.access.err = errors.New("the store is down")
		w := f.page("auditor", path)
		if body := w.Body.String(); w.Code != http.StatusServiceUnavailable || strings.Contains(body, "the text") || !strings.Contains(body, "留下记录") {
			t.Errorf("%s without a record: %d %s", path, w.Code, body)
		}
	}
}

func TestTranscriptPages(t *testing.T) {
	f := pagesFixture(t)
	var rows []archive.Row
	for seq := range int64(100) {
		rows = append(rows, said(seq+1, fmt.Sprintf(`{"msgid":"m%d","msgtype":"text","text":{"content":"n"}}`, seq+1)))
	}
	f.store(0, rows...)
	seen := map[string]int{}
	path := transcriptPath(pair)
	for range 10 {
		doc, err := html.Parse(f.page("reader", path).Body)
		if err != nil {
			t.Fatal(err)
		}
		path = ""
		for n := range doc.Descendants() {
			if n.Data == "article" {
				seen[attribute(n, "id")]++
			}
			if attribute(n, "rel") == "prev" {
				path = attribute(n, "href")
			}
		}
		if path == "" {
			break
		}
	}
	for seq := range 100 {
		if n := seen[fmt.Sprintf("m%d", seq+1)]; n != 1 {
			t.Errorf("message %d is shown %d times", seq+1, n)
		}
	}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// hostile reads things that must never become markup. The browser's tests (infra/browser)
// read them, too.
func hostile(t *testing.T) (vectors []string) {
	t.Helper()
	doc, err := os.ReadFile("testdata/hostile.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(doc, &vectors); err != nil || len(vectors) < 60 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	return vectors
}

// TestHostileContent: whatever a message, a name or a key holds, the page has the
// elements and attributes that it has for harmless content.
func TestHostileContent(t *testing.T) {
	shape := func(vector string) []string {
		f := pagesFixture(t)
		q, err := json.Marshal(vector)
		if err != nil {
			t.Fatal(err)
		}
		nested, _ := json.Marshal(fmt.Sprintf(`{"content":%s}`, q))
		rows := []archive.Row{}
		for i, content := range []string{
			`"msgtype":"text","text":{"content":%[2]s}`, `"msgtype":"link","link":{"title":%[2]s,"description":%[2]s,"link_url":%[2]s}`,
			`"msgtype":"file","file":{"filename":%[2]s,"sdkfileid":"x"}`, `"msgtype":"markdown","info":{"content":%[2]s}`,
			`"msgtype":"location","location":{"title":%[2]s,"address":%[2]s,"latitude":%[2]s,"longitude":1}`,
			`"msgtype":"chatrecord","chatrecord":{"title":%[2]s,"item":[{"type":"ChatRecordText","msgtime":1,"content":%[3]s}]}`,
			`"msgtype":"mixed","mixed":{"item":[{"type":"text","content":%[3]s}]}`, `"msgtype":"vote","votetitle":%[2]s,"voteitem":[%[2]s]`,
			`"msgtype":"calendar","calendar":{"title":%[2]s,"attendeename":[%[2]s]}`, `"msgtype":"new","new":{%[2]s:%[2]s}`,
		} {
			r := said(int64(i)+1, fmt.Sprintf(`{"msgid":"m%d",`+content+`}`, i+1, string(q), string(nested)))
			r.FromID = vector
			rows = append(rows, r)
		}
		f.archived(rows...)
		// Names of people and rooms are strangers' words, too.
		f.learn(at(0), archive.DirectoryRecord{Kind: archive.SubjectEmployee, ID: "li.na", Name: vector, CorpName: vector, Position: vector}, room("wrHostile", vector))
		var shape []string
		for _, path := range []string{transcriptPath(pair), "/record/1", "/c?q=nobody&person=nobody", "/c?kind=room", "/c?" + url.Values{"id": {pair}, "q": {vector}, "person": {vector}, "kind": {vector}}.Encode()} {
			w := f.page("auditor", path)
			if !strings.Contains(w.Header().Get("Content-Security-Policy"), "script-src 'self'") {
				t.Errorf("policy %q", w.Header().Get("Content-Security-Policy"))
			}
			doc, err := html.Parse(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			for n := range doc.Descendants() {
				if n.Type == html.ElementNode {
					element := n.Data
					for _, a := range n.Attr {
						element += " " + a.Key
						if a.Key == "href" && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") {
							t.Errorf("%q: leads to %q", vector, a.Val)
						}
					}
					shape = append(shape, element)
				}
			}
		}
		return shape
	}
	harmless := "\n" + strings.Join(shape("harmless"), "\n") + "\n"
	for _, vector := range hostile(t) {
		for _, element := range shape(vector) {
			// A host is a line more, where a vector is a link: elements may come more or
			// less often, but no other ones.
			if !strings.Contains(harmless, "\n"+element+"\n") {
				t.Errorf("%q makes <%s>", vector, element)
			}
		}
	}
}

// TestSeqTwice: should WeCom use a seq twice, both records are shown and both looks
// recorded.
func TestSeqTwice(t *testing.T) {
	f := pagesFixture(t)
	one := said(1, `{"msgid":"m1","msgtype":"text","text":{"content":"one of them"}}`)
	other := said(1, `{"msgid":"m1b","msgtype":"text","text":{"content":"the other"}}`)
	other.Position, other.MsgID, other.Conversation = 2, "m1b", "room:wr"
	f.archived(one, other)
	body := f.page("auditor", "/record/1").Body.String()
	for _, want := range []string{"one of them", "the other", "同一 seq", one.RawSHA256, other.RawSHA256} {
		if !strings.Contains(body, want) {
			t.Errorf("the record does not show %q", want)
		}
	}
	if looks := f.looks(); len(looks) != 2 || looks[0].Conversation == looks[1].Conversation {
		t.Errorf("looks %+v", looks)
	}
}

// TestSideOfAlias: whose userid changed stays on their side of a transcript, whoever's
// conversations are looked at.
func TestSideOfAlias(t *testing.T) {
	f := pagesFixture(t)
	f.must(f.catalog.People.PutAlias(t.Context(), archive.Alias{Was: "li.na", Is: "li.na2"}))
	said := func(seq int64, from, to string) archive.Row {
		r := row(seq, "pair:li.na,wang.wei", at(time.Duration(seq)*time.Minute), "x")
		r.ChatKind, r.FromID, r.ToIDs = "internal", from, []string{to}
		return r
	}
	f.archived(said(1, "li.na", "wang.wei"), said(2, "wang.wei", "li.na2"), said(3, "li.na2", "wang.wei"))
	for person, want := range map[string]string{"": "1 3", "li.na": "1 3", "li.na2": "1 3", "wang.wei": "2"} {
		w := f.page("reader", "/c?id="+url.QueryEscape("pair:li.na,wang.wei")+"&person="+person)
		var own []string
		for _, m := range regexp.MustCompile(`<article id="m(\d+)" class="m own`).FindAllStringSubmatch(w.Body.String(), -1) {
			own = append(own, m[1])
		}
		if got := strings.Join(own, " "); got != want {
			t.Errorf("%q: messages on the right: %q, want %q", person, got, want)
		}
	}
}

// TestGapsInTranscript: each gap stands once, wherever the pages are cut, several of them
// between the same two messages, and behind the last one.
func TestGapsInTranscript(t *testing.T) {
	f := pagesFixture(t)
	var rows []archive.Row
	for i := 1; i <= 90; i++ {
		a := at(time.Duration(i) * time.Second)
		if i > 60 { // the newest page begins here
			a = a.Add(30 * 24 * time.Hour)
		}
		rows = append(rows, row(int64(i), pair, a, "x"))
	}
	f.store(0, rows...)
	for _, day := range []int{-9, 1, 11, 50} { // before the first message, two between, one behind the last
		f.must(f.catalog.Journal.PutGap(t.Context(), archive.Gap{Since: at(time.Duration(day) * 24 * time.Hour), Until: at(time.Duration(day+6) * 24 * time.Hour), SeenAt: now}))
	}
	var counts []int
	for path := transcriptPath(pair); path != ""; {
		body := f.page("reader", path).Body.String()
		counts = append(counts, strings.Count(body, "gapline"))
		path = ""
		if _, rest, ok := strings.Cut(body, `rel="prev" href="`); ok {
			address, _, _ := strings.Cut(rest, `"`)
			path = strings.ReplaceAll(address, "&amp;", "&")
		}
	}
	if fmt.Sprint(counts) != "[3 0 0]" {
		t.Errorf("gaps on the pages, newest first: %v", counts)
	}
}

// TestFloodOpens: whatever strangers write, a conversation, a record and a search stay
// within what Lambda answers, and say that there is more.
func TestFloodOpens(t *testing.T) {
	f := pagesFixture(t)
	const most = 6 << 20
	var rows []archive.Row
	for i := 1; i <= 40; i++ {
		items := strings.Repeat(`{"type":"ChatRecordText","msgtime":1795392000,"content":"{\"content\":\"`+strings.Repeat("<", 2000)+`\"}"},`, 99)
		raw := fmt.Sprintf(`{"msgid":"m%d","action":"send","from":"wmX","tolist":["li.na"],"msgtype":"chatrecord","chatrecord":{"title":"t","item":[%s{"type":"ChatRecordText","content":"{}"}]}}`, i, items)
		r := said(int64(i), raw)
		r.Text = strings.Repeat("<合同>", 30_000)
		rows = append(rows, r)
	}
	f.archived(rows...)
	for _, path := range []string{transcriptPath(pair), "/record/7", "/search?q=" + url.QueryEscape("合同")} {
		w := f.page("auditor", path)
		travels, err := json.Marshal(w.Body.String())
		if err != nil || w.Code != http.StatusOK || len(travels) > most*9/10 || !strings.Contains(w.Body.String(), "只显示") {
			t.Errorf("%s: %d, %d bytes of JSON, %v", path, w.Code, len(travels), err)
		}
	}
}
