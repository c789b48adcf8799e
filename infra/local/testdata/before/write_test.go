// Package local_test: these two files wrote archive.tar.zst, see ../../before_test.go.
package local_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"wecom-archive/infra/local"
	"wecom-archive/shared/wecom/wecomtest"
)

const (
	beforeSeed    = 11
	beforeProgram = "before"
	beforeCorp    = "ww5117a9e0c0ffee01"
	phaseMessages = 6000 // made up in each phase, of which few are taken
)

// phase is a time in which the company talked, and after which it was archived. More
// than five days lie between the first two, so that there is a gap.
type phase struct {
	extent wecomtest.Extent
	now    time.Time
}

var phases = []phase{
	{wecomtest.Extent{From: day(2026, 9, 29), To: day(2026, 10, 2)}, day(2026, 10, 2).Add(time.Hour)},
	{wecomtest.Extent{From: day(2026, 10, 17), To: day(2026, 10, 20)}, day(2026, 10, 20).Add(time.Hour)},
	{wecomtest.Extent{From: day(2026, 10, 31), To: day(2026, 11, 3)}, day(2026, 11, 3).Add(time.Hour)},
}

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 8, 0, 0, 0, time.UTC) }

// TestWriteBefore writes the folder.
func TestWriteBefore(t *testing.T) {
	dir := os.Getenv("BEFORE_DIR")
	if dir == "" {
		t.Skip("BEFORE_DIR names no folder")
	}
	// The embedded S3 keeps metadata in extended attributes, or here if this is there:
	// plain files come through an archive and onto every file system.
	if err := os.MkdirAll(filepath.Join(dir, ".s3", "sidecar"), 0o700); err != nil {
		t.Fatal(err)
	}
	chosen := choose(lines(t))
	spoilFiles(chosen[0])
	w := &writer{T: t, dir: dir, chosen: chosen}
	for n, p := range phases {
		p.extent.Count = len(chosen[n])
		w.extents = append(w.extents, p.extent)
		for _, l := range chosen[n] {
			w.corpus.Write(append(l.raw, '\n'))
		}
		w.began, w.base = time.Now(), p.now
		t.Logf("phase %d: %d messages", n+1, len(chosen[n]))
		w.settings()
		w.phase(n)
	}
	w.pack(dir + ".tar.zst")
}

type writer struct {
	*testing.T
	dir     string
	chosen  [][]line
	corpus  bytes.Buffer
	extents []wecomtest.Extent
	began   time.Time // by the machine
	base    time.Time // and then by this clock
	serial  int
}

func (w *writer) now() time.Time { return w.base.Add(time.Since(w.began)) }

func (w *writer) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *writer) newID() string {
	w.serial++
	return fmt.Sprintf("before-%04d", w.serial)
}

// settings tells the simulated company what it has said. The corpus grows, which a
// start would refuse; so its hash is left out and told anew.
func (w *writer) settings() {
	path := w.corpusFile()
	w.must(os.WriteFile(path, w.corpus.Bytes(), 0o600))
	sum := fmt.Sprintf("%x", sha256.Sum256(w.corpus.Bytes()))
	text, err := json.MarshalIndent(map[string]any{"version": 1, "seed": beforeSeed, "unreadable": 50, "corpus_sha256": sum, "extents": w.extents}, "", "  ")
	w.must(err)
	w.must(os.WriteFile(filepath.Join(w.dir, "local.json"), text, 0o600))
}

func (w *writer) corpusFile() string { return filepath.Clean(w.dir) + ".corpus" }

func (w *writer) config() local.Config {
	return local.Config{
		Dir: w.dir, Seed: beforeSeed, Corpus: w.corpusFile(), Limit: 40, FetchMedia: true,
		Program: beforeProgram, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})), Now: w.now,
	}
}

func (w *writer) phase(n int) {
	ctx := w.Context()
	s, err := local.Open(ctx, w.config())
	w.must(err)
	switch n {
	case 1:
		w.change(s)
		s.Corp.Fail(1, wecomtest.Garbage)
	case 2:
		w.change(s)
	}
	_, err = s.Pull(ctx)
	w.must(err)
	w.failOnce(s)
	w.base = w.base.Add(2 * time.Hour) // of runs without news only one an hour leaves an event
	w.must(s.Run(ctx, true, nil))
	w.must(s.RequestPull(ctx, "the-operator"))
	w.tellAll(s, n)
	w.looks(s, n)
	w.must(s.Close())
	if n != 1 {
		return
	}
	w.layOver()
	w.base, w.began = day(2026, 10, 28), time.Now()
	s, err = local.OpenArchive(ctx, w.config())
	w.must(err)
	w.compactAndAlias(s)
	w.must(s.Close())
}

// pack writes the folder as one file, without what belongs to no archive: locks, and
// files under way. The place of some metadata has the folder's absolute path in it.
func (w *writer) pack(path string) {
	out, err := os.Create(path)
	w.must(err)
	zip, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(8<<20))
	w.must(err)
	files := tar.NewWriter(zip)
	w.must(filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		w.must(err)
		name, err := filepath.Rel(w.dir, path)
		w.must(err)
		switch {
		case name == ".":
			return nil
		case name == ".spool" || name == ".s3/buckets/.vgwlocks":
			return filepath.SkipDir
		case name == "lock":
			return nil
		}
		info, err := d.Info()
		w.must(err)
		target := ""
		if d.Type() == fs.ModeSymlink {
			target, err = os.Readlink(path)
			w.must(err)
		}
		header, err := tar.FileInfoHeader(info, target)
		w.must(err)
		header.Name, header.Uid, header.Gid, header.Uname, header.Gname, header.Format = strings.Replace(name, ".s3/sidecar"+w.dir+"/", ".s3/sidecar/DIR/", 1), 0, 0, "", "", tar.FormatPAX
		w.must(files.WriteHeader(header))
		if d.Type().IsRegular() {
			content, err := os.ReadFile(path)
			w.must(err)
			_, err = files.Write(content)
			w.must(err)
		}
		return nil
	}))
	w.must(errors.Join(files.Close(), zip.Close(), out.Close()))
}
