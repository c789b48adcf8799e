package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// served is a message of the simulated company, as --truth tells it.
type served struct {
	Seq int64
	Raw []byte
	message
}

type message struct {
	MsgID   string `json:"msgid"`
	MsgType string `json:"msgtype"`
	Action  string `json:"action"`
	Revoke  struct {
		Of string `json:"pre_msgid"`
	} `json:"revoke"`
}

// startTold starts the program and waits until all that was served is archived.
func startTold(t *testing.T, args ...string) (*archive, []served) {
	t.Helper()
	truth := filepath.Join(t.TempDir(), "truth.jsonl")
	a := startLocal(t, append(args, "--no-media", "--truth", truth)...)
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		var status struct {
			Archived int64
			Pending  struct{ Pages int64 }
			Cursor   struct{ Envelopes int64 }
			Q        struct{ Envelopes int64 } `json:"quarantine"`
		}
		answer := a.ask(t, "/v1/status")
		if json.Unmarshal([]byte(answer), &status) == nil && status.Cursor.Envelopes > 0 && status.Pending.Pages == 0 && status.Archived+status.Q.Envelopes == status.Cursor.Envelopes {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not all is archived: %s\n%s", answer, a.said())
		}
	}
	f, err := os.Open(truth)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []served
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 10<<20)
	for lines.Scan() {
		var s served
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		if json.Unmarshal(s.Raw, &s.message) == nil {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		t.Fatal("nothing was served")
	}
	return a, all
}

// at opens the page of a message, where that is.
func (b *tab) at(t *testing.T, a *archive, seq int64) {
	t.Helper()
	if status := b.open(t, fmt.Sprintf("%s/m/%d", a.base, seq)); status != http.StatusOK {
		t.Fatalf("message %d: %d\n%s", seq, status, b.text(t, "body"))
	}
}

// TestEveryType opens a message of each of WeCom's types, and those that no document
// names, at both widths: each is drawn and says what it is.
func TestEveryType(t *testing.T) {
	a, all := startTold(t, "--messages", "6000")
	first := map[string]int64{}
	for _, s := range all {
		if s.MsgType != "" && first[s.MsgType] == 0 {
			first[s.MsgType] = s.Seq
		}
	}
	if len(first) < 32 {
		t.Errorf("%d types", len(first))
	}
	for _, width := range widths {
		b := openTab(t, width, 900)
		b.signIn(t, a, "reader", "/")
		for _, kind := range slices.Sorted(maps.Keys(first)) {
			b.at(t, a, first[kind])
			drawn := fmt.Sprintf(`document.getElementById("m%d")`, first[kind])
			if !get(t, b, chromedp.Evaluate[bool](fmt.Sprintf(`%[1]s !== null && %[1]s.getBoundingClientRect().height > 10 && %[1]s.innerText.trim().length > 5`, drawn))) {
				t.Errorf("%s is not drawn at %d: %s", kind, width, b.address(t))
			}
			b.fits(t)
			b.axe(t)
		}
	}
}

// TestNested: what was forwarded, and in it what was forwarded before, to the bottom.
func TestNested(t *testing.T) {
	a, all := startTold(t, "--messages", "6000")
	b := openTab(t, 360, 900)
	b.signIn(t, a, "reader", "/")
	for _, s := range all {
		if s.MsgType == "chatrecord" && strings.Count(string(s.Raw), "ChatRecordChatrecord")+strings.Count(string(s.Raw), `"chatrecord"`) >= 3 {
			b.at(t, a, s.Seq)
			b.fits(t)
			if deep := get(t, b, chromedp.Evaluate[int](fmt.Sprintf(`(() => { let most = 0; for (const e of document.getElementById("m%d").querySelectorAll(".nested")) { let d = 0; for (let p = e; p; p = p.parentElement.closest(".nested")) d++; most = Math.max(most, d) } return most })()`, s.Seq))); deep >= 2 {
				return
			}
		}
	}
	t.Error("no record within a record is shown")
}

