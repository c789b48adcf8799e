package wecomarchive_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestCitations: what comments, documents, templates and scripts cite is in the
// repository, and has the heading or number that they name.
func TestCitations(t *testing.T) {
	found := 0
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if made := file == "bin" || file == "wecom-archive-data" || d.Name() == "node_modules"; made || strings.HasPrefix(d.Name(), ".") && file != "." && file != ".ci" {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular() || strings.HasPrefix(d.Name(), "."):
			return nil
		}
		content, err := os.ReadFile(file)
		if err != nil || !utf8.Valid(content) || strings.ContainsRune(string(content), 0) {
			return err
		}
		cited, wrong := citations(os.DirFS("."), filepath.ToSlash(file), string(content))
		found += cited
		for _, w := range wrong {
			t.Errorf("%s: %s", file, w)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 50 {
		t.Errorf("only %d citations were found", found)
	}
}

// sectionSign is not written here: this file is read, too.
const sectionSign = "\u00a7"

var (
	address   = regexp.MustCompile(`https?://[^\s)"'` + "`" + `]+`)
	lineBreak = regexp.MustCompile(`[ \t]*\r?\n[ \t]*(?:(?://|#|\*|--)+[ \t]+)?`)
	document  = regexp.MustCompile(`[\pL\pN_./-]*[\pL\pN_-]\.md\b`)
	// A heading in quotes, or a number: of a section, or of a row of a table.
	part = regexp.MustCompile(`([\pL\pN_./-]+\.md)\)?, (?:"([^"]+)"|(?:section )?(\d+)\b(?: and (\d+)\b)?)`)
	// Only standards, which everybody can find, are cited by section signs.
	sections = regexp.MustCompile(`(?:(?:RFC \d+|OpenID [^` + sectionSign + `\n]{1,40}?),? )?` + sectionSign + `(?:[\d.]+, ` + sectionSign + `)*`)
	nameless = regexp.MustCompile(`\b[a-z]+-facts\b|\bissue \d+`)
)

// citations counts the documents that a text cites and says which citations lead
// nowhere. file is the name of the text in the repository.
func citations(repository fs.FS, file, text string) (cited int, wrong []string) {
	if !slices.ContainsFunc([]string{".md", sectionSign, "-facts", "issue "}, func(s string) bool { return strings.Contains(text, s) }) {
		return 0, nil // soon: most files cite nothing
	}
	text = lineBreak.ReplaceAllString(address.ReplaceAllString(text, ""), " ")
	for _, name := range document.FindAllString(text, -1) {
		cited++
		if find(repository, file, name) == "" {
			wrong = append(wrong, "cites "+name+", which is not in the repository")
		}
	}
	for _, m := range part.FindAllStringSubmatch(text, -1) {
		found := find(repository, file, m[1])
		if found == "" {
			continue // said above
		}
		for _, p := range m[2:] {
			if p != "" && !hasPart(repository, found, p) {
				wrong = append(wrong, fmt.Sprintf("cites %s, which has no %q", found, p))
			}
		}
	}
	for _, s := range sections.FindAllString(text, -1) {
		if strings.HasPrefix(s, sectionSign) {
			wrong = append(wrong, "cites a section by its sign: name the document and its heading")
		}
	}
	for _, name := range nameless.FindAllString(text, -1) {
		wrong = append(wrong, "cites "+name+", which is no document of the repository")
	}
	return cited, wrong
}

// find is the file that a name means in another file: seen from there, from the root,
// or from docs. Empty if there is none in the repository.
func find(repository fs.FS, from, name string) string {
	for _, folder := range []string{path.Dir(from), ".", "docs"} {
		if file := path.Join(folder, name); fs.ValidPath(file) {
			if info, err := fs.Stat(repository, file); err == nil && info.Mode().IsRegular() {
				return file
			}
		}
	}
	return ""
}

// hasPart says whether a document has a heading, with or without its number, or a
// section or a row of a table with this number.
func hasPart(repository fs.FS, file, part string) bool {
	text, err := fs.ReadFile(repository, file)
	if err != nil {
		return false
	}
	number := regexp.MustCompile(`^(\d+)\. `)
	return slices.ContainsFunc(strings.Split(string(text), "\n"), func(line string) bool {
		if strings.HasPrefix(line, "| "+part+" |") {
			return true
		}
		heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if !ok || !strings.HasPrefix(line, "#") {
			return false
		}
		m := number.FindStringSubmatch(heading)
		return heading == part || m != nil && (m[1] == part || strings.TrimPrefix(heading, m[0]) == part)
	})
}

// TestCitationsBite: citations that lead nowhere are found, others are not.
func TestCitationsBite(t *testing.T) {
	root := t.TempDir()
	for file, text := range map[string]string{
		"README":       "# A\n",
		"docs/format":  "# Formats\n\n## 1. Pages\n\n## Five days\n\n| 7 | a rule |\n",
		"shared/x/own": "# Own\n",
		"../outside":   "",
	} {
		file = filepath.Join(root, "repository", file+".md")
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	repository := os.DirFS(filepath.Join(root, "repository"))
	for _, test := range []struct {
		text string // MD stands for md, SIGN for the section sign, FACTS for facts
		want string // part of what is said; empty: nothing
	}{
		{"// See docs/format.MD, \"Five days\".", ""},
		{"// See docs/format.MD, \"Pages\", and README.MD.", ""},
		{"// See format.MD, 1 and 7, own.MD and ../../README.MD.", ""},
		{"// See [formats](docs/format.MD), section 1.", ""},
		{"// See docs/format.MD, \"Five\n\t// days\".", ""},
		{"https://example.invalid/gone.MD", ""},
		{"sum.MD5(x), x.MDx", ""},
		{"RFC 8878 SIGN3.1, OpenID Connect Core SIGN2, SIGN3.3", ""},
		{"// See gone.MD.", "gone.MD"},
		{"// See docs/gone.MD.", "docs/gone.MD"},
		{"(../../../outside.MD)", "../../../outside.MD"},
		{"# docs/format.MD, \"Six days\"", "Six days"},
		{"// docs/format.MD,\n// \"Six days\"", "Six days"},
		{"docs/format.MD, 8", `"8"`},
		{"docs/format.MD, 7 and 9", `"9"`},
		{"docs/format.MD SIGN2", "by its sign"},
		{"as designed (design SIGN5)", "by its sign"},
		{"the codes of vendor-FACTS", "vendor-FACTS"},
		{"from the start (ISSUE 8)", "ISSUE 8"},
	} {
		plain := strings.NewReplacer("MD", "md", "SIGN", sectionSign, "FACTS", "facts", "ISSUE", "issue")
		_, wrong := citations(repository, "shared/x/x.go", plain.Replace(test.text))
		said := strings.Join(wrong, "; ")
		if want := plain.Replace(test.want); want == "" && said != "" || !strings.Contains(said, want) || len(wrong) > 1 {
			t.Errorf("%q: said %q, want %q", test.text, said, want)
		}
	}
}
