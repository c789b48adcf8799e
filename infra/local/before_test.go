package local_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"wecom-archive/infra/local"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/rebuild"
	"wecom-archive/shared/wecom"
)

// The archive of before: a data folder that the program of commit 1d4a10f wrote, and
// what that program answered on it. Later programs must read it the same; so the
// folder stays, and the answers change only where a change of the API is meant
// (-update, and look at the diff).
//
// Of what is stored it holds messages, compacted and not, of all usual types, in rooms, pairs
// and among several; recalls; files stored, lost, failed and pending; envelopes that
// cannot be decrypted and some that could be later; a rejected reply; names and those
// of before, consents, an alias, callbacks, scopes, checkups, keys, gaps, runs, what
// somebody laid over objects, and looks.
//
// The Go files beside it wrote it. At that commit copy them into infra/local, each as
// before_<name>, and run
//
//	BEFORE_DIR=/tmp/before/archive go test ./infra/local -run TestWriteBefore
//
// which leaves /tmp/before/archive.tar.zst. They are kept to show what the folder holds,
// not to write it again: what another program wrote would prove less.
const (
	beforeFolder  = "testdata/before/archive.tar.zst"
	beforeAnswers = "testdata/before/answers.json"
)

var updateBefore = flag.Bool("update", false, "rewrite "+beforeAnswers)

// beforeNow is when it is read: two days after the last pull of it.
var beforeNow = time.Date(2026, 11, 5, 9, 0, 0, 0, time.UTC)

// mask hides what may differ between two programs, or two runs of one, that read the
// same archive the same.
type mask struct {
	route string
	path  string // of the answer: members, [] for each of a list; the last one is hidden
	where string // only beside this, as state=pending; empty: always
	why   string
}

// masks are narrow: what is hidden is not compared, only that it is there.
var masks = []mask{
	{"/v1/messages/{seq}/media", "files.[].url", "", "signed with the machine's time and credentials of this start, and has its port; what it leads to is compared"},
	{"/v1/search", "looked_at.ms", "", "how long it took"},
	{"/v1/conversations/{id}/messages", "messages.[].parser_version", "", "a newer parser reads them; what it reads of these messages is the same"},
	{"/v1/messages/{seq}", "messages.[].parser_version", "", "likewise"},
	{"/v1/search", "hits.[].parser_version", "", "likewise"},
	{"/v1/search", "hits.[].before.parser_version", "", "likewise"},
	{"/v1/search", "hits.[].after.parser_version", "", "likewise"},
}

// masksOfReindex count as well when the index was made again, and there not even that
// something is there is compared.
var masksOfReindex = []mask{
	{"/v1/setup", "checkup", "", "a checkup is of use while it is new; reindex passes over it"},
	{"/v1/setup", "steps.[].found", "id=trusted_ip", "what the checkup found"},
	{"/v1/setup", "steps.[].state", "id=trusted_ip", "likewise"},
	{"/v1/setup", "steps.[].found", "id=doctor", "likewise"},
	{"/v1/setup", "steps.[].state", "id=doctor", "likewise"},
	{"/v1/status", "seats", "", "how many seats the puller counted; the index has it from the next pull on"},
	{"/v1/status", "parsed", "", "that program did not count them; reindex does"},
	{"/v1/messages/{seq}/media", "files.[].attempts", "state=pending", "only the index knows of tries that led to nothing yet"},
	{"/v1/messages/{seq}/media", "files.[].code", "state=pending", "likewise"},
	{"/v1/messages/{seq}/media", "files.[].reason", "state=pending", "likewise"},
	{"/v1/messages/{seq}/media", "files.[].next_try", "state=pending", "likewise"},
	{"/v1/search", "looked_at.bytes", "", "what is read depends on how the messages were compacted"},
	{"/v1/search", "looked_at.requests", "", "likewise"},
	{"/v1/search", "looked_at.messages", "", "likewise"},
	{"/v1/search", "not_looked_at.contents", "", "they are counted of what was looked at"},
	{"/v1/search", "not_looked_at.unopened", "", "they are counted of what was looked at"},
	{"/v1/search", "looked_at.without_extracts", "", "extracts are made again"},
}

