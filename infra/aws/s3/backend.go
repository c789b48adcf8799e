package locals3

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
)

const (
	dirMode  = 0o700
	fileMode = 0o600

	ioBuffer = 128 << 10 // bytes, per request; the gateway's default is 1 MiB

	// leftoverAge is when an unfinished file must belong to a process that is
	// gone: no put takes so long.
	leftoverAge = time.Hour
)

// layout is where things lie below the root, see the package comment.
type layout struct{ root string }

func (l layout) bucket(name string) string { return filepath.Join(l.root, name) }
func (l layout) buckets() string           { return filepath.Join(l.root, ".s3", "buckets") }
func (l layout) link(name string) string   { return filepath.Join(l.buckets(), name) }
func (l layout) versions() string          { return filepath.Join(l.root, ".s3", "versions") }
func (l layout) sidecar() string           { return filepath.Join(l.root, ".s3", "sidecar") }

func openBackend(l layout, sync bool) (backend.Backend, error) {
	for _, dir := range []string{l.buckets(), l.versions()} {
		if err := os.MkdirAll(dir, dirMode); err != nil {
			return nil, err
		}
	}
	if err := l.removeLeftovers(time.Now()); err != nil {
		return nil, err
	}
	opts := posix.PosixOpts{
		BucketLinks:         true,
		VersioningDir:       l.versions(),
		CopyObjectThreshold: 5 << 30, // zero refuses every copy
		IOBufferSize:        ioBuffer,
	}
	opts.SetNewDirPerm(dirMode)
	opts.SetNewFilePerm(fileMode)
	var store meta.MetadataStorer = meta.XattrMeta{}
	sidecar, err := l.needsSidecar()
	if err != nil {
		return nil, err
	}
	if sidecar {
		opts.SideCarDir = l.sidecar()
		if store, err = meta.NewSideCar(l.sidecar()); err != nil {
			return nil, err
		}
	}
	p, err := openQuietly(l.buckets(), store, opts)
	if err != nil {
		return nil, err
	}
	return &disk{Posix: p, sync: sync, sidecar: sidecar, layout: l, meta: store}, nil
}

// openQuietly opens the directory without what the gateway prints about it.
func openQuietly(root string, store meta.MetadataStorer, opts posix.PosixOpts) (*posix.Posix, error) {
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer nowhere.Close()
	stdout := os.Stdout
	os.Stdout = nowhere
	defer func() { os.Stdout = stdout }()
	return posix.New(root, store, opts)
}

// needsSidecar says whether metadata must be kept apart: what was decided at the
// first start holds, since objects without their metadata would look damaged.
func (l layout) needsSidecar() (bool, error) {
	switch _, err := os.Stat(l.sidecar()); {
	case err == nil:
		return true, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	if (meta.XattrMeta{}).Test(l.buckets()) == nil {
		return false, nil
	}
	return true, os.MkdirAll(l.sidecar(), dirMode)
}

// removeLeftovers removes what killed processes did not finish, where the file
// system knows no unnamed files.
func (l layout) removeLeftovers(now time.Time) error {
	temps, err := filepath.Glob(filepath.Join(l.buckets(), "*", posix.MetaTmpDir, "*"))
	if err != nil {
		return err
	}
	for _, temp := range temps {
		info, err := os.Lstat(temp)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() && now.Sub(info.ModTime()) > leftoverAge {
			if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
