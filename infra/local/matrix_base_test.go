//go:build !race

package local_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/infra/local"
	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/person"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/setup"
	"wecom-archive/shared/show"
	"wecom-archive/shared/viewer"
	"wecom-archive/shared/wecom"
)

// The archive that is damaged: pulled three times, in two months, of which the last
// time is not compacted.
var matrixPulls = []struct {
	at       time.Time
	messages int // that were ever said by then
	compact  bool
}{
	{time.Date(2026, 10, 31, 23, 0, 0, 0, time.UTC), 80, true},
	{time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC), 170, true},
	{time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC), 230, false},
}

// matrixNow is when it is looked at.
var matrixNow = time.Date(2026, 11, 1, 7, 0, 0, 0, time.UTC)

const matrixLimit = 20 // messages of a page

// told is a message that the archive holds.
type told struct {
	seq          int64
	conversation string
	day          string // of its time
	segment      string // key
	files        bool
}

// sound is the archive before anything happened to it.
type sound struct {
	dir      string
	files    map[string][]byte // of objects/ and derived/, by their paths below dir
	messages map[int64]told
	pages    int
}

func matrixConfig(dir string, now time.Time) local.Config {
	return local.Config{
		Dir: dir, Seed: 12, Limit: matrixLimit, FetchMedia: true, Program: "test",
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
	}
}

// buildSound makes the archive.
func buildSound(t *testing.T) *sound {
	t.Helper()
	b := &sound{dir: t.TempDir(), files: map[string][]byte{}, messages: map[int64]told{}}
	for _, pull := range matrixPulls {
		c := matrixConfig(b.dir, pull.at)
		c.Messages = pull.messages
		func() {
			system, err := local.Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			defer closeSystem(t, system)
			if err := system.Run(t.Context(), true, nil); err != nil {
				t.Fatal(err)
			}
			if pull.compact {
				if err := compactMatrix(t, system); err != nil {
					t.Fatal(err)
				}
			}
			// Somebody looks, so that there are records of looks.
			recorder := &access.Recorder{Objects: system.Objects, Now: system.Now, NewID: rand.Text}
			handler := matrixHandler(system, recorder, time.Minute)
			for _, target := range []string{"/v1/search?limit=5", "/v1/search?limit=5&order=asc"} {
				if got := ask(t, handler, target); got.Code != http.StatusOK {
					t.Fatalf("%s: %d %s", target, got.Code, got.Body)
				}
			}
		}()
	}
	b.read(t)
	return b
}

// read notes what the folder holds.
func (b *sound) read(t *testing.T) {
	t.Helper()
	for _, path := range filesBelow(t, b.dir) {
		if !strings.HasPrefix(path, "objects/") && !strings.HasPrefix(path, "derived/") {
			continue
		}
		body, err := os.ReadFile(filepath.Join(b.dir, path))
		if err != nil {
			t.Fatal(err)
		}
		b.files[path] = body
		key := strings.TrimPrefix(path, "objects/")
		if strings.HasPrefix(key, archive.PagesPrefix) {
			b.pages++
		}
		if _, _, _, ok := archive.ParseSegmentKey(key); !ok {
			continue
		}
		_, rows, err := segment.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if r.Readable() {
				b.messages[r.Seq] = told{r.Seq, r.Conversation, archive.Day(r.MsgTime), key, len(r.Media) > 0}
			}
		}
	}
}

// copyTo makes a copy of the folder.
func (b *sound) copyTo(t *testing.T, dir string) {
	t.Helper()
	for _, path := range filesBelow(t, b.dir) {
		body, known := b.files[path]
		if !known {
			var err error
			if body, err = os.ReadFile(filepath.Join(b.dir, path)); err != nil {
				t.Fatal(err)
			}
		}
		writeBelow(t, dir, path, body)
	}
}

// filesBelow are the paths of all files below a folder, in order.
func filesBelow(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			path, err = filepath.Rel(dir, path)
			paths = append(paths, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

func writeBelow(t *testing.T, dir, path string, body []byte) {
	t.Helper()
	path = filepath.Join(dir, filepath.FromSlash(path))
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, body, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func closeSystem(t *testing.T, s *local.System) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// visitorOfAll is somebody at the pages who may see everything.
type visitorOfAll struct{}

func (visitorOfAll) Visitor(http.ResponseWriter, *http.Request) (person.Person, error) {
	return person.Person{Subject: "all", Roles: []person.Role{person.Reader, person.Auditor, person.Operator}}, nil
}

func (visitorOfAll) Authenticate(r *http.Request) (person.Person, error) {
	return visitorOfAll{}.Visitor(nil, r)
}

// matrixHandler serves the API and the pages as the program does.
func matrixHandler(s *local.System, recorder show.LookRecorder, beside time.Duration) http.Handler {
	return viewer.New(viewer.Config{
		Objects: s.Objects, Derived: s.Derived, Catalog: s.Catalog, Corp: s.Corpid(), Access: recorder,
		Auth: visitorOfAll{}, Visitors: visitorOfAll{}, Insecure: true,
		Setup: setup.Settings{Corp: s.Corpid()}, Lock: s.Lock, Now: s.Now, Log: s.Log,
		SearchTime: time.Minute, BesideTime: beside,
	})
}

// compactMatrix does what the daily compaction does.
func compactMatrix(t *testing.T, s *local.System) error {
	_, err := compact.New(compact.Config{
		Objects: s.Objects, Derived: s.Derived, Program: s.Program, Read: reading.Read, Parser: wecom.ParserVersion, Log: s.Log,
		Conversations: s.Catalog.Conversations, People: s.Catalog.People, Compactions: compaction.NewIndex(s.Catalog.Table),
		Damage: damage.New(s.Objects, s.Catalog.Table, s.Corpid(), s.Now),
	}).Run(t.Context(), s.Now())
	return err
}

// held are the messages of those segments that are as they were.
func (b *sound) held(t *testing.T, dir string) map[int64]told {
	t.Helper()
	whole := map[string]bool{}
	held := map[int64]told{}
	for seq, m := range b.messages {
		is, known := whole[m.segment]
		if !known {
			body, err := os.ReadFile(filepath.Join(dir, "objects", filepath.FromSlash(m.segment)))
			is = err == nil && string(body) == string(b.files["objects/"+m.segment])
			whole[m.segment] = is
		}
		if is {
			held[seq] = m
		}
	}
	return held
}

func (m told) String() string { return fmt.Sprintf("%d of %s in %s", m.seq, m.conversation, m.segment) }

func openMatrix(t *testing.T, dir string) *local.System {
	t.Helper()
	s, err := local.OpenArchive(t.Context(), matrixConfig(dir, matrixNow))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
