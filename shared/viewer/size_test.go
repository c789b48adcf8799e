package viewer_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"wecom-archive/shared/archive"
)

// firstScreen is what a transcript's first screen may have, in bytes, uncompressed:
// the page, its style and its scripts, without media.
const firstScreen = 100_000

// TestFirstScreen: the newest messages of a conversation, with all that the page loads
// by itself, are small, however long they are: texts, and messages of every type.
func TestFirstScreen(t *testing.T) {
	texts := func(characters int) (rows []archive.Row) {
		for seq := range int64(60) {
			content, err := json.Marshal(strings.Repeat("的", characters))
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, said(seq+1, fmt.Sprintf(`{"msgid":"m%d","msgtype":"text","text":{"content":%s}}`, seq+1, content)))
		}
		return rows
	}
	samples, err := os.ReadFile("../wecom/testdata/samples.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	types := func(first, last int) (rows []archive.Row) {
		lines := strings.Split(strings.TrimSpace(string(samples)), "\n")
		for i, line := range lines[min(first, len(lines)):min(last, len(lines))] {
			rows = append(rows, said(int64(i+1), line))
		}
		return rows
	}
	for name, rows := range map[string][]archive.Row{"types": types(0, 30), "the last types": types(2, 32), "short texts": texts(20), "texts of 300 characters": texts(300), "texts of 4,000 characters": texts(4000)} {
		t.Run(name, func(t *testing.T) {
			f := pagesFixture(t)
			f.archived(rows...)
			page := f.page("reader", transcriptPath(pair))
			body := page.Body.String()
			if page.Code != http.StatusOK || strings.Count(body, "<article") == 0 {
				t.Fatalf("%d: no messages", page.Code)
			}
			total := len(body)
			for _, asset := range regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`).FindAllStringSubmatch(body, -1) {
				loaded := f.page("reader", asset[1])
				if loaded.Code != http.StatusOK {
					t.Errorf("%s: %d", asset[1], loaded.Code)
				}
				total += loaded.Body.Len()
			}
			t.Logf("%d messages, %d bytes of HTML, %d in all", strings.Count(body, "<article"), len(body), total)
			if total >= firstScreen {
				t.Errorf("%d bytes, at most %d", total, firstScreen)
			}
		})
	}
}
