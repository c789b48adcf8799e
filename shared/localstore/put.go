package localstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// step does one step of a put, and tells who tests it before and after.
func (b *bucket) step(name string, do func() error) error {
	if err := b.steps("before " + name); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return b.steps("after " + name)
}

// staged is a file beside, whose bytes are on the disk and whose sum is written
// down. Only its name is missing.
type staged struct {
	path string
	recorded
}

// stage writes body beside.
func (b *bucket) stage(ctx context.Context, key string, body io.Reader) (s staged, err error) {
	s.id = newPutID()
	s.path = filepath.Join(b.staging, fmt.Sprintf("%016x", s.id))
	var f *os.File
	err = b.step("create", func() (err error) {
		f, err = os.OpenFile(s.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, objectMode)
		return err
	})
	if f == nil {
		return s, err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, s.discard())
		}
	}()
	if err != nil {
		return s, err
	}
	h := sha256.New()
	if err = b.step("write", func() (err error) {
		s.size, err = io.Copy(f, io.TeeReader(contextReader{ctx, body}, h))
		return err
	}); err != nil {
		return s, err
	}
	h.Sum(s.sum[:0])
	if err = b.step("sync", f.Sync); err != nil {
		return s, err
	}
	info, err := f.Stat()
	if err != nil {
		return s, err
	}
	s.modified = info.ModTime()
	return s, b.step("record", func() error { return b.sums.record(b.id, key, s.recorded) })
}

// newPutID tells puts apart.
func newPutID() int64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return int64(binary.BigEndian.Uint64(b[:])>>2) + 1
}

// discard removes the staged file; if it is gone or stays, nothing depends on it.
func (s staged) discard() error {
	if err := os.Remove(s.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// makeFolder makes the folder of path durable, with those above it.
func (b *bucket) makeFolder(path string) error {
	folder := filepath.Dir(path)
	if _, done := b.synced.Load(folder); done {
		return nil
	}
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return err
	}
	// Another process may have made it and not synced it yet.
	for at := folder; strings.HasPrefix(at, b.root+string(filepath.Separator)); at = filepath.Dir(at) {
		if err := syncDir(filepath.Dir(at)); err != nil {
			return err
		}
	}
	b.synced.Store(folder, nil)
	return nil
}

// putNew gives the object its name, unless another one has it: fs.ErrExist.
func (b *bucket) putNew(ctx context.Context, key string, body io.Reader) (err error) {
	path := b.path(key)
	if _, err := os.Lstat(path); !isAbsent(err) {
		if err == nil {
			err = fs.ErrExist
		}
		return err
	}
	s, err := b.stage(ctx, key, body)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.discard()) }()
	if err := b.name(path, func() error { return os.Link(s.path, path) }); err != nil {
		return err
	}
	b.sums.settled(b.id, key, s.id)
	return nil
}

// name gives a staged file its name by link, and makes that durable.
func (b *bucket) name(path string, link func() error) error {
	if err := b.step("folder", func() error { return b.makeFolder(path) }); err != nil {
		return err
	}
	err := b.step("link", link)
	if isAbsent(err) { // somebody removed the folder
		b.synced.Clear()
		if err := b.makeFolder(path); err != nil {
			return err
		}
		err = link()
	}
	if err != nil {
		return err
	}
	return b.step("sync folder", func() error { return syncDir(filepath.Dir(path)) })
}

// putOver puts the object in the place of the one that has its name.
func (b *bucket) putOver(ctx context.Context, key string, body io.Reader) error {
	s, err := b.stage(ctx, key, body)
	if err != nil {
		return err
	}
	path := b.path(key)
	err = b.sums.replace(b.id, key, s.id, func() error {
		return b.name(path, func() error { return os.Rename(s.path, path) })
	})
	return errors.Join(err, s.discard())
}
