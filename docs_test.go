package wecomarchive_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// TestLinks: every relative link of the documents leads to something.
func TestLinks(t *testing.T) {
	var documents []string
	for _, folder := range []string{".", "docs", "docs/decisions"} {
		found, err := filepath.Glob(filepath.Join(folder, "*.md"))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d documents, %v", folder, len(found), err)
		}
		documents = append(documents, found...)
	}
	link := regexp.MustCompile(`\]\(([^)]+)\)`)
	for _, document := range documents {
		text := readText(t, document)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			path, part, _ := strings.Cut(m[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			target := document
			if path != "" {
				target = filepath.Join(filepath.Dir(document), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s leads to %s: %v", document, m[1], err)
			} else if part != "" && !slices.Contains(anchors(readText(t, target)), part) {
				t.Errorf("%s leads to %s, which has no such heading", document, m[1])
			}
		}
	}
}

// anchors are the names that GitHub gives to the headings of a document.
func anchors(text string) (names []string) {
	for line := range strings.Lines(text) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			name := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(heading)), " ", "-")
			names = append(names, regexp.MustCompile(`[^\p{L}\p{N}_-]`).ReplaceAllString(name, ""))
		}
	}
	return names
}

// TestHops: what CONTRIBUTING.md says of where something is decided is there.
func TestHops(t *testing.T) {
	rows := section(t, "CONTRIBUTING.md", "The hops")
	hop := regexp.MustCompile("\\]\\(([^)]+\\.go)\\): ((?:`[^`]+`(?:, )?)+)")
	name := regexp.MustCompile("`([^`]+)`")
	hops := hop.FindAllStringSubmatch(rows, -1)
	if len(hops) < 10 {
		t.Errorf("%d hops", len(hops))
	}
	for _, m := range hops {
		defined := declared(t, m[1])
		for _, n := range name.FindAllStringSubmatch(m[2], -1) {
			if !defined[n[1]] {
				t.Errorf("%s does not define %s", m[1], n[1])
			}
		}
	}
}

// declared is what a file defines at the top: functions, methods as Type.Method, types,
// variables and constants.
func declared(t *testing.T, file string) map[string]bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, d := range parsed.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				name = strings.TrimPrefix(named(d.Recv.List[0].Type, nil), ".") + "." + name
			}
			names[name] = true
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					names[s.Name.Name] = true
				case *ast.ValueSpec:
					for _, n := range s.Names {
						names[n.Name] = true
					}
				}
			}
		}
	}
	return names
}

// TestRooms: the table of rooms in CONTRIBUTING.md has each package of shared, and none
// imports another one that stands below it.
func TestRooms(t *testing.T) {
	line := map[string]int{} // of the table, by room
	name := regexp.MustCompile("`([a-z]+)`")
	for i, row := range strings.Split(section(t, "CONTRIBUTING.md", "Rooms"), "\n") {
		cells := strings.Split(row, " | ")
		if len(cells) != 3 {
			continue
		}
		for _, m := range name.FindAllStringSubmatch(cells[0], -1) {
			line[m[1]] = i
		}
	}
	for _, row := range strings.Fields(goList(t, "-f", `{{.ImportPath}}:{{join .Imports ","}}`, "./shared/...")) {
		path, imports, _ := strings.Cut(strings.TrimPrefix(row, module+"shared/"), ":")
		room, _, _ := strings.Cut(path, "/")
		at, ok := line[room]
		if !ok {
			t.Errorf("%s is in no line of the table", path)
		}
		for imported := range strings.SplitSeq(imports, ",") {
			imported, ours := strings.CutPrefix(imported, module+"shared/")
			below, _, _ := strings.Cut(imported, "/")
			if ours && line[below] > at {
				t.Errorf("%s imports %s, which the table has below it", path, imported)
			}
		}
	}
}

// section is the text of a document under a heading, up to the next one.
func section(t *testing.T, document, heading string) string {
	t.Helper()
	_, text, ok := strings.Cut(readText(t, document), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("%s has no section %q", document, heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