// TestRecalled: a recalled message stays, marked, and leads to its recall and back.
func TestRecalled(t *testing.T) {
	a, all := startTold(t, "--messages", "6000")
	followed, seqs := 0, map[string]int64{}
	first := map[string]int64{} // recall of a message; the simulated company recalls some twice
	for _, s := range all {
		seqs[s.MsgID] = s.Seq
		if first[s.Revoke.Of] == 0 {
			first[s.Revoke.Of] = s.Seq
		}
	}
	b := openTab(t, 1440, 900)
	b.signIn(t, a, "reader", "/")
	for _, s := range all {
		of := seqs[s.Revoke.Of]
		if s.MsgType != "revoke" || of == 0 || s.Seq != first[s.Revoke.Of] {
			continue
		}
		b.at(t, a, of)
		b.speak(t, "zh")
		b.do(t, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`void document.querySelector("#m%d .recallmark a").click()`, of)))
		b.until(t, fmt.Sprintf(`location.hash === "#m%d"`, s.Seq))
		b.do(t, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`void document.querySelector("#m%[1]d a[href='#m%[2]d'], #m%[1]d a[href$='/recalled']").click()`, s.Seq, of)))
		b.until(t, fmt.Sprintf(`location.hash === "#m%d"`, of))
		if !strings.Contains(b.text(t, fmt.Sprintf("#m%d", of)), "撤回") {
			t.Errorf("not marked: %s", b.text(t, fmt.Sprintf("#m%d", of)))
		}
		if followed++; followed == 12 {
			b.screenshot(t, "recalled")
			b.axe(t)
			return
		}
	}
	t.Errorf("only %d recalled messages", followed)
}

// hostile are things that must never become markup; the viewer's tests read them, too.
const hostile = "../../shared/viewer/testdata/hostile.json"

// TestHostileContent: whatever strangers write, in ids, texts, titles, names of files,
// links and keys, no script runs, nothing is loaded from elsewhere, the page keeps its
// shape. The tab fails the test with what the browser complains of.
func TestHostileContent(t *testing.T) {
	doc, err := os.ReadFile(hostile)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []string
	if err := json.Unmarshal(doc, &vectors); err != nil || len(vectors) < 60 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	corpus := filepath.Join(t.TempDir(), "corpus.jsonl")
	if err := os.WriteFile(corpus, []byte(hostileCorpus(t, vectors)), 0o600); err != nil {
		t.Fatal(err)
	}
	a, all := startTold(t, "--corpus", corpus)
	for _, width := range widths {
		b := openTab(t, width, 900)
		b.signIn(t, a, "auditor", "/")
		ours := -1
		for _, s := range all {
			b.at(t, a, s.Seq)
			b.fits(t)
			if n := b.count(t, "script, iframe, object, embed, base, form[action^='//'], [onerror], [onload], [style]"); ours < 0 {
				ours = n
			} else if n != ours {
				t.Errorf("message %d: %d elements that could act, others have %d", s.Seq, n, ours)
			}
			if width == widths[0] {
				b.open(t, fmt.Sprintf("%s/record/%d", a.base, s.Seq))
				b.fits(t)
			}
		}
		b.axe(t)
		b.open(t, a.base+"/access")
		b.fits(t)
	}
}

// hostileCorpus is a message of several types for each vector.
func hostileCorpus(t *testing.T, vectors []string) string {
	t.Helper()
	var lines strings.Builder
	for i, v := range vectors {
		nested, err := json.Marshal(map[string]string{"content": v})
		if err != nil {
			t.Fatal(err)
		}
		bodies := []map[string]any{
			{"msgtype": "text", "text": map[string]any{"content": v}},
			{"msgtype": "link", "link": map[string]any{"title": v, "description": v, "link_url": v, "image_url": v}},
			{"msgtype": "file", "file": map[string]any{"filename": v, "sdkfileid": "x", "fileext": v}},
			{"msgtype": "chatrecord", "chatrecord": map[string]any{"title": v, "item": []any{map[string]any{"type": "ChatRecordText", "msgtime": 1, "content": string(nested)}}}},
			{"msgtype": "solitaire_v9", "new": map[string]any{v: v}},
			{"msgtype": "vote", "votetitle": v, "voteitem": []string{v}},
		}
		body := bodies[i%len(bodies)]
		body["msgid"], body["action"], body["roomid"] = fmt.Sprintf("hostile-%d", i), "send", ""
		body["from"], body["tolist"], body["msgtime"] = v, []string{"li.na"}, time.Now().Add(-time.Hour).UnixMilli()+int64(i)
		line, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	return lines.String()
}

// TestSessionEnds: who does not use a session must sign in again, and comes back to
// where they were.
func TestSessionEnds(t *testing.T) {
	a := startLocal(t, "--messages", "200", "--no-media", "--idle", "5s")
	b := openTab(t, 1440, 900)
	b.signIn(t, a, "reader", "/c?kind=employee")
	for deadline := time.Now().Add(3 * stepTime); ; time.Sleep(5500 * time.Millisecond) { // longer than the session lives
		b.open(t, a.base+"/c?kind=employee")
		if strings.Contains(b.address(t), "/idp/authorize") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the session does not end: %s", b.address(t))
		}
	}
	b.do(t, chromedp.Click(chromedp.CSS("button[value=reader]")))
	b.until(t, `location.pathname === "/c" && location.search === "?kind=employee"`)
}
