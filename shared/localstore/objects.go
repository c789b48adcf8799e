package localstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"time"

	"wecom-archive/shared/store"
)

// Objects is the archive bucket of a Folder. It does not lock what it holds: who may
// write in the folder can change and remove files, and Versions and reads tell.
type Objects struct {
	*bucket
	links *links
}

var (
	_ store.Objects  = (*Objects)(nil)
	_ store.Versions = (*Objects)(nil)
)

// PutIfAbsent implements store.Objects.
func (o *Objects) PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error {
	err := errors.Join(ctx.Err(), store.CheckObjectKey(key))
	if err == nil {
		err = o.putNew(ctx, key, body)
	}
	if errors.Is(err, fs.ErrExist) {
		err = store.ErrExists
	}
	if err != nil {
		return fmt.Errorf("putting %q: %w", key, err)
	}
	return nil
}

// PresignGet implements store.Objects.
func (o *Objects) PresignGet(ctx context.Context, key, fileName string, ttl time.Duration) (string, error) {
	if ttl < time.Second || ttl > store.MaxPresign {
		return "", fmt.Errorf("presigning %q: a time of %v is not between 1 s and %v", key, ttl, store.MaxPresign)
	}
	if _, err := o.Head(ctx, key); err != nil {
		return "", fmt.Errorf("presigning: %w", err)
	}
	url, err := o.links.make(key, fileName, time.Now().Add(ttl))
	if err != nil {
		return "", fmt.Errorf("presigning %q: %w", key, err)
	}
	return url, nil
}

// ListVersions implements store.Versions. A key has one version, whose id is its
// SHA-256. What is wrong shows as it does in S3: other bytes than were put, and what
// nobody put, as a version that is not the earliest; what somebody removed as a
// delete marker. To tell bytes from others, files are read whose size or time is not
// that of the put.
func (o *Objects) ListVersions(ctx context.Context, prefix, after string) iter.Seq2[store.ObjectVersion, error] {
	return func(yield func(store.ObjectVersion, error) bool) {
		err := o.sums.settle() // what this process put is known to have been there
		if err == nil {
			err = o.eachKey(ctx, prefix, after, func(key string) (bool, error) {
				versions, err := o.versions(ctx, key)
				for _, v := range versions {
					if !yield(v, nil) {
						return false, nil
					}
				}
				return true, err
			})
		}
		if err != nil {
			yield(store.ObjectVersion{}, fmt.Errorf("listing the versions below %q: %w", prefix, err))
		}
	}
}

// versions are those of a key.
func (o *Objects) versions(ctx context.Context, key string) ([]store.ObjectVersion, error) {
	laid, err := o.sums.laidOver(ctx, key)
	if err != nil {
		return nil, err
	}
	f, err := o.open(ctx, key)
	if err == nil {
		v, err := o.ownVersions(ctx, f)
		return append(v, laid...), errors.Join(err, f.Close())
	}
	puts, findErr := o.sums.of(ctx, archiveID, key)
	switch info, statErr := os.Lstat(o.path(key)); {
	case findErr != nil:
		return nil, findErr
	case errors.Is(err, store.ErrNotFound):
		for _, p := range puts {
			if p.placed {
				laid = append(laid, store.ObjectVersion{Key: key, Version: "removed-" + versionOf(p.sum), Modified: p.modified, DeleteMarker: true})
			}
		}
		return laid, nil
	case !errors.Is(err, store.ErrDamaged) || statErr != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return append(laid, store.ObjectVersion{Key: key, Version: "no-file", Modified: info.ModTime().UTC()}), nil
	default:
		return o.changed(ctx, key, puts, laid)
	}
}

// ownVersions are those of a file that may be the object.
func (o *Objects) ownVersions(ctx context.Context, f *opened) ([]store.ObjectVersion, error) {
	for _, p := range f.puts {
		if p.modified.Equal(f.info.ModTime()) {
			return []store.ObjectVersion{truth(f.key, p)}, nil
		}
	}
	p, err := o.verify(ctx, f)
	if errors.Is(err, store.ErrDamaged) {
		return o.changed(ctx, f.key, f.puts, nil)
	}
	if err != nil {
		return nil, err
	}
	p.modified = f.info.ModTime().UTC() // a copy of the folder has other times
	return []store.ObjectVersion{truth(f.key, p)}, nil
}

func truth(key string, p recorded) store.ObjectVersion {
	return store.ObjectVersion{Key: key, Version: versionOf(p.sum), Modified: p.modified, Size: p.size, Earliest: true}
}

// changed are the versions of a key at which other bytes lie than were put.
func (o *Objects) changed(ctx context.Context, key string, puts []recorded, versions []store.ObjectVersion) ([]store.ObjectVersion, error) {
	if len(puts) > 0 {
		versions = append(versions, truth(key, puts[0]))
	}
	is, info, err := hashFile(ctx, o.path(key))
	if isAbsent(err) {
		return versions, nil
	}
	if err != nil {
		return nil, err
	}
	return append(versions, store.ObjectVersion{Key: key, Version: versionOf(is), Modified: info.ModTime().UTC(), Size: info.Size()}), nil
}
