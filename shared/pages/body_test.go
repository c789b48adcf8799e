package pages

import (
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/wecom"
)

// TestDrawingCostsNoMoreForDepth: a record within records is drawn for about what the
// same record costs by itself.
func TestDrawingCostsNoMoreForDepth(t *testing.T) {
	cost := func(depth int) float64 {
		doc := `{"item":[` + strings.Repeat(`{"type":"ChatRecordText","content":"{\"content\":\"word\"}"},`, 500) + `{}]}`
		for range depth {
			doc = `{"item":[{"type":"ChatRecord","content":` + doc + `}]}`
		}
		m := wecom.Parse([]byte(`{"msgtype":"chatrecord","chatrecord":`+doc+`}`), "m", time.Unix(1, 0))
		draw := newBodies(chinese, time.UTC, nil)
		return testing.AllocsPerRun(1, func() { draw.of(m) })
	}
	flat, deep := cost(0), cost(14)
	t.Logf("%.0f allocations, 14 levels down %.0f", flat, deep)
	if deep > 4*flat {
		t.Errorf("drawing allocates %.0f times, 14 levels down %.0f times", flat, deep)
	}
}

// TestFilesAreShownWhereTheyAre: each file once, in the item that speaks of it, also
// where it stands beside the item's content; what no item has is the message's.
func TestFilesAreShownWhereTheyAre(t *testing.T) {
	raw := `{"msgtype":"chatrecord","chatrecord":{"sdkfileid":"RECORD00","item":[
		{"type":"image","content":"{\"sdkfileid\":\"SAMEFILE\"}"},
		{"type":"text","content":"{\"content\":\"x\"}","sdkfileid":"BESIDE00"},
		{"type":"ChatRecord","content":{"item":[{"type":"image","content":{"sdkfileid":"SAMEFILE"}},{"type":"note","content":{"item":[{"type":"file","content":{"sdkfileid":"NOTE0000"}}]}}]}}]},
		"more":{"sdkfileid":"OUTSIDE0"}}`
	files := map[string]catalog.MediaFile{}
	m := wecom.Parse([]byte(raw), "m", time.Unix(1, 0))
	for _, f := range m.Media {
		files[f.FileIDHash()] = catalog.MediaFile{SHA256: f.FileID}
	}
	var walk func(b body) string
	walk = func(b body) string {
		s := b.Type
		for _, f := range b.Files {
			s += " " + f.SHA256
		}
		for _, item := range b.Items {
			s += " (" + walk(item) + ")"
		}
		return s
	}
	const want = "chatrecord RECORD00 OUTSIDE0 (image SAMEFILE) (text BESIDE00) (chatrecord (image SAMEFILE) (note (file NOTE0000)))"
	if got := walk(newBodies(chinese, time.UTC, files).of(m)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestNamesOfFilesHideIDs: no page shows what opens a file.
func TestNamesOfFilesHideIDs(t *testing.T) {
	const raw = `{"msgtype":"chatrecord","chatrecord":{"item":[{"type":"file","content":{"filename":"SECRETSECRET.pdf","sdkfileid":"SECRETSECRET"}}]}}`
	b := newBodies(chinese, time.UTC, nil).of(wecom.Parse([]byte(raw), "m", time.Unix(1, 0)))
	if got := b.Items[0].Files[0].Name; got != "….pdf" {
		t.Errorf("the file is called %q", got)
	}
}

// TestNoEmptyBubbles: a message always shows something, if only that it says nothing.
func TestNoEmptyBubbles(t *testing.T) {
	for _, raw := range []string{`no JSON`, `[]`, `{}`, `{"msgtype":"text"}`, `{"msgtype":"text","text":{}}`, `{"msgtype":"strange"}`, `{"msgtype":"chatrecord","chatrecord":{"item":[{"type":"ChatRecordText","content":"{}"}]}}`,
		`{"msgtype":"mixed","mixed":{"item":[{"type":"text","content":{"content":"x"}},{"type":"text","content":{}}]}}`} {
		b := newBodies(chinese, time.UTC, nil).of(wecom.Parse([]byte(raw), "m", time.Unix(1, 0)))
		for _, shown := range append(b.Items, b) {
			if shown.blank() {
				t.Errorf("%s: nothing is shown", raw)
			}
		}
	}
}
