package wecomarchive_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestInvariantsNameTests: every test that docs/invariants.md names exists in the
// folder that it names.
func TestInvariantsNameTests(t *testing.T) {
	doc, err := os.ReadFile("docs/invariants.md")
	if err != nil {
		t.Fatal(err)
	}
	folder := regexp.MustCompile("`([a-z0-9/-]+)`")
	name := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`)
	rows := 0
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(line, " | ")
		if len(cells) != 3 || !strings.ContainsAny(cells[0], "0123456789") {
			continue
		}
		rows++
		if !name.MatchString(cells[2]) {
			t.Errorf("invariant %s names no test", cells[0])
		}
		for proof := range strings.SplitSeq(cells[2], " · ") {
			in := "."
			if m := folder.FindStringSubmatch(proof); m != nil {
				if _, err := os.Stat(m[1]); err == nil {
					in = m[1]
				}
			}
			for _, test := range name.FindAllString(proof, -1) {
				if !defines(t, in, test) {
					t.Errorf("invariant %s: no %s in %s", cells[0], test, in)
				}
			}
		}
	}
	if rows != 10 {
		t.Errorf("%d invariants in the table, want 10", rows)
	}
}

// defines says whether a test file directly in folder, or in the whole module if
// folder is ".", defines the test.
func defines(t *testing.T, folder, test string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && folder != "." && path != folder {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") && !strings.Contains(path, "storetest") {
			return nil
		}
		if d.IsDir() {
			return nil
		}
		text, err := os.ReadFile(path)
		found = found || strings.Contains(string(text), "func "+test+"(")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
