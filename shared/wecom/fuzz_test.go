package wecom_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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
		}
		for _, p := range append(m.To, m.From) {
			if p.ID != "" && p.Kind == wecom.Employee && wecom.ParticipantOf(p.ID) != p {
				t.Errorf("%+v is not folded", p)
			}
		}
	})
}
