package viewer_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"wecom-archive/shared/archive"
)

// TestHostileAnswers: whatever a message consists of, an answer fits into what Lambda
// can send, 6 MB as a string of JSON, and says what was left out.
func TestHostileAnswers(t *testing.T) {
	for name, text := range map[string]string{
		"quotes": `"`, "control characters": "\x01", "tags": "<", "all kinds": "\"\\<\n\u2028\x01\x7f\xffx长😀",
	} {
		t.Run(name, func(t *testing.T) {
			f := pagesFixture(t)
			long := strings.Repeat(text, 3_000_000/len(text))
			var rows []archive.Row
			for seq := range int64(2) {
				r := row(seq+1, pair, at(0), "needle")
				r.Text += " " + long
				setRaw(&r, []byte(long))
				rows = append(rows, r)
			}
			f.archived(rows...)
			for path, cut := range map[string]string{
				messagesPath(pair):                          `"cut":["text"]`,
				messagesPath(pair, "raw", "true"):           `"cut":["raw_base64","text"]`,
				"/v1/messages/2":                            `"cut":["text"]`,
				"/v1/messages/2?raw=true":                   `"cut":["raw_base64","text"]`,
				"/v1/search?q=" + url.QueryEscape("needle"): `"cut":["text"]`,
			} {
				w := f.get("auditor-token", path)
				travels, err := json.Marshal(w.Body.String())
				if err != nil || w.Code != http.StatusOK || len(travels) > 6<<20 || len(travels) < 1<<20 {
					t.Errorf("%s: %d, %d bytes of JSON, %v: %.200s", path, w.Code, len(travels), err, w.Body)
				}
				if !strings.Contains(w.Body.String(), cut) {
					t.Errorf("%s does not say what was left out", path)
				}
			}
		})
	}
}
