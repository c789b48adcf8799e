//go:build !race

package local_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"wecom-archive/infra/local"
	"wecom-archive/shared/archive"
)

// kind is a row of the matrix: something happens to an archive, and what has to follow.
type kind struct {
	name   string
	damage func(*spoiler)

	// says are the alarms that stand once the archive was looked through: one of them
	// at least. Meanwhile nothing is well.
	says string
	// mends is what helps, in order. Afterwards all is well, and every message that was
	// ever in the archive is found, unless leaves or loses says otherwise.
	mends []mend
	// leaves are the alarms that stay for whoever looks into it, as "incident".
	leaves string
	// loses: some messages are nowhere any more.
	loses bool

	// hides: the index no longer tells of all, so that answers lack messages that
	// segments hold until it is made again. They say so once the archive was looked through.
	hides bool
	// blank: the index is new and says that nothing was ever pulled; what that does to
	// answers need not stand in each of them.
	blank bool
	// broken: the index is no database any more. The programs that write say what to do.
	broken bool
	// harmless: it lies where no part of the archive does.
	harmless bool
	// refuses: the archive does not open, and says what to do.
	refuses string
}

const (
	pages     = "objects/pages/"
	segments  = "objects/messages/"
	events    = "objects/events/"
	linkFiles = "objects/links/"
	keyFiles  = "objects/keys/"
	nameParts = "objects/directory/"
	media     = "objects/media/"
	looks     = "objects/access/"
	derived   = "derived/compactions/"
)

// kinds are what is done to it.
func kinds() []kind {
	var all []kind
	for _, some := range [][]kind{kindsOfPages(), kindsOfSegments(), kindsOfFacts(), kindsOfDerived(), kindsOfIndex(), kindsOfTwo()} {
		all = append(all, some...)
	}
	return all
}

var back = []mend{restore, scrubAgain}

func kindsOfPages() []kind {
	return []kind{
		{name: "nothing", damage: func(*spoiler) {}},
		{name: "page missing", damage: to(pages, "", late, goneFile), says: "damage", mends: back},
		{name: "page flipped", damage: to(pages, "", late, flipFile), says: "damage", mends: back},
		{name: "page cut", damage: to(pages, "", early, cutFile), says: "damage", mends: back},
		{name: "page empty", damage: to(pages, "", early, emptyFile), says: "damage", mends: back},
		{name: "page swapped", damage: to(pages, "", late, swapFile), says: "damage", mends: back},
		{name: "page's header flipped", damage: to(pages, "", late, flipHeader), says: "damage", mends: back},
		{name: "first page missing", damage: to(pages, "", first, goneFile), says: "damage", mends: back},
		{name: "last page flipped", damage: to(pages, "", last, flipFile), says: "damage", mends: back},
		{name: "last page missing", damage: to(pages, "", last, goneFile), says: "damage", mends: back},
		{name: "all pages missing", damage: all(pages, "", goneFile), says: "damage", mends: back},
		{name: "page missing, acknowledged", damage: to(pages, "", late, goneFile), says: "damage", mends: []mend{acknowledge}},
		{name: "page missing, made anew", damage: to(pages, "", late, goneFile), says: "damage", mends: []mend{reindex, acknowledge}, leaves: "incident"},
		{name: "foreign name among pages", damage: plant(pages+"foreign.txt", ""), says: "stray", mends: []mend{acknowledge}},
		{name: "foreign page far away", damage: plant(pages+"00000000000000099999.json.zst", pages), says: "stray", mends: []mend{restore, scrubAgain}},
		{name: "nonsense where the next page comes", damage: plantNext(""), says: "stray", mends: []mend{restore, scrubAgain}},
		{name: "another page where the next one comes", damage: plantNext(pages), says: "stray", mends: []mend{restore, scrubAgain}},
	}
}

// plantNext puts something where the puller will store its next page.
func plantNext(from string) func(*spoiler) {
	return func(s *spoiler) {
		system := openMatrix(s.t, s.dir)
		cursor, err := system.Catalog.Pages.Cursor(s.t.Context())
		s.must(err)
		closeSystem(s.t, system)
		plant("objects/"+archive.PageKey(cursor.Seq), from)(s)
	}
}

func kindsOfSegments() []kind {
	return []kind{
		{name: "segment missing, compacted", damage: to(segments, "", early, goneFile), says: "damage", mends: back},
		{name: "segment flipped, compacted", damage: to(segments, "", late, flipFile), says: "damage", mends: back},
		{name: "segment missing", damage: to(segments, "", last, goneFile), says: "damage", mends: back},
		{name: "segment flipped", damage: to(segments, "", last, flipFile), says: "damage", mends: back},
		{name: "segment cut", damage: to(segments, "", last, cutFile), says: "damage", mends: back},
		{name: "segment empty", damage: to(segments, "", last, emptyFile), says: "damage", mends: back},
		{name: "segment swapped", damage: to(segments, "", last, swapFile), says: "damage", mends: back},
		{name: "segment swapped, compacted", damage: to(segments, "", first, swapFile), says: "damage", mends: back},
		{name: "segment of another archive", damage: foreignSegment, says: "damage", mends: back},
		{name: "all segments missing", damage: all(segments, "", goneFile), says: "damage", mends: back},
		{name: "segments of a day missing", damage: all(segments+"dt=2026-11-01/", "", goneFile), says: "damage", mends: back},
		{name: "segment missing, made anew", damage: to(segments, "", last, goneFile), says: "damage", mends: []mend{reindex, scrubAgain}, leaves: "incident"},
		{name: "segment flipped, stored again", damage: to(segments, "", last, flipFile), says: "damage", mends: []mend{reindex, acknowledge}, leaves: "incident quarantine"},
		{name: "part of a segment that nobody put there", damage: plantPart, says: "stray", mends: back},
		{name: "part of a segment, as of a race", damage: withSystem(putPart), says: "index", mends: []mend{reindex, scrubAgain}},
		{name: "foreign name among segments", damage: plant(segments+"dt=2026-11-01/junk.parquet", ""), says: "stray", mends: []mend{acknowledge}},
	}
}

// foreignSegment puts the segment of another archive over one of ours.
func foreignSegment(s *spoiler) {
	dir := s.t.TempDir()
	unpackBefore(s.t, dir)
	for _, path := range filesBelow(s.t, dir) {
		if strings.HasSuffix(path, ".parquet") && strings.HasPrefix(path, segments) {
			body, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
			s.must(err)
			writeBelow(s.t, s.dir, s.one(segments, "", last), body)
			return
		}
	}
	s.t.Fatal("the other archive has no segment")
}

// plantPart puts a second part beside a segment: with the messages of another one.
func plantPart(s *spoiler) {
	path := s.one(segments, "", last)
	writeBelow(s.t, s.dir, strings.TrimSuffix(path, ".parquet")+"-r1.parquet", s.base.files[s.one(segments, "", late)])
}

// putPart stores all messages of a segment again, as two archivers do that race.
func putPart(ctx context.Context, s *spoiler, system *local.System) error {
	path := s.one(segments, "", last)
	key := strings.TrimSuffix(strings.TrimPrefix(path, "objects/"), ".parquet") + "-r1.parquet"
	if err := system.Objects.PutIfAbsent(ctx, key, bytes.NewReader(s.base.files[path])); err != nil {
		return fmt.Errorf("putting %s: %w", filepath.Base(key), err)
	}
	return nil
}
