package show_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/show"
	"wecom-archive/shared/transcript"
)

// TestViewHidesIDsOfOldReadings: the first parser left an sdkfileid in the name of a
// file, if WeCom repeated it there.
func TestViewHidesIDsOfOldReadings(t *testing.T) {
	const id = "CAESSECRETFILEIDabc+defgh/0123456789=="
	sum := sha256.Sum256([]byte(id))
	row := archive.Row{Reading: archive.Reading{ParserVersion: 1, Media: []archive.MediaRef{
		{Name: "报告 " + id + ".pdf", MD5: id, FileIDSHA256: hex.EncodeToString(sum[:])},
		{Name: id + "x", MD5: "d41d8cd98f00b204e9800998ecf8427e"},
	}}}
	m := show.View(transcript.Message{Row: row}, false)
	if m.Media[0].Name != "报告 ….pdf" || m.Media[0].MD5 != "…" {
		t.Errorf("shown: %+v", m.Media[0])
	}
	if m.Media[1].Name != id+"x" || m.Media[1].MD5 != row.Media[1].MD5 || row.Media[0].MD5 != id {
		t.Errorf("changed: %+v, %+v", m.Media[1], row.Media)
	}
}
