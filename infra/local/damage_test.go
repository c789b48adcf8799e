package local_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/infra/local"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
)

// removeIndex is what the remedy of a damaged index says.
func removeIndex(t *testing.T, dir string) {
	t.Helper()
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(dir, "index.db"+end)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// places lists every message that the index finds, by conversation.
func places(t *testing.T, c local.Config) []string {
	t.Helper()
	system, err := local.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer system.Close()
	var all []string
	for back := range 7 {
		day := archive.Day(c.Now().AddDate(0, 0, -back))
		ids, err := system.Catalog.Conversations.ActiveConversations(t.Context(), day, "", 10_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			found, err := system.Catalog.Conversations.Places(t.Context(), catalog.PlaceQuery{Conversation: id, Limit: 10_000})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%s %s %v", day, id, found))
		}
	}
	return all
}

// TestIndexDamaged damages the file of the index in several ways. A start either
// archives as if nothing were, or says what to do; and what it says helps.
func TestIndexDamaged(t *testing.T) {
	dir := t.TempDir()
	c := config(dir)
	c.Messages, c.Limit = 200, 40
	want := runOnce(t, c)
	wantPlaces := places(t, c)
	if len(wantPlaces) < 10 {
		t.Fatalf("only %d conversations", len(wantPlaces))
	}
	path := filepath.Join(dir, "index.db")
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	garbage := func(from, to int) func([]byte) []byte {
		return func(db []byte) []byte {
			copy(db[from:to], bytes.Repeat([]byte{0xa5}, to-from))
			return db
		}
	}
	refused := 0
	for name, damage := range map[string]func([]byte) []byte{
		"no database":        func([]byte) []byte { return bytes.Repeat([]byte("nonsense "), 1000) },
		"header overwritten": garbage(0, 100),
		"root overwritten":   garbage(page, 2*page),
		"all but the header": garbage(page, len(sound)),
		"second half":        garbage(len(sound)/2/page*page, len(sound)),
		"cut off":            func(db []byte) []byte { return db[:len(db)/3/page*page] },
		"cut in a page":      func(db []byte) []byte { return db[:page+page/2] },
		"emptied":            func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			removeIndex(t, dir)
			if err := os.WriteFile(path, damage(bytes.Clone(sound)), 0o600); err != nil {
				t.Fatal(err)
			}
			sum, err := archiveOnce(t, c)
			if err != nil {
				refused++
				if !errors.Is(err, store.ErrIndexDamaged) && !errors.Is(err, local.ErrSegments) {
					t.Errorf("not recognised: %v", err)
				}
				for _, says := range []string{"Delete " + path, path + "-wal", path + "-shm", "start again"} {
					if !strings.Contains(err.Error(), says) {
						t.Errorf("it does not say %q: %v", says, err)
					}
				}
				removeIndex(t, dir)
				sum = runOnce(t, c)
			}
			if sum != want {
				t.Errorf("%+v, was %+v", sum, want)
			}
			if got := places(t, c); !slices.Equal(got, wantPlaces) {
				t.Errorf("%d conversations by day, or their messages, differ from the %d before", len(got), len(wantPlaces))
			}
		})
	}
	if refused < 5 {
		t.Errorf("only %d kinds of damage were noticed", refused)
	}
}

// TestSegmentsMissing: with a whole index, a segment that was removed, and one
// that the index does not know, fail the summary; the remedy stores again what is
// missing.
func TestSegmentsMissing(t *testing.T) {
	dir := t.TempDir()
	c := config(dir)
	c.Messages, c.Limit = 300, 100
	want := runOnce(t, c)
	if want.Segments != 3 || !want.Complete {
		t.Fatalf("%+v", want)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "objects", "messages", "*", "*.parquet"))
	if err != nil || len(segments) != 3 {
		t.Fatalf("segments %q, %v", segments, err)
	}
	before, err := os.ReadFile(segments[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(segments[1]); err != nil {
		t.Fatal(err)
	}
	_, err = archiveOnce(t, c)
	if !errors.Is(err, local.ErrSegments) || !strings.Contains(err.Error(), "index.db-wal") || !strings.Contains(err.Error(), "2 segments") {
		t.Fatalf("a missing segment: %v", err)
	}
	removeIndex(t, dir)
	if sum := runOnce(t, c); sum != want {
		t.Fatalf("after the remedy: %+v, want %+v", sum, want)
	}
	after, err := os.ReadFile(segments[1])
	if err != nil {
		t.Fatal(err)
	}
	if got, want := rawOf(t, after), rawOf(t, before); !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("the segment that was made anew has %d messages, the lost one had %d, or they differ", len(got), len(want))
	}

	system, err := local.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	day, asked, _, ok := archive.ParseSegmentKey("messages/" + filepath.Base(filepath.Dir(segments[0])) + "/" + filepath.Base(segments[0]))
	at, parseErr := time.Parse(time.DateOnly, day)
	if !ok || parseErr != nil {
		t.Fatalf("%s is no segment", segments[0])
	}
	err = system.Objects.PutIfAbsent(t.Context(), archive.SegmentKey(at, asked, 1), bytes.NewReader(after))
	if err := errors.Join(err, system.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := archiveOnce(t, c); !errors.Is(err, local.ErrSegments) {
		t.Errorf("a part that the index does not know: %v", err)
	}
}

// rawOf are the messages of a segment.
func rawOf(t *testing.T, body []byte) []string {
	t.Helper()
	_, rows, err := segment.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, r := range rows {
		all = append(all, string(r.Raw))
	}
	return all
}

// TestPrivate: while the system runs, nobody but the owner can read what lies in
// the data folder; an empty folder is closed, too, and an index that others could
// read.
func TestPrivate(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { // as mkdir leaves it
		t.Fatal(err)
	}
	for start := range 2 {
		system, err := local.Open(t.Context(), config(dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{".", "index.db", "index.db-wal", "index.db-shm", "objects", "derived", ".store", "lock", "local.json", "secrets.json", "wrapping.key"} {
			info, err := os.Stat(filepath.Join(dir, name))
			if errors.Is(err, fs.ErrNotExist) && name == "local.json" {
				continue // nothing was said yet
			}
			if err != nil {
				t.Error(err)
			} else if info.Mode().Perm()&0o077 != 0 {
				t.Errorf("start %d: %s has mode %04o", start+1, name, info.Mode().Perm())
			}
		}
		if err := system.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, "index.db"), 0o644); err != nil { // as earlier versions left it
			t.Fatal(err)
		}
	}
}

// TestForeignFolder: a folder with something in it keeps its mode.
func TestForeignFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "theirs"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	system, err := local.Open(t.Context(), config(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer system.Close()
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