// TestArchiveOfBefore: an archive that an earlier program wrote is read as that one
// read it, in every answer of the API, and also after its index was made again.
func TestArchiveOfBefore(t *testing.T) {
	stored, err := os.ReadFile(beforeAnswers)
	if err != nil && !*updateBefore {
		t.Fatal(err)
	}
	system := openBefore(t)
	t.Run("as it is", func(t *testing.T) {
		got := askAll(t, system)
		if *updateBefore {
			stored = encodeAnswers(t, got)
			if err := os.WriteFile(beforeAnswers, stored, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		compareAnswers(t, got, decodeAnswers(t, stored), nil)
	})
	t.Run("after reindex", func(t *testing.T) {
		reindexBefore(t, system)
		compareAnswers(t, askAll(t, system), decodeAnswers(t, stored), masksOfReindex)
	})
}

// openBefore unpacks the folder, takes its objects over and opens it, with its index.
func openBefore(t *testing.T) *local.System {
	t.Helper()
	dir := t.TempDir()
	unpackBefore(t, dir)
	if _, err := localstore.TakeOver(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	system, err := local.OpenArchive(t.Context(), configOfBefore(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := system.Close(); err != nil {
			t.Error(err)
		}
	})
	return system
}

func configOfBefore(dir string) local.Config {
	return local.Config{
		Dir: dir, Program: "after", Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return beforeNow },
	}
}

// sidecarOfDir stands in the packed folder for the place below which the embedded S3
// keeps the metadata of versions that others were laid over: that has the absolute path
// of the folder in it. All other metadata, too, are files there rather than extended
// attributes, which not every file system of temporary files takes.
const sidecarOfDir = ".s3/sidecar/DIR/"

func unpackBefore(t *testing.T, dir string) {
	t.Helper()
	packed, err := os.Open(beforeFolder)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	plain, err := zstd.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	for files := tar.NewReader(plain); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = unpackFile(dir, h, files)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func unpackFile(dir string, h *tar.Header, content io.Reader) error {
	path := filepath.Join(dir, filepath.FromSlash(h.Name))
	if rest, ok := strings.CutPrefix(h.Name, sidecarOfDir); ok {
		path = filepath.Join(dir, ".s3", "sidecar", dir, filepath.FromSlash(rest))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(path, 0o700)
	case tar.TypeSymlink:
		return os.Symlink(h.Linkname, path)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fs.FileMode(h.Mode).Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	// The time of a file is that of the object's version.
	return errors.Join(err, f.Close(), os.Chtimes(path, h.ModTime, h.ModTime))
}

// reindexBefore does what the operator does whose index is lost: reindex --drop, then
// compact.
func reindexBefore(t *testing.T, s *local.System) {
	t.Helper()
	_, err := rebuild.NewReindexer(rebuild.Config{
		Corp: s.Corpid(), Objects: s.Objects, Versions: s.Versions, Catalog: s.Catalog, Dropper: s.Dropper, Queue: s.Queue(), Now: s.Now, Log: s.Log,
	}).Run(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	compactBefore(t, s)
}

func compactBefore(t *testing.T, s *local.System) {
	t.Helper()
	summary, err := compact.New(compact.Config{
		Objects: s.Objects, Derived: s.Derived, Program: s.Program, Read: reading.Read, Parser: wecom.ParserVersion, Log: s.Log,
		Conversations: s.Catalog.Conversations, People: s.Catalog.People, Compactions: compaction.NewIndex(s.Catalog.Table),
	}).Run(t.Context(), s.Now())
	if err != nil || summary.Messages == 0 {
		t.Fatalf("compacting: %+v, %v", summary, err)
	}
}

// answer is one answer of the API.
type answer struct {
	Status int    `json:"status"`
	Type   string `json:"type,omitempty"`
	Body   any    `json:"body,omitempty"`
	Same   string `json:"same,omitempty"` // as another role got, in place of the body
	Look   any    `json:"look,omitempty"` // as it was recorded, of auditors

	route string
}

func encodeAnswers(t *testing.T, answers map[string]answer) []byte {
	t.Helper()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(answers); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func decodeAnswers(t *testing.T, stored []byte) (answers map[string]answer) {
	t.Helper()
	if err := decodeJSON(stored, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

// decodeJSON keeps numbers as they are written: seqs have up to 64 bits.
func decodeJSON(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// compareAnswers compares all of them, with more masked in both.
func compareAnswers(t *testing.T, got, want map[string]answer, more []mask) {
	t.Helper()
	if len(got) < 300 {
		t.Errorf("only %d answers", len(got))
	}
	differ := 0
	for _, name := range slices.Sorted(unionKeys(got, want)) {
		g, asked := got[name]
		w, known := want[name]
		w.Body = masked(w.Body, g.route, masks, false)
		g.Body, w.Body = masked(g.Body, g.route, more, true), masked(w.Body, g.route, more, true)
		is, was := encodeAnswers(t, map[string]answer{name: g}), encodeAnswers(t, map[string]answer{name: w})
		if asked && known && bytes.Equal(is, was) {
			continue
		}
		if differ++; differ <= 10 {
			t.Errorf("%s: asked now: %v, before: %v\n%s", name, asked, known, firstDifference(is, was))
		}
	}
	if differ > 0 {
		t.Errorf("%d of %d answers differ", differ, len(got))
	}
}

func unionKeys(a, b map[string]answer) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for name := range a {
			if !yield(name) {
				return
			}
		}
		for name := range b {
			if _, both := a[name]; !both && !yield(name) {
				return
			}
		}
	}
}

// firstDifference shows the lines around the first one that differs.
func firstDifference(is, was []byte) string {
	a, b := strings.Split(string(is), "\n"), strings.Split(string(was), "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(i-3, 0)
	show := func(lines []string) string {
		return strings.Join(lines[min(from, len(lines)):min(i+4, len(lines))], "\n")
	}
	return fmt.Sprintf("now:\n%s\nbefore:\n%s", show(a), show(b))
}

// masked hides what the table says in a body; with gone it is removed.
func masked(body any, route string, table []mask, gone bool) any {
	for _, m := range table {
		if m.route == route {
			m.hide(body, strings.Split(m.path, "."), gone)
		}
	}
	return body
}

func (m mask) hide(at any, path []string, gone bool) {
	switch v := at.(type) {
	case []any:
		for _, one := range v {
			m.hide(one, path[1:], gone)
		}
	case map[string]any:
		inner, ok := v[path[0]]
		name, value, some := strings.Cut(m.where, "=")
		switch {
		case !ok:
		case len(path) > 1:
			m.hide(inner, path[1:], gone)
		case some && v[name] != value:
		case gone:
			delete(v, path[0])
		default:
			v[path[0]] = "masked"
		}
	}
}
