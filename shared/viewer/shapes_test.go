package viewer_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/wecom"
)

// shaped stores the messages of a file below testdata/shapes as they are read today, from
// seq 1 on.
func shaped(t *testing.T, name string) (f *fixture, conversation string) {
	t.Helper()
	f = pagesFixture(t)
	raw, err := os.ReadFile("testdata/shapes/" + name + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return f, f.said(strings.Split(strings.TrimSpace(string(raw)), "\n")...)
}

// said archives messages with these plaintexts as they are read today, from seq 1 on, and
// returns the conversation of the first.
func (f *fixture) said(plaintexts ...string) (conversation string) {
	f.tb.Helper()
	var rows []archive.Row
	for i, plaintext := range plaintexts {
		r := said(int64(i)+1, plaintext)
		r.Reading = reading.Read(r.Raw, r.MsgID, r.PulledAt)
		rows = append(rows, r)
	}
	f.archived(rows...)
	return rows[0].Conversation
}

// found are the seqs that a search for words finds.
func (f *fixture) found(words string) (seqs []int64) {
	f.tb.Helper()
	for _, h := range into[struct{ Hits []struct{ Seq int64 } }](f.tb, f.get("reader-token", "/v1/search?q="+url.QueryEscape(words))).Hits {
		seqs = append(seqs, h.Seq)
	}
	return seqs
}

// bubbles are the texts of the messages of a transcript, in order.
func (f *fixture) bubbles(conversation string) (texts []string) {
	f.tb.Helper()
	doc, err := html.Parse(f.page("reader", transcriptPath(conversation)).Body)
	f.must(err)
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && attribute(n, "class") == "bubble" {
			var text strings.Builder
			for c := range n.Descendants() {
				if c.Type == html.TextNode {
					text.WriteString(c.Data + " ")
				}
			}
			texts = append(texts, text.String())
		}
	}
	return texts
}

func hashOf(fileID string) string {
	sum := sha256.Sum256([]byte(fileID))
	return hex.EncodeToString(sum[:])
}

// TestPayloadUnderItsOwnName: types whose documented payload has another name are read
// under their own, too.
func TestPayloadUnderItsOwnName(t *testing.T) {
	f, conversation := shaped(t, "payload_under_own_name")
	bubbles := f.bubbles(conversation)
	want := []string{"61 秒", "**告警壬** 请处理", "文档癸", "12.34 元", "微盘戊.pdf", "通知己"}
	if len(bubbles) != len(want) {
		t.Fatalf("%d bubbles: %q", len(bubbles), bubbles)
	}
	for i, words := range want {
		if !strings.Contains(bubbles[i], words) || strings.Contains(bubbles[i], "显示原文") {
			t.Errorf("seq %d: %q is not in %q", i+1, words, bubbles[i])
		}
		if record := f.page("reader", fmt.Sprintf("/record/%d", i+1)).Body.String(); !strings.Contains(record, words) {
			t.Errorf("seq %d: the record does not show %q", i+1, words)
		}
	}
	for seq, words := range map[int64]string{2: "告警壬", 3: "文档癸", 4: "好运子", 5: "微盘戊", 6: "通知己"} {
		if got := f.found(words); len(got) != 1 || got[0] != seq {
			t.Errorf("%q is found in %v", words, got)
		}
	}
}

// TestTextThatIsNoObject: a text that is a bare string or a list is read as one.
func TestTextThatIsNoObject(t *testing.T) {
	f, conversation := shaped(t, "text_not_object")
	bubbles := f.bubbles(conversation)
	if len(bubbles) != 2 || strings.TrimSpace(bubbles[0]) != "直接字符串辰" || strings.TrimSpace(bubbles[1]) != "数组巳\n第二" {
		t.Errorf("%q", bubbles)
	}
	for seq, words := range map[int64]string{1: "直接字符串辰", 2: "数组巳"} {
		if got := f.found(words); len(got) != 1 || got[0] != seq {
			t.Errorf("%q is found in %v", words, got)
		}
	}
}

