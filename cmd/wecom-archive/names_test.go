package main

import (
	"bytes"
	"strings"
	"testing"

	"wecom-archive/shared/catalog"
)

// TestHostileNames: a name is what a stranger chose. It is no formula, no command of
// the terminal, and no second line.
func TestHostileNames(t *testing.T) {
	lines := []listed{lineOf("wmA", "external", catalog.DirectoryEntry{Names: []catalog.NamePeriod{{Name: "=cmd|' /C calc'!A0"}}}),
		lineOf("wmB", "external", catalog.DirectoryEntry{Names: []catalog.NamePeriod{{Name: "\x1b[2Jgone\nwmC\tx\u202e"}}})}
	for format, bad := range map[string][]string{"csv": {",=cmd", "\n=cmd"}, "table": {"\x1b", "\nwmC", "\u202e"}, "json": {"\x1b", "\nwmC"}} {
		var out bytes.Buffer
		if err := newLister(form{Format: format}, nameColumns, &out).write(lines); err != nil {
			t.Fatal(err)
		}
		for _, part := range bad {
			if strings.Contains(out.String(), part) {
				t.Errorf("%s: %q in %q", format, part, out.String())
			}
		}
		if !strings.Contains(out.String(), "wmB") {
			t.Errorf("%s: %q", format, out.String())
		}
	}
}
