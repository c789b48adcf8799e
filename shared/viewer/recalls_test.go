package viewer_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"wecom-archive/shared/archive"
)

func TestRecalledPair(t *testing.T) {
	f := pagesFixture(t)
	recall := said(2, `{"msgid":"m2","action":"recall","from":"li.na","tolist":["wang.wei"],"msgtype":"revoke","revoke":{"pre_msgid":"m1"}}`)
	recall.MsgType, recall.Action, recall.RefMsgID = "revoke", "recall", "m1"
	f.store(0, said(1, `{"msgid":"m1","msgtype":"text","text":{"content":"the text"}}`), recall)
	body := f.page("reader", transcriptPath(pair)).Body.String()
	for _, want := range []string{"the text", "已撤回", `href="#m1"`, `href="#m2"`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in %s", want, body)
		}
	}
}

// TestRecalledFarAway: a message and its recall lead to each other though pages and
// days lie between them, on the pages and in the API.
func TestRecalledFarAway(t *testing.T) {
	f := pagesFixture(t)
	rows := []archive.Row{said(1, `{"msgid":"m1","msgtype":"text","text":{"content":"the text"}}`)}
	for seq := int64(2); seq < 300; seq++ {
		rows = append(rows, said(seq, fmt.Sprintf(`{"msgid":"m%d","msgtype":"text","text":{"content":"n"}}`, seq)))
	}
	recall := said(300, `{"msgid":"m300","action":"recall","from":"li.na","tolist":["wang.wei"],"msgtype":"revoke","revoke":{"pre_msgid":"m1"}}`)
	recall.MsgType, recall.Action, recall.RefMsgID, recall.MsgTime = "revoke", "recall", "m1", at(48*time.Hour)
	f.archived(append(rows, recall)...)
	if body := f.page("reader", transcriptPath(pair)).Body.String(); !strings.Contains(body, `href="/m/300/recalled"`) {
		t.Errorf("the recall leads nowhere: %s", body)
	}
	w := f.page("reader", "/m/300/recalled")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/m/1" {
		t.Errorf("the recall leads to %d %q", w.Code, w.Header().Get("Location"))
	}
	original := f.page("reader", f.page("reader", "/m/1").Header().Get("Location")).Body.String()
	if !strings.Contains(original, "已撤回") || !strings.Contains(original, `href="/m/300"`) {
		t.Errorf("the message does not lead to its recall: %s", original)
	}
	if w := f.page("reader", "/m/2/recalled"); w.Code != http.StatusNotFound {
		t.Errorf("what recalls nothing: %d", w.Code)
	}
	for path, want := range map[string]string{
		"/v1/messages/1": `"recalled_by":300`, "/v1/messages/300": `"recalls":1`, "/v1/conversations/pair:li.na,wang.wei/messages?limit=1": `"recalled_by":300`,
	} {
		if body := f.get("reader-token", path).Body.String(); !strings.Contains(body, want) {
			t.Errorf("%s: no %s in %s", path, want, body)
		}
	}
}

// TestRecalledTooFarAway: a message that lies further back than one look goes is found
// by the next one, and one that is not there is said not to be.
func TestRecalledTooFarAway(t *testing.T) {
	f := pagesFixture(t)
	rows := []archive.Row{said(1, `{"msgid":"m1","msgtype":"text","text":{"content":"the text"}}`)}
	for seq := int64(2); seq < 1500; seq++ {
		rows = append(rows, said(seq, fmt.Sprintf(`{"msgid":"m%d","msgtype":"text","text":{"content":"n"}}`, seq)))
	}
	for seq, of := range map[int64]string{1500: "m1", 1501: "m0"} {
		recall := said(seq, fmt.Sprintf(`{"msgid":"m%d","action":"recall","from":"li.na","tolist":["wang.wei"],"msgtype":"revoke","revoke":{"pre_msgid":%q}}`, seq, of))
		recall.MsgType, recall.Action, recall.RefMsgID = "revoke", "recall", of
		rows = append(rows, recall)
	}
	f.archived(rows...)
	further := func(path, says string) string {
		t.Helper()
		w := f.page("reader", path)
		doc, err := html.Parse(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		href, text := "", ""
		for n := range doc.Descendants() {
			if attribute(n, "class") == "button" {
				href = attribute(n, "href")
			}
			text += n.Data
		}
		if w.Code != http.StatusNotFound || !strings.Contains(text, says) {
			t.Errorf("%s: %d without %q", path, w.Code, says)
		}
		return href
	}
	for path, end := range map[string]bool{"/m/1500/recalled": false, "/m/1501/recalled": true} {
		next := further(path, "已向前查找到")
		if next == "" {
			t.Fatalf("%s: nowhere to look further", path)
		}
		if end {
			if further(path+next, "已存档的消息中没有它") != "" {
				t.Errorf("%s goes on before the beginning", path)
			}
		} else if w := f.page("reader", path+next); w.Header().Get("Location") != "/m/1" {
			t.Errorf("%s%s leads to %d %q", path, next, w.Code, w.Header().Get("Location"))
		}
	}
	if w := f.page("reader", "/m/1500/recalled?before=x"); w.Code != http.StatusBadRequest {
		t.Errorf("a place that is none: %d", w.Code)
	}
	if len(f.looks()) > 0 {
		t.Error("no content was shown, but a look is recorded")
	}
}
