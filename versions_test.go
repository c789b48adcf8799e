package wecomarchive_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestWhoJudgesVersions: a program of unknown source is told (doctor, status) and refused
// where it is built or would make a key. No stage asks: one that refuses to work because
// of its version loses messages.
func TestWhoJudgesVersions(t *testing.T) {
	judges := []string{"cmd/wecom-archive/keys.go", "infra/traceable/main.go", "shared/doctor/version.go", "shared/show/status.go"}
	var found []string
	for _, root := range []string{"shared", "functions", "infra", "cmd"} {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if strings.Contains(string(text), "program.Traceable(") {
				found = append(found, filepath.ToSlash(path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(found)
	if !slices.Equal(found, judges) {
		t.Errorf("%v ask whether a version is traceable, want %v", found, judges)
	}
}
