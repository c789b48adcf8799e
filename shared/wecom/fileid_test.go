package wecom_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/wecom"
)

// TestNamesOfFilesHideIDs: what stands beside the text is shown to every reader, too. A
// path says where in the message, as it is written there.
func TestNamesOfFilesHideIDs(t *testing.T) {
	const id = "CAESSECRETFILEIDabcdefgh0123456789"
	for name, doc := range map[string]string{
		"filename":  `{"msgtype":"file","file":{"filename":"ID","sdkfileid":"ID"}}`,
		"md5":       `{"msgtype":"file","file":{"filename":"f","md5sum":"ID","sdkfileid":"ID"}}`,
		"another's": `{"msgtype":"strange","strange":[{"filename":"a ID.pdf","sdkfileid":"OTHERFILE"},{"sdkfileid":"ID"}]}`,
	} {
		m := wecom.Parse([]byte(strings.ReplaceAll(doc, "ID", id)), "m", time.Unix(1, 0))
		for _, f := range m.Files() {
			if strings.Contains(f.Name+" "+f.MD5, id) {
				t.Errorf("%s: %q %q", name, f.Name, f.MD5)
			}
		}
	}
}

// TestRedactedHidesKeys: an id may be the name of a member.
func TestRedactedHidesKeys(t *testing.T) {
	doc := `{"msgtype":"strange","strange":{"fileids":{"CAESSECRETFILEIDabcdefgh0123456789":{"size":1}}}}`
	m := wecom.Parse([]byte(doc), "m", time.Unix(1, 0))
	shown, err := json.Marshal(m.Payload().Redacted())
	if err != nil || strings.Contains(m.Mask().Replace(string(shown)), "SECRET") {
		t.Errorf("%s, %v", shown, err)
	}
}

// TestCutIDs: what is no JSON any more names files in these spellings, too: in what
// people wrote, in what a program did, and on a page.
func TestCutIDs(t *testing.T) {
	for _, words := range []string{
		`{"sdkfileids":["SECRET1234","SECRET5678"],"x":"tr`,
		`{'sdkfileid':'SECRET1234','x':'tr`,
		`{"sdk.file.id":"SECRET1234","x":"tr`,
		`{"sdk file id":"SECRET1234","x":"tr`,
		`https://example.com/?sdkfileid=SECRET1234&x=1`,
	} {
		for _, msgtype := range []string{"text", "strange"} {
			raw, err := json.Marshal(map[string]any{"msgtype": msgtype, msgtype: map[string]string{"content": words}})
			if err != nil {
				t.Fatal(err)
			}
			m := wecom.Parse(raw, "m", time.Unix(1, 0))
			if shown := m.Mask().Replace(words); strings.Contains(m.Text+shown, "SECRET") {
				t.Errorf("%s: text %s, shown %s", msgtype, m.Text, shown)
			}
		}
	}
	for _, words := range []string{
		"File ID: 合同编号 20240115", "the file id: presentation of May", "sdkfileid: what is that?", `my "file idea": yes`,
		`sdkfileid = "the id of a file`, `sdkfileid："请看文档里的说明", sdkfileid: "请看文档里的说明`, "sdkfileid: [1]\nhow many are there?",
	} {
		if m := parse(text(`"msgtype":"text","text":{"content":` + asJSON(t, words) + `}`)); m.Text != words || m.Mask().Replace(words) != words {
			t.Errorf("%q became %q", words, m.Text)
		}
	}
}

// TestMaskKnowsSpellings: an id in a link, or in JSON that escapes slashes.
func TestMaskKnowsSpellings(t *testing.T) {
	m := parse(text(`"msgtype":"file","file":{"sdkfileid":"CAES+SECRET/SECRET=="}`))
	for _, shown := range []string{"CAES+SECRET/SECRET==", "CAES%2BSECRET%2FSECRET%3D%3D", "CAES+SECRET%2FSECRET==", `CAES+SECRET\/SECRET==`} {
		if got := m.Mask().Replace("see " + shown + "."); got != "see …." {
			t.Errorf("%s is shown as %s", shown, got)
		}
	}
}
