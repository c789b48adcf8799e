//go:build !race

package local_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver of index.db

	"wecom-archive/infra/local"
)

// spoiler damages a copy of the sound archive: plain files, as others do who get there.
type spoiler struct {
	t    *testing.T
	base *sound
	dir  string
}

// files are the paths below a folder, with that ending, as the sound archive has them.
func (s *spoiler) files(below, end string) (paths []string) {
	for path := range s.base.files {
		if strings.HasPrefix(path, below) && strings.HasSuffix(path, end) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	if len(paths) == 0 {
		s.t.Fatalf("%d files below %s", len(paths), below)
	}
	return paths
}

// Which one of several.
type which int

const (
	first which = iota
	early       // compacted, of the month before
	late        // compacted, of this month
	last        // not compacted, where that makes a difference
)

func (s *spoiler) one(below, end string, n which) string {
	all := s.files(below, end)
	return all[[]int{0, len(all) / 4, len(all) * 5 / 9, len(all) - 1}[n]]
}

func (s *spoiler) path(p string) string { return filepath.Join(s.dir, filepath.FromSlash(p)) }

func (s *spoiler) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// spoil is what happens to a file.
type spoil func(s *spoiler, path string)

func (s *spoiler) change(path string, change func([]byte) []byte) {
	s.t.Helper()
	body, err := os.ReadFile(s.path(path))
	s.must(err)
	// In place, as a disk or an editor does; the file keeps its times in no case.
	s.must(os.WriteFile(s.path(path), change(body), 0o600))
}

func flipAt(at func(size int) int) spoil {
	return func(s *spoiler, path string) {
		s.change(path, func(b []byte) []byte { b[at(len(b))] ^= 0x40; return b })
	}
}

func goneFile(s *spoiler, path string)  { s.must(os.Remove(s.path(path))) }
func cutFile(s *spoiler, path string)   { s.change(path, func(b []byte) []byte { return b[:len(b)/2] }) }
func emptyFile(s *spoiler, path string) { s.change(path, func([]byte) []byte { return nil }) }
func longFile(s *spoiler, path string) {
	s.change(path, func(b []byte) []byte { return append(b, 'x') })
}

var (
	flipFile   = flipAt(func(size int) int { return size / 2 })
	flipHeader = flipAt(func(int) int { return 30 })
)

// swapFile changes a file for its neighbour.
func swapFile(s *spoiler, path string) {
	dir := path[:strings.LastIndexByte(path, '/')+1]
	all := s.files(dir, "")
	i := slices.Index(all, path)
	other := all[(i+1)%len(all)]
	writeBelow(s.t, s.dir, path, s.base.files[other])
	writeBelow(s.t, s.dir, other, s.base.files[path])
}

// to makes a kind of damage of one file.
func to(below, end string, n which, what spoil) func(*spoiler) {
	return func(s *spoiler) { what(s, s.one(below, end, n)) }
}

// all makes one of all files of a sort.
func all(below, end string, what spoil) func(*spoiler) {
	return func(s *spoiler) {
		for _, path := range s.files(below, end) {
			what(s, path)
		}
	}
}

// both does two things.
func both(one, other func(*spoiler)) func(*spoiler) {
	return func(s *spoiler) { one(s); other(s) }
}

// plant puts something there that nobody of us did: what another file holds, or nonsense.
func plant(path, from string) func(*spoiler) {
	return func(s *spoiler) {
		body := []byte("nonsense")
		if from != "" {
			body = s.base.files[s.one(from, "", late)]
		}
		writeBelow(s.t, s.dir, path, body)
	}
}

func noFolder(name string) func(*spoiler) {
	return func(s *spoiler) { s.must(os.RemoveAll(s.path(name))) }
}

// noIndex removes the index, as its remedy says.
func noIndex(s *spoiler) { removeIndex(s.t, s.dir) }

// inIndex changes items of the index with SQL; some must be there to be changed.
func inIndex(statement string, args ...any) func(*spoiler) {
	return func(s *spoiler) {
		s.t.Helper()
		s.sql("index.db", statement, args...)
	}
}

func (s *spoiler) sql(file, statement string, args ...any) {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+s.path(file))
	s.must(err)
	defer db.Close()
	done, err := db.ExecContext(s.t.Context(), statement, args...)
	s.must(err)
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		s.t.Fatalf("%s: %d items, %v", statement, n, err)
	}
}

// third takes every third item away whose partition and sort key look so.
func third(partition, sort string) func(*spoiler) {
	return inIndex(`DELETE FROM items WHERE (partition, sort) IN (
		SELECT partition, sort FROM (
			SELECT partition, sort, row_number() OVER (ORDER BY partition, sort) AS n FROM items
			WHERE CAST(partition AS TEXT) GLOB ?1 AND CAST(sort AS TEXT) GLOB ?2)
		WHERE n % 3 = 1)`, partition, sort)
}

// garble makes nonsense of the values of some items.
func garble(partition, sort string) func(*spoiler) {
	return inIndex(`UPDATE items SET value = CAST('{"nonsense' AS BLOB) WHERE CAST(partition AS TEXT) GLOB ?1 AND CAST(sort AS TEXT) GLOB ?2`, partition, sort)
}

// without takes items away.
func without(partition, sort string) func(*spoiler) {
	return inIndex(`DELETE FROM items WHERE CAST(partition AS TEXT) GLOB ?1 AND CAST(sort AS TEXT) GLOB ?2`, partition, sort)
}

// withSystem does something through the open archive.
func withSystem(do func(ctx context.Context, s *spoiler, system *local.System) error) func(*spoiler) {
	return func(s *spoiler) {
		system := openMatrix(s.t, s.dir)
		defer closeSystem(s.t, system)
		s.must(do(s.t.Context(), s, system))
	}
}
