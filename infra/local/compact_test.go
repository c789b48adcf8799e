package local_test

import (
	"os"
	"path/filepath"
	"testing"

	"wecom-archive/infra/local"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/damage"
)

// TestDerivedHeals: without the folder of what is derived, and with altered files in it,
// the next compaction makes it again.
func TestDerivedHeals(t *testing.T) {
	c := config(t.TempDir())
	c.Messages, c.Limit = 200, 40
	runOnce(t, c)
	system, err := local.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer system.Close()
	if sum, err := system.Compact(t.Context()); err != nil || sum.Messages == 0 || sum.Renewed != "" {
		t.Fatalf("%+v, %v", sum, err)
	}
	month := c.Now().Format(archive.MonthLayout)
	for name, harm := range map[string]func(file string) error{
		"lost":    func(string) error { return os.RemoveAll(filepath.Join(c.Dir, "derived", "compactions")) },
		"cut":     func(file string) error { return os.Truncate(file, 10) },
		"altered": func(file string) error { return os.WriteFile(file, []byte("nonsense"), 0o600) },
		"removed": os.Remove,
	} {
		for _, end := range []string{"parquet", "extract", "directory"} {
			files, err := filepath.Glob(filepath.Join(c.Dir, "derived", "compactions", "*", "*", "*."+end))
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			if err := harm(files[len(files)-1]); err != nil {
				t.Fatal(err)
			}
			if sum, err := system.Compact(t.Context()); err != nil || sum.Renewed != month {
				t.Errorf("%s %s: %+v, %v", end, name, sum, err)
			}
			if sum, err := system.Compact(t.Context()); err != nil || sum.Renewed != "" {
				t.Errorf("%s %s, once more: %+v, %v", end, name, sum, err)
			}
		}
	}
	s, err := damage.New(system.Objects, system.Catalog.Table, system.Corpid(), c.Now).Summary(t.Context())
	if err != nil || len(s.Open) > 0 {
		t.Errorf("%+v, %v", s, err)
	}
}
