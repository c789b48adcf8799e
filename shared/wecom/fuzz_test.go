package wecom_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"wecom-archive/shared/chat"
	"wecom-archive/shared/wecom"
)

func FuzzParse(f *testing.F) {
	for _, raw := range samples(f) {
		f.Add(raw, "1_1767000001001_external")
	}
	for _, raw := range []string{
		"", "{}", "\uFEFF{}\x00", text(`"msgtype":"text","text":{"content":"a` + "\x01" + `\q` + "\xff" + `"}`),
		nested(3), quoted(2), nested(wecom.MaxDepth + 2), `{"from":1,"tolist":"x","msgtime":1e12,"msgtype":"new","new":[{"sdkfileid":"SECRETSECRET","copy":"SECRETSECRET"}]}`,
	} {
		f.Add([]byte(raw), "")
	}
	f.Fuzz(func(t *testing.T, raw []byte, msgid string) {
		start := time.Now()
		m := wecom.Parse(raw, msgid, pulledAt)
		if took := time.Since(start); took > time.Second+time.Duration(len(raw))*20*time.Microsecond {
			t.Errorf("%d bytes took %v", len(raw), took)
		}
		if again := wecom.Parse(raw, msgid, pulledAt); describe(again) != describe(m) {
			t.Errorf("read once as\n%s\nand then as\n%s", describe(m), describe(again))
		}
		if m.Conversation == "" || len(m.Conversation) > 512 {
			t.Errorf("conversation %q", m.Conversation)
		}
		if year := m.Time.Year(); m.TimeSource == "" || year < 1973 || year > 9999 || m.Time.Nanosecond()%1e6 != 0 {
			t.Errorf("time %v from %q", m.Time, m.TimeSource)
		}
		for _, s := range []string{m.Text, m.MsgID, m.Action, m.MsgType, m.From.ID, m.RoomID, m.Conversation, m.Ref} {
			if !utf8.ValidString(s) {
				t.Errorf("%q is no UTF-8", s)
			}
		}
		if len(m.Text) > 6*len(raw) {
			t.Errorf("%d bytes gave %d bytes of text", len(raw), len(m.Text))
		}
		for _, media := range m.Media {
			if media.FileID == "" || media.Size < -1 {
				t.Errorf("media %v", media)
			}
			if strings.Count(media.Path, ".") > 200 {
				t.Errorf("media at %q", media.Path)
			}
			// Shorter ones may be words of the text, and are no sdkfileids.
			if id := media.FileID; len(id) >= 8 && len(id) <= 4096 && !strings.ContainsAny(id, " \t\r\n") && strings.Contains(m.Text, id) {
				t.Errorf("sdkfileid %q stands in the text %q", id, m.Text)
			}
			if id := media.FileID; len(id) >= 8 && len(id) <= 4096 && !strings.ContainsAny(id, " \t\r\n") && strings.Contains(media.Name+"\n"+media.MD5, id) {
				t.Errorf("sdkfileid %q stands in %q or %q", id, media.Name, media.MD5)
			}
		}
		for _, p := range append(m.To, m.From) {
			if p.ID != "" && p.Kind == chat.Employee && chat.ParticipantOf(p.ID) != p {
				t.Errorf("%+v is not folded", p)
			}
		}
	})
}

// FuzzPayload: the payload, its items and their files are found in any message, in
// time, and what a page may show of them names no file.
func FuzzPayload(f *testing.F) {
	for _, raw := range samples(f) {
		f.Add(raw)
	}
	for _, members := range []string{
		`"msgtype":"text","text":"x"`, `"msgtype":"text","text":{"content":["a",{"sdk_file_id":"SECRETSECRET"}]}`, `"msgtype":"docmsg","doc":{},"docmsg":{"title":"t"}`,
		`"msgtype":"chatrecord","chatrecord":{"item":[{"type":"ChatRecordNote","content":"{\"item\":[{\"type\":\"image\",\"content\":\"{\\\"SdkFileId\\\":\\\"SECRETSECRET\\\"}\"}]}"},"loose"]}`,
	} {
		f.Add([]byte(text(members)))
	}
	f.Add([]byte(nested(wecom.MaxDepth + 2)))
	f.Add([]byte(text(`"msgtype":"voice","voice":{"voice_size":1},"sdkfileid":"SECRETSECRET"`)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		start := time.Now()
		m := wecom.Parse(raw, "", pulledAt)
		listed := map[string]bool{}
		for _, file := range m.Files() {
			listed[file.FileID] = true
		}
		var walk func(msgtype string, payload wecom.Fields, depth int)
		walk = func(msgtype string, payload wecom.Fields, depth int) {
			checkShown(t, payload)
			for _, file := range wecom.FilesOf(payload, msgtype) {
				// A payload alone does not know of a file beside it.
				if depth == 0 && file.FileID != "" && !listed[file.FileID] {
					t.Errorf("the payload has a file at %q which the message has not", file.Path)
				}
			}
			if depth >= 3 {
				return
			}
			for _, item := range payload.Items() {
				walk(item.Type, item.Payload, depth+1)
			}
		}
		walk(m.Type(), m.Payload(), 0)
		if took := time.Since(start); took > time.Second+time.Duration(len(raw))*200*time.Microsecond {
			t.Errorf("%d bytes took %v", len(raw), took)
		}
	})
}

// checkShown looks for members named like an sdkfileid in what a page may show.
func checkShown(t *testing.T, payload wecom.Fields) {
	t.Helper()
	doc, err := json.Marshal(payload.Redacted())
	if err != nil {
		t.Fatal(err)
	}
	var v any
	decoder := json.NewDecoder(bytes.NewReader(doc))
	decoder.UseNumber() // there are larger ones than a float64
	if err := decoder.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, inner := range v {
				if s, ok := inner.(string); ok && s != "" && s != "…" && strings.HasSuffix(strings.ToLower(strings.ReplaceAll(name, "_", "")), "fileid") {
					t.Errorf("shown: %q %q", name, s)
				}
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(v)
}
