package localstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wecom-archive/shared/store"
)

// Taken is what TakeOver did.
type Taken struct {
	Objects int   // whose sums were written
	Bytes   int64 // of them
	Laid    int   // delete markers and later versions that lay over objects
}

// TakeOver makes a Folder of one that an earlier version wrote, in which an embedded
// S3 kept its objects, or whose sums are lost. It reads each object once and writes
// its SHA-256 down: what lies there now is from then on taken for what was put.
//
// The earliest version of each key becomes its file again; what was laid over it is
// kept beside, and Versions goes on showing it. After an error, or a crash, the same
// call begins anew. No other process may work in the folder meanwhile.
func TakeOver(ctx context.Context, dir string) (Taken, error) {
	dir, err := filepath.Abs(dir) // what the S3 wrote beside has the whole path in it
	t := &takeOver{dir: dir, own: filepath.Join(dir, storeFolder)}
	if err == nil {
		err = t.run(ctx)
	}
	if err != nil {
		return t.taken, fmt.Errorf("taking %s over: %w", dir, err)
	}
	return t.taken, nil
}

// takeOver is one under way.
type takeOver struct {
	dir, own string
	folder   *Folder
	taken    Taken
	batch    []taken
}

// taken is an object whose sum is to be written.
type taken struct {
	bucket bucketID
	key    string
	recorded
	laid []store.ObjectVersion
}

// takenBatch is how many sums are written at a time.
const takenBatch = 500

func (t *takeOver) run(ctx context.Context) error {
	switch err := CheckFolder(t.dir); {
	case err == nil:
		return errors.New("it has sums already")
	case !errors.Is(err, ErrOldFolder):
		return err
	}
	const unfinished = sumsFile + ".new"
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(t.own, unfinished+end)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	var err error
	if t.folder, err = openFolder(ctx, t.dir, unfinished, names{escape: escapeKeys}); err != nil {
		return err
	}
	err = t.buckets(ctx)
	if err = errors.Join(err, t.folder.Close()); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(t.own, unfinished), filepath.Join(t.own, sumsFile)); err != nil {
		return err
	}
	if err := syncDir(t.own); err != nil {
		return err
	}
	// From now on it is a Folder. What the S3 wrote beside is kept, for whoever asks
	// about what was laid over objects.
	before := filepath.Join(t.own, fmt.Sprintf("before-%016x", newPutID())) // there may be others
	err = os.Rename(filepath.Join(t.dir, beforeFolder), before)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, syncDir(t.dir), syncDir(t.own))
}