// TestFilesInAnyType: files in notes, in types that are not known, and within records can
// be opened.
func TestFilesInAnyType(t *testing.T) {
	f, conversation := shaped(t, "note_with_files")
	for n := range 4 {
		f.fetched(hashOf(fmt.Sprintf("CtShapeFile%d", n+1)), fmt.Appendf(nil, "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR%d", n))
	}
	bubbles := f.bubbles(conversation)
	for i, want := range [][]string{{"出差笔记", "报销三百元", "投保单_v8.pdf"}, {"订单", "59 秒"}, {"转", "内笔记"}} {
		for _, words := range want {
			if !strings.Contains(bubbles[i], words) {
				t.Errorf("seq %d: %q is not in %q", i+1, words, bubbles[i])
			}
		}
	}
	for seq, files := range map[int][]int{1: {1, 2}, 2: {3}, 3: {4}} {
		for _, page := range []string{transcriptPath(conversation), fmt.Sprintf("/record/%d", seq)} {
			body := f.page("reader", page).Body.String()
			if strings.Contains(body, "CtShape") {
				t.Errorf("%s shows what opens a file", page)
			}
			for _, n := range files {
				link := fmt.Sprintf("/media/%d/%s", seq, hashOf(fmt.Sprintf("CtShapeFile%d", n)))
				if strings.Count(body, `<img class="thumb" loading="lazy" src="`+link+`"`) != 1 || strings.Count(body, `<a href="`+link+`?save"`) != 1 {
					t.Errorf("%s does not show file %d once", page, n)
				}
				if w := f.page("reader", link); w.Code != http.StatusOK || w.Header().Get("Content-Type") != "image/png" {
					t.Errorf("%s: %d", link, w.Code)
				}
			}
		}
		a := into[filesAnswer](t, f.get("reader-token", fmt.Sprintf("/v1/messages/%d/media", seq)))
		if len(a.Files) != len(files) || a.Files[0].State != "stored" || a.Files[0].URL == "" {
			t.Errorf("seq %d: %+v", seq, a.Files)
		}
	}
	body := f.page("reader", "/record/1").Body.String() // a picture stands where the note has it
	if words, picture := strings.Index(body, "报销三百元"), strings.Index(body, "/media/1/"+hashOf("CtShapeFile1")); strings.Count(body, `<div class="part">`) != 3 || words > picture {
		t.Error("files do not stand in the parts of the note")
	}
	if got := f.found("报销三百元"); len(got) != 1 || got[0] != 1 {
		t.Errorf("the note is found in %v", got)
	}
}

// TestFileIDSpellings: a reader's pages have none of the names that open a file, however
// they are spelt.
func TestFileIDSpellings(t *testing.T) {
	f, conversation := shaped(t, "fileid_spellings")
	for _, path := range []string{transcriptPath(conversation), "/record/1", "/search?q=" + url.QueryEscape("新类型")} {
		body := f.page("reader", path).Body.String()
		if strings.Contains(body, "CtSECRET") || !strings.Contains(body, "新类型") {
			t.Errorf("%s shows a secret, or not its message", path)
		}
	}
	if answer := f.get("reader-token", "/v1/messages/1").Body.String(); strings.Contains(answer, "CtSECRET") {
		t.Errorf("the API shows a secret: %s", answer)
	}
	if got := f.found("CtSECRETAAAAAAAAAAAAAAAAAAAAAAAA1"); len(got) != 0 {
		t.Errorf("the secret is found in %v", got)
	}
}

// TestFileWithoutName: of a file that no sdkfileid is given of, the pages and the API say
// for good that it cannot be fetched.
func TestFileWithoutName(t *testing.T) {
	f, conversation := shaped(t, "image_without_fileid")
	for _, path := range []string{transcriptPath(conversation), "/record/1"} {
		if body := f.page("reader", path).Body.String(); strings.Count(body, "企业微信没有给出文件") != 1 || strings.Contains(body, "尚未取回") {
			t.Errorf("%s does not say that there is no file", path)
		}
	}
	a := into[filesAnswer](t, f.get("reader-token", "/v1/messages/1/media"))
	if len(a.Files) != 1 || a.Files[0].State != "failed" || a.Files[0].Reason != "no_sdkfileid" || a.Files[0].Path != "image" || a.Files[0].URL != "" {
		t.Errorf("%+v", a.Files)
	}
	if looks := f.looks(); len(looks) != 3 || looks[2].What != "media" {
		t.Errorf("looks %+v", looks)
	}
}

