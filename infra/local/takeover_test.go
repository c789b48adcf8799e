package local_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wecom-archive/infra/local"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/localstore"
)

// tree is what lies in a folder: the SHA-256 of each file.
func tree(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	found := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		body, err := os.ReadFile(path)
		found[strings.TrimPrefix(path, dir)] = sha256.Sum256(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestTakeOver: a folder of before is refused, with the command that helps, and not
// touched; that command makes it a folder of now that gives the same answers.
func TestTakeOver(t *testing.T) {
	dir := t.TempDir()
	unpackBefore(t, dir)
	before := tree(t, dir)
	c := configOfBefore(dir)
	for name, open := range map[string]func(context.Context, local.Config) (*local.System, error){"local": local.Open, "other commands": local.OpenArchive} {
		s, err := open(t.Context(), c)
		if err == nil {
			t.Fatal(errors.Join(errors.New(name+" takes it"), s.Close()))
		}
		if !errors.Is(err, localstore.ErrOldFolder) || !strings.Contains(err.Error(), "wecom-archive takeover --dir "+dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !maps.Equal(tree(t, dir), before) {
		t.Error("the folder was changed")
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := local.TakeOver(ended, c); err == nil {
		t.Error("it goes on when it is told to end")
	}
	taken, err := local.TakeOver(t.Context(), c)
	if err != nil || taken.Laid != 8 || taken.Objects < 270 || taken.Bytes < 1<<20 {
		t.Fatalf("%+v, %v", taken, err)
	}
	if _, err := local.TakeOver(t.Context(), c); err == nil {
		t.Error("it takes over what it has taken over")
	}
	system, err := local.OpenArchive(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := system.Close(); err != nil {
			t.Error(err)
		}
	}()
	compactBefore(t, system)
	stored, err := os.ReadFile(beforeAnswers)
	if err != nil {
		t.Fatal(err)
	}
	compareAnswers(t, askAll(t, system), decodeAnswers(t, stored), masksOfReindex)
	laid, earliest := 0, 0
	for v, err := range system.Versions.ListVersions(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if v.Earliest {
			earliest++
		} else {
			laid++
		}
	}
	if laid != 8 || earliest < 250 {
		t.Errorf("%d versions over objects, and %d objects", laid, earliest)
	}
}

// TestSumsLost: without the file of the sums a folder is not taken for an empty one,
// and can be taken over.
func TestSumsLost(t *testing.T) {
	dir := t.TempDir()
	c := config(dir)
	c.Messages, c.Limit = 60, 20
	want := runOnce(t, c)
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(dir, ".store", "sums.db"+end)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if _, err := archiveOnce(t, c); !errors.Is(err, localstore.ErrOldFolder) {
		t.Fatalf("a start = %v", err)
	}
	if _, err := local.TakeOver(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if got := runOnce(t, c); got != want {
		t.Errorf("%+v, was %+v", got, want)
	}
}

// TestTamperedFiles: what somebody did to the files is recorded as incidents, once.
func TestTamperedFiles(t *testing.T) {
	c := config(t.TempDir())
	c.Messages, c.Limit = 60, 20
	runOnce(t, c)
	system, err := local.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer system.Close()
	pages, err := filepath.Glob(filepath.Join(c.Dir, "objects", "pages", "*"))
	if err != nil || len(pages) != 3 {
		t.Fatalf("%q, %v", pages, err)
	}
	if err := errors.Join(os.WriteFile(pages[0], []byte("a lie"), 0o600), os.Remove(pages[1]), os.WriteFile(pages[2]+"x", []byte("planted"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []catalog.IncidentCount{{Found: 3, New: 3}, {Found: 3}} {
		if got, err := catalog.RecordIncidents(t.Context(), system.Versions, system.Objects, system.Catalog.Journal, system.Corpid(), ""); err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
}