func (t *takeOver) buckets(ctx context.Context) error {
	for _, b := range []*bucket{t.folder.objects.bucket, t.folder.derived.bucket} {
		// The gateway's place for unfinished files.
		if err := os.RemoveAll(filepath.Join(b.root, ".sgwtmp")); err != nil {
			return err
		}
		if _, err := b.walk("", "", func(key string, e fs.DirEntry) (bool, error) {
			if !e.Type().IsRegular() {
				return true, ctx.Err()
			}
			return true, t.object(ctx, b, key)
		}); err != nil {
			return err
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	return nil
}

// object takes one object.
func (t *takeOver) object(ctx context.Context, b *bucket, key string) error {
	laid, err := t.dig(b, key)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	is, info, err := hashFile(ctx, b.path(key))
	if err != nil {
		return err
	}
	t.taken.Objects++
	t.taken.Bytes += info.Size()
	t.taken.Laid += len(laid)
	t.batch = append(t.batch, taken{b.id, key, recorded{newPutID(), is, info.Size(), info.ModTime(), true}, laid})
	if len(t.batch) < takenBatch {
		return nil
	}
	return t.flush()
}

func (t *takeOver) flush() error {
	batch := t.batch
	t.batch = nil
	return t.folder.sums.write(func(tx *sql.Tx) error {
		for _, o := range batch {
			if err := t.folder.sums.add(tx, o.bucket, o.key, o.recorded); err != nil {
				return err
			}
			for _, v := range o.laid {
				if err := lay(tx, v); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// dig makes the earliest version of a key its file again, and says what was laid
// over it.
func (t *takeOver) dig(b *bucket, key string) ([]store.ObjectVersion, error) {
	hash := sha256.Sum256([]byte(key))
	name := hex.EncodeToString(hash[:])
	below := filepath.Join(t.dir, beforeFolder, "versions", filepath.Base(b.root), name[:2], name[2:4], name[4:6], name)
	older, err := os.ReadDir(below) // by version id: the earliest first
	if b.id != archiveID || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// A take-over that did not end may have dug it out already.
	aside := filepath.Join(t.own, laidFolder, name)
	newest := b.path(key)
	if _, err := os.Lstat(aside); err == nil {
		newest = aside
	}
	id, _, err := t.attribute(newest, filepath.Join(filepath.Base(b.root), filepath.FromSlash(key)), "version-id")
	if err != nil {
		return nil, err
	}
	newestVersion, err := t.version(key, cmp.Or(id, "null"), newest, filepath.Join(filepath.Base(b.root), filepath.FromSlash(key)))
	if err != nil {
		return nil, err
	}
	var earliest string
	var laid []store.ObjectVersion
	for _, e := range older {
		path := filepath.Join(below, e.Name())
		v, err := t.version(key, e.Name(), path, strings.TrimPrefix(path, string(filepath.Separator)))
		if err != nil {
			return nil, err
		}
		switch {
		case v.Version == newestVersion.Version:
		case earliest == "" && !v.DeleteMarker:
			earliest = path
		default:
			laid = append(laid, v)
		}
	}
	if earliest == "" { // nothing but markers came before
		if newestVersion.DeleteMarker {
			return nil, errors.New("it was deleted and never put: remove the file")
		}
		return laid, nil
	}
	if newest != aside {
		if err := linkAside(newest, aside); err != nil {
			return nil, err
		}
	}
	return append(laid, newestVersion), t.restore(b, key, earliest)
}

// version describes one of the S3's.
func (t *takeOver) version(key, id, path, object string) (store.ObjectVersion, error) {
	info, err := os.Stat(path)
	if err != nil {
		return store.ObjectVersion{}, err
	}
	_, marker, err := t.attribute(path, object, "delete-marker")
	v := store.ObjectVersion{Key: key, Version: id, Modified: info.ModTime().UTC(), Size: info.Size(), DeleteMarker: marker}
	if marker {
		v.Size = 0
	} else {
		v.Modified = v.Modified.Truncate(time.Second) // as the S3 said, so that an incident is the one that was recorded
	}
	return v, err
}

// linkAside keeps a file beside.
func linkAside(path, aside string) error {
	if err := os.MkdirAll(filepath.Dir(aside), folderMode); err != nil {
		return err
	}
	if err := os.Link(path, aside); err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Dir(aside)), syncDir(filepath.Dir(filepath.Dir(aside))))
}

// restore puts a copy of a version in the place of what was laid over it.
func (t *takeOver) restore(b *bucket, key, version string) (err error) {
	from, err := os.Open(version)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	beside := filepath.Join(b.staging, fmt.Sprintf("%016x", newPutID()))
	to, err := os.OpenFile(beside, os.O_CREATE|os.O_EXCL|os.O_WRONLY, objectMode)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	err = errors.Join(err, to.Sync(), to.Close(), os.Chtimes(beside, time.Time{}, info.ModTime()))
	if err == nil {
		err = os.Rename(beside, b.path(key))
	}
	if err != nil {
		return errors.Join(err, staged{path: beside}.discard())
	}
	return syncDir(filepath.Dir(b.path(key)))
}

// attribute is what the S3 wrote of a file: in a folder of its own, where it found
// that the file system has no extended attributes, or else there. object is what
// the folder knows the file as. Some attributes count without a value.
func (t *takeOver) attribute(path, object, name string) (value string, found bool, err error) {
	sidecar := filepath.Join(t.dir, beforeFolder, "sidecar")
	if _, err := os.Lstat(sidecar); err != nil {
		return extendedAttribute(path, "user."+name)
	}
	text, err := os.ReadFile(filepath.Join(sidecar, object, "meta", name))
	if isAbsent(err) {
		return "", false, nil
	}
	return string(text), err == nil, err
}
