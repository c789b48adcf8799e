package wecomarchive_test

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestNoPluralInParentheses: nothing that is shown leaves its plural to the reader, with
// an s in parentheses; package plural says it.
func TestNoPluralInParentheses(t *testing.T) {
	left := regexp.MustCompile(`[a-z]\((s|es)\)`)
	for _, root := range []string{"shared", "functions", "infra", "cmd"} {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			shown := []string{}
			switch filepath.Ext(path) {
			case ".go":
				shown = stringsOf(t, path)
			case ".html":
				shown = []string{readText(t, path)}
			}
			for _, text := range shown {
				if left.MatchString(text) {
					t.Errorf("%s: %.200s", path, text)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// stringsOf are the string literals of a file.
func stringsOf(t *testing.T, path string) (literals []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var s scanner.Scanner
	files := token.NewFileSet()
	s.Init(files.AddFile(path, -1, len(text)), text, nil, 0)
	for {
		switch _, kind, literal := s.Scan(); kind {
		case token.EOF:
			return literals
		case token.STRING:
			literals = append(literals, literal)
		}
	}
}
