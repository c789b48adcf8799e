package wecom_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/wecom"
)

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestPayload: wherever a payload lies, it is found, and the first place that holds
// something is it.
func TestPayload(t *testing.T) {
	cases := []struct{ name, members, want string }{
		{"under its type", `"msgtype":"text","text":{"content":"x"}`, `{"content":"x"}`},
		{"docmsg under doc", `"msgtype":"docmsg","doc":{"title":"t"}`, `{"title":"t"}`},
		{"docmsg under its type", `"msgtype":"docmsg","docmsg":{"title":"t"}`, `{"title":"t"}`},
		{"docmsg under info", `"msgtype":"docmsg","info":{"title":"t"}`, `{"title":"t"}`},
		{"docmsg flat", `"msgtype":"docmsg","title":"t"`, `{"title":"t"}`},
		{"markdown under info", `"msgtype":"markdown","info":{"content":"x"}`, `{"content":"x"}`},
		{"markdown under its type", `"msgtype":"markdown","markdown":{"content":"x"}`, `{"content":"x"}`},
		{"news under info", `"msgtype":"news","info":{"item":[{"title":"t"}]}`, `{"item":[{"title":"t"}]}`},
		{"news under its type", `"msgtype":"news","news":{"item":[{"title":"t"}]}`, `{"item":[{"title":"t"}]}`},
		{"voiptext under info", `"msgtype":"voiptext","info":{"callduration":9}`, `{"callduration":9}`},
		{"voiptext under its type", `"msgtype":"voiptext","voiptext":{"callduration":0}`, `{"callduration":0}`},
		{"red packet under redpacket", `"msgtype":"external_redpacket","redpacket":{"wish":"w"}`, `{"wish":"w"}`},
		{"red packet under its type", `"msgtype":"external_redpacket","external_redpacket":{"wish":"w"}`, `{"wish":"w"}`},
		{"red packet under info", `"msgtype":"external_redpacket","info":{"wish":"w"}`, `{"wish":"w"}`},
		{"notification under its type", `"msgtype":"meeting_notification","meeting_notification":{"content":"c"}`, `{"content":"c"}`},
		{"drive file under its type", `"msgtype":"qydiskfile","qydiskfile":{"filename":"f"}`, `{"filename":"f"}`},
		{"vote under vote", `"msgtype":"vote","vote":{"votetitle":"t"}`, `{"votetitle":"t"}`},
		{"vote flat", `"msgtype":"vote","votetitle":"t","voteitem":["a"]`, `{"voteitem":["a"],"votetitle":"t"}`},
		{"the documented name goes first", `"msgtype":"docmsg","docmsg":{"title":"no"},"doc":{"title":"yes"}`, `{"title":"yes"}`},
		{"what is empty does not count", `"msgtype":"docmsg","doc":{},"docmsg":{"title":"t"}`, `{"title":"t"}`},
		{"nor what holds nothing", `"msgtype":"docmsg","doc":{"title":"","link_url":null},"docmsg":{"title":"t"}`, `{"title":"t"}`},
		{"empty, and the rest is flat", `"msgtype":"vote","vote":{},"votetitle":"t"`, `{"vote":{},"votetitle":"t"}`},
		{"empty, and no rest", `"msgtype":"text","text":{"content":""}`, `{"content":""}`},
		{"as JSON in a string", `"msgtype":"text","text":"{\"content\":\"x\"}"`, `{"content":"x"}`},
		{"in another case", `"MsgType":"Text","TEXT":{"Content":"x"}`, `{"Content":"x"}`},
		{"bare words", `"msgtype":"text","text":"x"`, `{"content":"x"}`},
		{"bare words under info", `"msgtype":"markdown","info":"x"`, `{"content":"x"}`},
		{"a bare number", `"msgtype":"text","text":12`, `{"content":12}`},
		{"a bare list", `"msgtype":"text","text":["a","b"]`, `{"content":["a","b"]}`},
		{"content is a list", `"msgtype":"text","text":{"content":["a","b"]}`, `{"content":["a","b"]}`},
		{"words beside a flat payload", `"msgtype":"link","link":"https://e.invalid","title":"t"`, `{"link":"https://e.invalid","title":"t"}`},
		{"an unknown type under its name", `"msgtype":"zz","zz":{"a":1}`, `{"a":1}`},
		{"an unknown type under info", `"msgtype":"zz","info":{"a":1}`, `{"a":1}`},
		{"an unknown type flat", `"msgtype":"zz","a":1`, `{"a":1}`},
		{"no type", `"a":1`, `{"a":1}`},
		{"nothing at all", `"msgtype":"image"`, `{}`},
		{"a switch", `"action":"switch","time":1767000001001,"user":"li.na"`, `{"time":1767000001001,"user":"li.na"}`},
	}
	for _, c := range cases {
		if got := asJSON(t, parse(text(c.members)).Payload()); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if len(cases) != 37 {
		t.Errorf("%d cases: count them", len(cases))
	}
}

// TestPayloadOfItems: the same for a message within a message.
func TestPayloadOfItems(t *testing.T) {
	cases := []struct{ name, item, want string }{
		{"JSON in a string", `{"type":"ChatRecordText","content":"{\"content\":\"x\"}"}`, `text {"content":"x"}`},
		{"an object", `{"type":"text","content":{"content":"x"}}`, `text {"content":"x"}`},
		{"plain words", `{"type":"ChatRecordText","content":"x"}`, `text {"content":"x"}`},
		{"plain words of another type", `{"type":"ChatRecordLink","content":"x"}`, `link {"content":"x"}`},
		{"a number", `{"type":"text","content":12}`, `text {"content":12}`},
		{"a list", `{"type":"text","content":["a","b"]}`, `text {"content":["a","b"]}`},
		{"a list in a string", `{"type":"text","content":"[\"a\",\"b\"]"}`, `text {"content":["a","b"]}`},
		{"cut off", `{"type":"ChatRecordImage","content":"{\"sdkfileid\":\"SECRET"}`, `image {"content":"{\"sdkfileid\":\""}`},
		{"docmsg wrapped in doc", `{"type":"docmsg","content":"{\"doc\":{\"title\":\"t\"}}"}`, `docmsg {"title":"t"}`},
		{"docmsg plain", `{"type":"docmsg","content":"{\"title\":\"t\"}"}`, `docmsg {"title":"t"}`},
		{"news wrapped in info", `{"type":"news","content":{"info":{"title":"t"}}}`, `news {"title":"t"}`},
		{"text wrapped in text", `{"type":"ChatRecordText","content":"{\"text\":{\"content\":\"x\"}}"}`, `text {"content":"x"}`},
		{"link wrapped in text", `{"type":"ChatRecordLink","content":{"text":{"title":"t"}}}`, `link {"title":"t"}`},
		{"unknown wrapped in doc", `{"type":"zz","content":{"doc":{"title":"t"}}}`, `zz {"title":"t"}`},
		{"doc beside something", `{"type":"zz","content":{"doc":{"title":"t"},"a":1}}`, `zz {"a":1,"doc":{"title":"t"}}`},
		{"without content", `{"type":"text","msgtime":5,"text":{"content":"x"}}`, `text 1970-01-01T00:00:05Z {"content":"x"}`},
		{"flat", `{"type":"image","sdkfileid":"F","from_chatroom":false}`, `image {"sdkfileid":"F"}`},
		{"milliseconds", `{"type":"text","msgtime":1767000001001,"content":"x"}`, `text 2025-12-29T09:20:01.001Z {"content":"x"}`},
		{"an item in a string", `"{\"type\":\"text\",\"content\":\"x\"}"`, `text {"content":"x"}`},
		{"loose words", `"x"`, `text {"content":"x"}`},
	}
	for _, c := range cases {
		for _, name := range []string{"item", "items"} {
			m := parse(text(`"msgtype":"mixed","mixed":{"` + name + `":[null,` + c.item + `]}`))
			items := m.Payload().Items()
			if len(items) != 1 {
				t.Errorf("%s: %d items", c.name, len(items))
				continue
			}
			got := items[0].Type + " "
			if !items[0].Time.IsZero() {
				got += items[0].Time.Format(time.RFC3339Nano) + " "
			}
			if got += asJSON(t, items[0].Payload); got != c.want {
				t.Errorf("%s: %s, want %s", c.name, got, c.want)
			}
		}
	}
	if len(cases) != 20 {
		t.Errorf("%d cases: count them", len(cases))
	}
}

// TestFileIDsAreHidden: however the name is spelt, at whatever level of JSON in
// strings, neither a page nor the text has what stands under it.
func TestFileIDsAreHidden(t *testing.T) {
	const id = "CtSECRETSECRET"
	for _, name := range []string{
		"sdkfileid", "sdk_file_id", "fileid", "SdkFileId", "FILEID", "file-id", "sdk-file-id", "Sdk_FileID", "_file_id_", "sdkfileid2", "fileids", "thumb_fileid", "sdk file id", "sdk.file.id", "file_id_list",
	} {
		object := fmt.Sprintf(`{"a":"kept",%q:%q}`, name, id)
		quoted := asJSON(t, object)
		for shape, payload := range map[string]string{
			"an object":        object,
			"a list":           fmt.Sprintf(`{"a":"kept","l":[%s]}`, object),
			"a list of ids":    fmt.Sprintf(`{"a":"kept",%q:[%q,[%q]]}`, name, id, id),
			"objects of ids":   fmt.Sprintf(`{"a":"kept",%q:[{"v":%q}]}`, name, id),
			"an object of ids": fmt.Sprintf(`{"a":"kept",%q:{"v":%q}}`, name, id),
			"a string":         fmt.Sprintf(`{"a":"kept","s":%s}`, quoted),
			"strings":          fmt.Sprintf(`{"a":"kept","s":%s}`, asJSON(t, fmt.Sprintf(`{"s":%s}`, quoted))),
		} {
			m := parse(text(`"msgtype":"zz","zz":` + payload))
			shown := asJSON(t, m.Payload().Redacted())
			if strings.Contains(shown, "SECRET") || !strings.Contains(shown, "kept") {
				t.Errorf("%s in %s is shown as %s", name, shape, shown)
			}
			if strings.Contains(m.Text, "SECRET") || !strings.Contains(m.Text, "kept") {
				t.Errorf("%s in %s: text %q", name, shape, m.Text)
			}
		}
		m := parse(text(`"msgtype":"zz","zz":{"s":` + asJSON(t, strings.TrimSuffix(object, `"}`)) + `}`))
		if shown := asJSON(t, m.Payload().Redacted()); strings.Contains(shown+m.Text, "SECRET") || !strings.Contains(shown, "kept") {
			t.Errorf("%s, cut off, is shown as %s, text %q", name, shown, m.Text)
		}
	}
	m := parse(text(`"msgtype":"zz","zz":{"sdkfileid":"` + id + `","copy":"see ` + id + `"}`))
	if got := m.Mask().Replace("see " + id); got != "see …" {
		t.Errorf("masked as %q", got)
	}
	plain := `{"a":"{\"b\":1}","c":["{}"],"empty":{"sdkfileid":""}}`
	if got := asJSON(t, parse(text(`"msgtype":"zz","zz":`+plain)).Payload().Redacted()); got != plain {
		t.Errorf("what hides nothing is changed: %s", got)
	}
}

// TestFiles: a file that no sdkfileid is given of is there, too, but not to fetch.
func TestFiles(t *testing.T) {
	for name, c := range map[string]struct{ members, want string }{
		"empty id":       {`"msgtype":"image","image":{"md5sum":"","filesize":0,"sdkfileid":""}`, `image image ""`},
		"null":           {`"msgtype":"image","image":{"filesize":1,"sdkfileid":null}`, `image image ""`},
		"no id":          {`"msgtype":"voice","voice":{"play_length":3}`, `voice voice ""`},
		"nothing":        {`"msgtype":"image"`, ` image ""`},
		"found below":    {`"msgtype":"image","picture":{"sdkfileid":"F"}`, `picture file "F"`},
		"no recording":   {`"msgtype":"meeting_voice_call","meeting_voice_call":{"endtime":1}`, ``},
		"lost recording": {`"msgtype":"meeting_voice_call","meeting_voice_call":{"sdkfileid":""}`, `meeting_voice_call call ""`},
		"text":           {`"msgtype":"text","text":{"content":"x"}`, ``},
		"unknown type":   {`"msgtype":"zz","zz":{"b":{"sdkfileid":"B"},"a":{"sdkfileid":""}}`, `zz.a file "", zz.b file "B"`},
		"in a record":    {`"msgtype":"chatrecord","chatrecord":{"item":[{"type":"ChatRecordImage","content":"{\"sdkfileid\":\"\"}"},{"type":"ChatRecordFile","content":"{\"sdkfileid\":\"F\"}"}]}`, `chatrecord.item[0] image "", chatrecord.item[1] file "F"`},
		"in a note":      {`"msgtype":"note","note":{"item":[{"type":"image","content":"{\"sdkfileid\":\"F\"}"}]}`, `note.item[0].content file "F"`},
	} {
		m := parse(text(c.members))
		var files []string
		named := 0
		for _, f := range m.Files() {
			files = append(files, fmt.Sprintf("%s %s %q", f.Path, f.Kind, f.FileID))
			if f.FileID != "" {
				named++
			}
		}
		if got := strings.Join(files, ", "); got != c.want || named != len(m.Media) {
			t.Errorf("%s: %s, want %s; %d to fetch", name, got, c.want, len(m.Media))
		}
	}
}

// TestNoGhostFiles: a file that stands beside the payload is the message's file, and
// there is no other one that WeCom did not name.
func TestNoGhostFiles(t *testing.T) {
	for _, raw := range []string{
		`{"msgtype":"image","image":[{"sdkfileid":"CAES12345678"}],"info":{"x":1}}`,
		`{"msgtype":"voice","voice":{"voice_size":1},"sdkfileid":"CAES12345678"}`,
		`{"msgtype":"file","file":{"filename":"f"},"info":{"sdkfileid":"CAES12345678"}}`,
		`{"msgtype":"mixed","mixed":{"item":[{"type":"image","content":"{\"filesize\":1}","sdkfileid":"CAES12345678"}]}}`,
	} {
		m := parse(raw)
		if files := m.Files(); len(files) != 1 || len(m.Media) != 1 {
			t.Errorf("%s: %d files, %d can be fetched", raw, len(files), len(m.Media))
		}
	}
}

// TestTypes: each once, in lower case, with the action that has none.
func TestTypes(t *testing.T) {
	seen := map[string]wecom.Type{}
	for _, k := range wecom.Types() {
		if _, twice := seen[k.Name]; twice || k.Name == "" || k.Name != strings.ToLower(k.Name) {
			t.Errorf("%+v", k)
		}
		seen[k.Name] = k
	}
	if len(seen) != 34 || seen["image"].File != wecom.MediaImage || seen["text"].File != "" || !seen[wecom.Switch].Action || seen["note"].Name == "" || seen["solitaire"].Name == "" {
		t.Errorf("%d types: %+v", len(seen), seen)
	}
	for _, raw := range samples(t) {
		if m := wecom.Parse(raw, "", pulledAt); seen[m.Type()].Name == "" {
			t.Errorf("a sample of type %q, which is not known", m.Type())
		}
	}
}
