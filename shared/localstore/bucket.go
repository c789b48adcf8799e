package localstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"wecom-archive/shared/store"
)

// bucket is a folder of objects.
type bucket struct {
	id            bucketID
	root, staging string
	names         names
	sums          *sums
	seen          seen
	synced        sync.Map // folders below root that are durable

	steps func(string) error // tests stop a put with it
}

func (b *bucket) path(key string) string { return filepath.Join(b.root, b.names.path(key)) }

// opened is a file of an object, with the puts that it may be.
type opened struct {
	*os.File
	key  string
	info fs.FileInfo
	puts []recorded // those of its size; at least one
}

// most tries to open a file that others replace.
const openTries = 100

// open opens the object. ErrNotFound; ErrUnverified; ErrDamaged if what lies there
// can be none of its puts.
func (b *bucket) open(ctx context.Context, key string) (*opened, error) {
	if err := errors.Join(ctx.Err(), store.CheckObjectKey(key)); err != nil {
		return nil, err
	}
	for range openTries {
		o, err := b.tryOpen(ctx, key)
		if o != nil || err != nil {
			return o, err
		}
	}
	return nil, errors.New("it is replaced all the time")
}

// tryOpen returns nothing if the file was replaced meanwhile.
func (b *bucket) tryOpen(ctx context.Context, key string) (_ *opened, err error) {
	path := b.path(key)
	info, err := os.Lstat(path)
	if isAbsent(err) || err == nil && info.IsDir() {
		return nil, store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file: %w: %w", path, store.ErrUnverified, store.ErrDamaged)
	}
	f, err := os.Open(path)
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	kept := false
	defer func() {
		if !kept {
			err = errors.Join(err, f.Close())
		}
	}()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	puts, err := b.sums.of(ctx, b.id, key)
	if err != nil {
		return nil, err
	}
	// What is still there was there when the sums were read, and its own among them.
	switch now, err := os.Lstat(path); {
	case isAbsent(err) || err == nil && !os.SameFile(now, info):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if len(puts) == 0 {
		return nil, fmt.Errorf("%w: %w", store.ErrUnverified, store.ErrDamaged)
	}
	fits := ofSize(puts, info.Size())
	if len(fits) == 0 {
		return nil, fmt.Errorf("%w: it has %d bytes, %d were put", store.ErrDamaged, info.Size(), puts[0].size)
	}
	kept = true
	return &opened{f, key, info, fits}, nil
}

func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func ofSize(puts []recorded, size int64) (fits []recorded) {
	for _, p := range puts {
		if p.size == size {
			fits = append(fits, p)
		}
	}
	return fits
}

// verify reads the file, if that was not done before, and says which put it is.
func (b *bucket) verify(ctx context.Context, o *opened) (recorded, error) {
	is, known := b.seen.get(o.key, o.info)
	if !known {
		h := sha256.New()
		if _, err := io.Copy(h, contextReader{ctx, io.NewSectionReader(o, 0, o.info.Size())}); err != nil {
			return recorded{}, err
		}
		h.Sum(is[:0])
		b.seen.put(o.key, o.info, is)
	}
	for _, p := range o.puts {
		if p.sum == is {
			return p, nil
		}
	}
	return recorded{}, fmt.Errorf("%w: its SHA-256 is %x, %x was put", store.ErrDamaged, is, o.puts[0].sum)
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// which says which put the file is: without reading it where there is but one.
func (b *bucket) which(ctx context.Context, o *opened) (recorded, error) {
	if len(o.puts) == 1 {
		return o.puts[0], nil
	}
	return b.verify(ctx, o)
}

func describe(key string, info fs.FileInfo, p recorded) store.ObjectInfo {
	return store.ObjectInfo{Key: key, Size: info.Size(), Modified: info.ModTime().UTC(), Version: versionOf(p.sum)}
}

func versionOf(s sum) string { return fmt.Sprintf("%x", s) }

// Get implements store.ObjectReader.
func (b *bucket) Get(ctx context.Context, key string) (io.ReadCloser, store.ObjectInfo, error) {
	o, err := b.open(ctx, key)
	if err != nil {
		return nil, store.ObjectInfo{}, fmt.Errorf("getting %q: %w", key, err)
	}
	p, err := b.which(ctx, o)
	if err != nil {
		return nil, store.ObjectInfo{}, fmt.Errorf("getting %q: %w", key, errors.Join(err, o.Close()))
	}
	return &checked{ctx: ctx, opened: o, hash: sha256.New(), want: p.sum}, describe(key, o.info, p), nil
}

// checked reads a file, and fails at its end if it was not what was put.
type checked struct {
	*opened
	ctx  context.Context
	hash hash.Hash
	want sum
}

func (c *checked) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, fmt.Errorf("reading %q: %w", c.key, err)
	}
	n, err := c.File.Read(p)
	c.hash.Write(p[:n]) // never fails
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if sum := c.hash.Sum(nil); string(sum) != string(c.want[:]) {
		return n, fmt.Errorf("reading %q: %w: its SHA-256 is %x, %x was put", c.key, store.ErrDamaged, sum, c.want)
	}
	return n, err
}

// WriteTo hides that of the file, which would pass by the check.
func (c *checked) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{c})
}

// GetRange implements store.ObjectReader. The first one of an object reads it whole.
func (b *bucket) GetRange(ctx context.Context, key string, offset, length int64) (_ []byte, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("getting a range of %q: %w", key, err)
		}
	}()
	if offset < 0 || length < 0 {
		return nil, fmt.Errorf("%d bytes from %d on are no range", length, offset)
	}
	o, err := b.open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if _, err := b.verify(ctx, o); err != nil {
		return nil, err
	}
	if offset >= o.info.Size() {
		return nil, nil
	}
	part := make([]byte, min(length, o.info.Size()-offset))
	if _, err := o.ReadAt(part, offset); err != nil {
		return nil, err
	}
	return part, nil
}

// Head implements store.ObjectReader.
func (b *bucket) Head(ctx context.Context, key string) (store.ObjectInfo, error) {
	o, err := b.open(ctx, key)
	if err != nil {
		return store.ObjectInfo{}, fmt.Errorf("describing %q: %w", key, err)
	}
	p, err := b.which(ctx, o)
	if err = errors.Join(err, o.Close()); err != nil {
		return store.ObjectInfo{}, fmt.Errorf("describing %q: %w", key, err)
	}
	return describe(key, o.info, p), nil
}
