package local_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wecom-archive/infra/local"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/store"
)

// TestRefusals: what would destroy a file, or quietly go on with the wrong one, is
// refused before anything is done, with what to do instead.
func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, c *local.Config)
		want  string
	}{
		"truth is the corpus": {func(t *testing.T, c *local.Config) {
			c.Dir = t.TempDir()
			c.Corpus = filepath.Join(t.TempDir(), "corpus.txt")
			if err := os.WriteFile(c.Corpus, []byte("one\ntwo\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			c.Truth = c.Corpus
		}, "name another file"},
		"truth in the archive": {func(t *testing.T, c *local.Config) { c.Truth = filepath.Join(c.Dir, "objects", "truth") }, "elsewhere"},
		"truth is a folder":    {func(t *testing.T, c *local.Config) { c.Truth = t.TempDir() }, "not a regular file"},
		"wrapping key gone":    {func(t *testing.T, c *local.Config) { remove(t, c.Dir, "wrapping.key") }, "restore it from a backup"},
		"another wrapping key": {func(t *testing.T, c *local.Config) {
			if err := os.WriteFile(filepath.Join(c.Dir, "wrapping.key"), []byte(strings.Repeat("k", 32)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "restore that one"},
		"settings gone": {func(t *testing.T, c *local.Config) { remove(t, c.Dir, "local.json") }, "give another --dir"},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(t.TempDir())
			c.Messages = 30
			runOnce(t, c)
			test.spoil(t, &c)
			system, err := local.Open(t.Context(), c)
			if err == nil {
				t.Fatal(system.Close())
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q does not say %q", err, test.want)
			}
		})
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// TestObjectsRot damages stored objects behind the bucket's back, where the S3
// notices that they are not what was put: an event holds nothing up, and a segment
// is stored again from its page.
func TestObjectsRot(t *testing.T) {
	for name, test := range map[string]struct {
		prefix string
		body   func(old []byte) []byte
		index  bool // lost, too
		parts  int  // of segments, at the end
	}{
		"binding event":        {"events/*/binding-*", func([]byte) []byte { return []byte("{}") }, true, 3},
		"run event":            {"events/*/run-*", func([]byte) []byte { return nil }, true, 3},
		"segment, one byte":    {"messages/*/*", func(old []byte) []byte { old[len(old)/2] ^= 1; return old }, true, 4},
		"segment of no length": {"messages/*/*", func([]byte) []byte { return nil }, true, 4},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(t.TempDir())
			c.Messages, c.Limit = 300, 100
			sum := runOnce(t, c)
			found, err := filepath.Glob(filepath.Join(c.Dir, "objects", test.prefix))
			if err != nil || len(found) == 0 {
				t.Fatalf("%v: %v", found, err)
			}
			old, err := os.ReadFile(found[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(found[0], test.body(old), 0o600); err != nil {
				t.Fatal(err)
			}
			if test.index {
				removeIndex(t, c.Dir)
			}
			sum.Segments = test.parts
			if again := runOnce(t, c); again != sum {
				t.Errorf("%+v, want %+v", again, sum)
			}
		})
	}
}

// TestWrongCursor: an index whose cursor is not the end of a page would skip
// messages, or pull them twice. It is refused, and made anew it is right.
func TestWrongCursor(t *testing.T) {
	for name, seq := range map[string]uint64{"far ahead": 1 << 30, "a little ahead": 128, "behind": ^uint64(63)} {
		t.Run(name, func(t *testing.T) {
			c := config(t.TempDir())
			c.Messages, c.Limit = 300, 100
			runOnce(t, c)
			changeCursor(t, c.Dir, seq)
			c.Messages = 400
			_, err := archiveOnce(t, c)
			if !errors.Is(err, store.ErrIndexDamaged) || !strings.Contains(err.Error(), "Delete") {
				t.Fatalf("error %v, want one that names the remedy", err)
			}
			removeIndex(t, c.Dir)
			if sum := runOnce(t, c); sum.Pulled != 400 || !sum.Complete {
				t.Errorf("with a new index: %+v", sum)
			}
		})
	}
}

// changeCursor adds to the seq of the cursor in the index.
func changeCursor(t *testing.T, dir string, add uint64) {
	t.Helper()
	index, err := localstore.OpenIndex(t.Context(), filepath.Join(dir, "index.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	item, err := index.Get(t.Context(), "puller", "cursor")
	if err != nil {
		t.Fatal(err)
	}
	var cursor catalog.Cursor
	if err := json.Unmarshal(item.Value, &cursor); err != nil {
		t.Fatal(err)
	}
	cursor.Seq += add
	if item.Value, err = json.Marshal(cursor); err != nil {
		t.Fatal(err)
	}
	if err := index.Put(t.Context(), item); err != nil {
		t.Fatal(err)
	}
}
