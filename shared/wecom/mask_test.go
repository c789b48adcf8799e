package wecom_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/wecom"
)

// withIDs is a message that has a text and as many files.
func withIDs(words string, ids ...string) wecom.Message {
	var files strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&files, `,{"sdkfileid":%q}`, id)
	}
	return parse(text(fmt.Sprintf(`"msgtype":"x","x":{"words":%q,"files":[0%s]}`, words, files.String())))
}

// TestMaskHidesTheLongestID: where several ids fit, nothing of the longest is left.
func TestMaskHidesTheLongestID(t *testing.T) {
	ids := []string{"CAESaaaa", "CAESaaaabbbb", "CAESaaaabbbbcccc", "CAESaaaabbbbdddd", "XCAESaaaa", "DDDDDDDDD", "short"}
	for words, want := range map[string]string{
		"a CAESaaaabbbbcccc z":       "a … z",
		"a CAESaaaabbbbcccz":         "a …cccz",
		"a CAESaaaab":                "a …b",
		"CAESaaaabbbbddddCAESaaaa":   "……",
		"XCAESaaaabbbb":              "…bbbb",
		"a CAESaaa":                  "a CAESaaa",
		"short DDDDDDDD ZZZZZZZZZZZ": "short DDDDDDDD ZZZZZZZZZZZ",
		"DDDDDDDDDDDDDDDDDDD":        "……D",
	} {
		m := withIDs(words, ids...)
		if got := m.Mask().Replace(words); got != want || m.Text != strings.ReplaceAll(want, "…", "\n") {
			t.Errorf("%q became %q, text %q", words, got, m.Text)
		}
	}
}

// TestMaskTakesLinearTime: many ids that begin alike, and texts that do.
func TestMaskTakesLinearTime(t *testing.T) {
	var nested, ended []string
	for n := 8; n < 800; n++ {
		nested = append(nested, strings.Repeat("a", n))
		ended = append(ended, strings.Repeat("a", n)+"b")
	}
	for name, ids := range map[string][]string{"each within the next": nested, "with another end": ended} {
		for _, unit := range []string{"a", "aaaaaaaa ", strings.Repeat("a", 700) + "c"} {
			words := strings.Repeat(unit, (300<<10)/len(unit))
			start := time.Now()
			m := withIDs(words, ids...)
			m.Mask().Replace(words)
			took := time.Since(start)
			if t.Logf("%s, %.9s: %v", name, unit, took); took > 2*time.Second {
				t.Errorf("%s, %.9s: took %v", name, unit, took)
			}
		}
	}
}
