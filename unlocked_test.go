package wecomarchive_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnlockedStaysLocal: only what runs on one machine may do without a lock.
func TestUnlockedStaysLocal(t *testing.T) {
	for _, root := range []string{"shared", "functions", "infra", "cmd"} {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			dir := filepath.ToSlash(filepath.Dir(path))
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || dir == "infra/local" || dir == "shared/store" {
				return err
			}
			text, err := os.ReadFile(path)
			if strings.Contains(string(text), "store.Unlocked(") {
				t.Errorf("%s does without a lock of the archive bucket", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
