package localstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/store"
)

// List implements store.ObjectReader. What lies at a key is listed whatever it is
// worth: reading it tells.
func (b *bucket) List(ctx context.Context, prefix, after string) iter.Seq2[store.ObjectInfo, error] {
	return func(yield func(store.ObjectInfo, error) bool) {
		err := ctx.Err()
		if err == nil {
			_, err = b.walk(prefix, after, func(key string, e fs.DirEntry) (bool, error) {
				if err := ctx.Err(); err != nil || !e.Type().IsRegular() {
					return true, err
				}
				info, err := e.Info()
				if errors.Is(err, fs.ErrNotExist) {
					return true, nil // replaced or deleted meanwhile; what was put before stays
				}
				if err != nil {
					return false, err
				}
				return yield(store.ObjectInfo{Key: key, Size: info.Size(), Modified: info.ModTime().UTC()}, nil), nil
			})
		}
		if err != nil {
			yield(store.ObjectInfo{}, fmt.Errorf("listing %q: %w", prefix, err))
		}
	}
}

// walk calls do for what is no folder, in byte order of the keys, until that returns
// false. It reads only folders that may hold keys that were asked for.
func (b *bucket) walk(prefix, after string, do func(key string, e fs.DirEntry) (bool, error)) (bool, error) {
	dir := ""
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		dir = prefix[:i]
	}
	w := walker{b, prefix, after, do}
	return w.folder(dir)
}

type walker struct {
	*bucket
	prefix, after string
	do            func(key string, e fs.DirEntry) (bool, error)
}

// folder walks the keys below dir; "" is the bucket itself.
func (w walker) folder(dir string) (bool, error) {
	if dir != "" && store.CheckObjectKey(dir) != nil {
		return true, nil // no key begins so
	}
	entries, err := os.ReadDir(w.path(dir))
	if isAbsent(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	type named struct {
		name string // of folders with the slash that their keys go on with
		fs.DirEntry
	}
	var wanted []named
	for _, e := range entries {
		name, ok := w.names.part(e.Name())
		if !ok {
			continue
		}
		if dir != "" {
			name = dir + "/" + name
		}
		if e.IsDir() {
			name += "/"
		}
		if w.wants(name) {
			wanted = append(wanted, named{name, e})
		}
	}
	slices.SortFunc(wanted, func(a, b named) int { return strings.Compare(a.name, b.name) })
	for _, e := range wanted {
		var more bool
		if below, isDir := strings.CutSuffix(e.name, "/"); isDir {
			more, err = w.folder(below)
		} else {
			more, err = w.do(e.name, e.DirEntry)
		}
		if !more || err != nil {
			return false, err
		}
	}
	return true, nil
}

// wants says whether a key, or some key below a folder, was asked for.
func (w walker) wants(name string) bool {
	if strings.HasSuffix(name, "/") {
		passed := name < w.after && !strings.HasPrefix(w.after, name)
		return !passed && (strings.HasPrefix(name, w.prefix) || strings.HasPrefix(w.prefix, name))
	}
	return name > w.after && strings.HasPrefix(name, w.prefix)
}

// eachKey calls do for each key that has a file or a record, in order, until that
// returns false.
func (o *Objects) eachKey(ctx context.Context, prefix, after string, do func(key string) (bool, error)) error {
	known, stop := iter.Pull2(o.sums.keys(ctx, prefix, after))
	defer stop()
	key, err, more := known()
	// before does the known keys that come before a file's, all if there is none.
	before := func(file string) (bool, error) {
		for more && (file == "" || key <= file) {
			if err != nil {
				return false, err
			}
			if key != file {
				if goOn, err := do(key); !goOn || err != nil {
					return false, err
				}
			}
			key, err, more = known()
		}
		return true, nil
	}
	goOn, walkErr := o.walk(prefix, after, func(file string, _ fs.DirEntry) (bool, error) {
		if goOn, err := before(file); !goOn || err != nil {
			return false, err
		}
		return do(file)
	})
	if !goOn || walkErr != nil {
		return walkErr
	}
	_, err2 := before("")
	return err2
}

// keys yields the keys below prefix that are greater than after and have a put, or
// something that was laid over it.
func (s *sums) keys(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		const next = "\x00" // after a key, it makes the least key that is greater
		for from := max(after+next, prefix); ; {
			batch, err := s.keysFrom(ctx, from)
			if err != nil {
				yield("", err)
				return
			}
			for _, key := range batch {
				if !strings.HasPrefix(key, prefix) || !yield(key, nil) {
					return
				}
			}
			if len(batch) < sumsBatch {
				return
			}
			from = batch[len(batch)-1] + next
		}
	}
}

func (s *sums) keysFrom(ctx context.Context, from string) (keys []string, err error) {
	rows, err := s.reader.QueryContext(ctx,
		`SELECT key FROM puts WHERE bucket = ?1 AND key >= ?2 UNION SELECT key FROM laid WHERE bucket = ?1 AND key >= ?2 ORDER BY 1 LIMIT ?3`,
		archiveID, []byte(from), sumsBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key []byte
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, string(key))
	}
	return keys, rows.Err()
}

// laidOver is what had been laid over a key when its folder was taken over.
func (s *sums) laidOver(ctx context.Context, key string) (versions []store.ObjectVersion, err error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT version, size, modified, marker FROM laid WHERE bucket = ? AND key = ?`, archiveID, []byte(key))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		v := store.ObjectVersion{Key: key}
		var at int64
		if err := rows.Scan(&v.Version, &v.Size, &at, &v.DeleteMarker); err != nil {
			return nil, err
		}
		v.Modified = time.Unix(0, at).UTC()
		versions = append(versions, v)
	}
	return versions, rows.Err()
}

// lay writes down what was laid over a key.
func lay(tx *sql.Tx, v store.ObjectVersion) error {
	_, err := tx.Exec(`INSERT OR REPLACE INTO laid (bucket, key, version, size, modified, marker) VALUES (?, ?, ?, ?, ?, ?)`,
		archiveID, []byte(v.Key), v.Version, v.Size, v.Modified.UnixNano(), v.DeleteMarker)
	return err
}

// hashFile reads a file.
func hashFile(ctx context.Context, path string) (is sum, info fs.FileInfo, err error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return is, nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return is, nil, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, contextReader{ctx, f}); err != nil {
		return is, nil, err
	}
	h.Sum(is[:0])
	return is, info, nil
}
