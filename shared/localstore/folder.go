package localstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Folder keeps the objects of an archive as plain files in a folder. Below it lie
//
//	objects/KEY      an object of the archive bucket, its bytes and nothing else
//	derived/KEY      an object of the derived bucket, likewise
//	.store/staging/  what is being written
//	.store/sums.db   the SHA-256 of each object
//	.store/laid/     what had been laid over objects of the archive bucket when the
//	                 folder was taken over (TakeOver)
//
// A put writes beside, in the staging folder, and syncs; writes the SHA-256 down,
// durably; and only then gives the file its name, by link(2), which fails where
// there is one, and syncs the folder. A process that is killed leaves at most a file
// in the staging folder, that is removed later, and a sum without an object.
//
// Whatever lies at a key and has not the SHA-256 of a put is reported, and never
// served as if it were the object.
//
// Several processes may have the same Folder open.
type Folder struct {
	objects *Objects
	derived *Derived
	sums    *sums
	links   *links
}

// Where things lie below a Folder's own.
const (
	objectsFolder = "objects"
	derivedFolder = "derived"
	storeFolder   = ".store"
	stagingFolder = "staging"
	laidFolder    = "laid"
	sumsFile      = "sums.db"
	beforeFolder  = ".s3" // of earlier versions: an embedded S3
)

const (
	folderMode = 0o700
	objectMode = 0o600

	// leftoverAge is when an unfinished file must belong to a process that is
	// gone: no put takes so long.
	leftoverAge = time.Hour
)

// ErrOldFolder says that a folder has objects whose SHA-256 nobody wrote down: an
// earlier version made it, or the sums are lost. TakeOver helps.
var ErrOldFolder = errors.New("its objects have no sums yet")

// OpenFolder opens the folder dir, and makes one if there is nothing in it. It
// returns ErrOldFolder, having changed nothing, if TakeOver has to come before.
func OpenFolder(ctx context.Context, dir string) (*Folder, error) {
	if err := CheckFolder(dir); err != nil {
		return nil, err
	}
	return openFolder(ctx, dir, sumsFile, names{escape: escapeKeys})
}

func openFolder(ctx context.Context, dir, sumsName string, n names) (*Folder, error) {
	own := filepath.Join(dir, storeFolder)
	staging := filepath.Join(own, stagingFolder)
	made := []string{filepath.Join(dir, objectsFolder), filepath.Join(dir, derivedFolder), own, staging}
	for _, folder := range made {
		if err := os.MkdirAll(folder, folderMode); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(syncDir(dir), syncDir(own), removeLeftovers(staging, time.Now())); err != nil {
		return nil, err
	}
	stored, err := openSums(ctx, filepath.Join(own, sumsName))
	if err != nil {
		return nil, err
	}
	if err := syncDir(own); err != nil {
		return nil, errors.Join(err, stored.close())
	}
	bucketOf := func(id bucketID, folder string) *bucket {
		return &bucket{id: id, root: filepath.Join(dir, folder), staging: staging, names: n, sums: stored, steps: func(string) error { return nil }}
	}
	f := &Folder{sums: stored}
	f.objects = &Objects{bucket: bucketOf(archiveID, objectsFolder)}
	f.derived = &Derived{bucket: bucketOf(derivedID, derivedFolder)}
	f.links = newLinks(f.objects)
	f.objects.links = f.links
	return f, nil
}

// Objects is the archive bucket.
func (f *Folder) Objects() *Objects { return f.objects }

// Derived is the bucket of what can be made again.
func (f *Folder) Derived() *Derived { return f.derived }

// Close ends what the folder serves. Calls that are under way may fail.
func (f *Folder) Close() error { return errors.Join(f.links.close(), f.sums.close()) }

// CheckFolder returns ErrOldFolder if TakeOver has to come before OpenFolder. It
// changes nothing.
func CheckFolder(dir string) error {
	old, err := isOld(dir)
	if err == nil && old {
		err = ErrOldFolder
	}
	if err != nil {
		return fmt.Errorf("opening %s: %w", dir, err)
	}
	return nil
}

func isOld(dir string) (bool, error) {
	if _, err := os.Lstat(filepath.Join(dir, beforeFolder)); !isAbsent(err) {
		return err == nil, err
	}
	if _, err := os.Lstat(filepath.Join(dir, storeFolder, sumsFile)); !isAbsent(err) {
		return false, err
	}
	for _, folder := range []string{objectsFolder, derivedFolder} {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil && !isAbsent(err) {
			return false, err
		}
		if len(entries) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// removeLeftovers removes what killed processes did not finish.
func removeLeftovers(staging string, now time.Time) error {
	entries, err := os.ReadDir(staging)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if now.Sub(info.ModTime()) < leftoverAge {
			continue
		}
		if err := os.Remove(filepath.Join(staging, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// seen remembers which files were read and what their SHA-256 was, as long as their
// size, time and inode stay.
type seen struct {
	mu    sync.Mutex
	files map[string]seenFile
}

type seenFile struct {
	info fs.FileInfo
	sum  sum
}

// mostSeen bounds what is remembered; beyond it all is read anew.
const mostSeen = 10_000

func (s *seen) get(key string, info fs.FileInfo) (sum, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.files[key]
	if !ok || f.info.Size() != info.Size() || !f.info.ModTime().Equal(info.ModTime()) || !os.SameFile(f.info, info) {
		return sum{}, false
	}
	return f.sum, true
}

func (s *seen) put(key string, info fs.FileInfo, is sum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil || len(s.files) >= mostSeen {
		s.files = map[string]seenFile{}
	}
	s.files[key] = seenFile{info, is}
}