// TestUnnamedFilesKeepTheirPlace: they stand between the others as in the message.
func TestUnnamedFilesKeepTheirPlace(t *testing.T) {
	f := pagesFixture(t)
	f.said(`{"msgid":"m1","action":"send","from":"li.na","tolist":["zhang.wei"],"msgtime":1795392001000,"msgtype":"mixed","mixed":{"item":[` +
		`{"type":"image","content":{"sdkfileid":"A"}},{"type":"image","content":{"sdkfileid":""}},{"type":"file","content":{"sdkfileid":"B"}}]}}`)
	var got []string
	for _, file := range into[filesAnswer](t, f.get("reader-token", "/v1/messages/1/media")).Files {
		got = append(got, file.Path+" "+file.State)
	}
	if want := "mixed.item[0] pending, mixed.item[1] failed, mixed.item[2] pending"; strings.Join(got, ", ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestNoBubbleIsEmpty: what a message of any known type holds is shown, if not as its type
// is then as it came.
func TestNoBubbleIsEmpty(t *testing.T) {
	message := func(members string) string {
		return `{"msgid":"m1","action":"send","from":"li.na","tolist":["zhang.wei"],"msgtime":1795392001000,` + members + `}`
	}
	for _, kind := range wecom.Types() {
		if kind.Action {
			continue
		}
		f := pagesFixture(t)
		conversation := f.said(message(fmt.Sprintf(`"msgtype":%q,%[1]q:{"not_documented":"内容甲","sdk_file_id":"CtSECRET"}`, kind.Name)))
		body := f.page("reader", transcriptPath(conversation)).Body.String()
		want := kind.Name != "revoke" && kind.Name != "agree" && kind.Name != "disagree" && kind.File == "" || kind.File == wecom.MediaCall
		if strings.Contains(body, "内容甲") != want || strings.Contains(body, "CtSECRET") || kind.File != "" && !want && !strings.Contains(body, "没有给出文件") {
			t.Errorf("%s: %q", kind.Name, f.bubbles(conversation))
		}
	}
	for name, c := range map[string]struct{ members, want, not string }{
		"list with objects":   {`"msgtype":"text","text":{"content":["a",{"words":"内容甲"}]}`, "内容甲", ""},
		"empty text":          {`"msgtype":"text","text":{"content":""}`, "未能按此类型读出内容", ""},
		"plain item":          {`"msgtype":"chatrecord","chatrecord":{"item":[{"type":"ChatRecordLink","content":"内容甲"}]}`, "内容甲", "显示原文"},
		"docmsg in mixed":     {`"msgtype":"mixed","mixed":{"item":[{"type":"docmsg","content":"{\"doc\":{\"title\":\"内容甲\"}}"}]}`, "内容甲", "显示原文"},
		"news item":           {`"msgtype":"news","info":{"item":[{"title":"a"},{"words":"内容甲"}]}`, "内容甲", ""},
		"whole address":       {`"msgtype":"link","link":{"title":"t","link_url":"https://doc.weixin.qq.com/forms/内容甲?id=5"}`, "https://doc.weixin.qq.com/forms/内容甲?id=5", `href="https://doc`},
		"an app's page":       {`"msgtype":"weapp","weapp":{"title":"t","appid":"wx12","pagepath":"pages/内容甲"}`, "pages/内容甲", ""},
		"solitaire":           {`"msgtype":"solitaire","solitaire":{"theme":"主题","title":"内容甲","content":"1. 李娜","rows":[{"name":"张三"}]}`, "张三", ""},
		"ids in a note":       {`"msgtype":"note","note":{"title":"t","content":"{\"body\":\"内容甲\",\"sdk_file_id\":\"CtNOTE\"}"}`, "内容甲", "CtNOTE"},
		"ids in bare content": {`"msgtype":"zz","zz":{"content":"{\"body\":\"内容甲\",\"sdk-file-id\":\"CtNOTE\"}"}`, "内容甲", "CtNOTE"},
		"all words of a note": {`"msgtype":"note","note":{"description":"短","content":"内容甲"}`, "短\n内容甲", ""},
		"file beside payload": {`"msgtype":"text","text":{"content":"内容甲"},"extra":{"filename":"旁.pdf","sdkfileid":"CtBeside1"}`, "旁.pdf", "CtBeside1"},
		"id under other name": {`"msgtype":"zz","zz":{"sdkfileid":"CtOther123","copy":"内容甲 CtOther123"}`, "内容甲", "CtOther123"},
	} {
		f := pagesFixture(t)
		conversation := f.said(message(c.members))
		body := f.page("reader", transcriptPath(conversation)).Body.String()
		if !strings.Contains(html.UnescapeString(body), c.want) || c.not != "" && strings.Contains(body, c.not) {
			t.Errorf("%s: %q", name, f.bubbles(conversation))
		}
	}
}
