package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"wecom-archive/shared/localstore"
	"wecom-archive/shared/rebuild"
)

// TakenOver is what TakeOver did.
type TakenOver struct {
	Objects int            `json:"objects"` // read, and their SHA-256 written down
	Bytes   int64          `json:"bytes"`   // of them
	Laid    int            `json:"laid"`    // delete markers and later versions found over objects; the earliest is the object again
	Index   rebuild.Report `json:"index"`   // that was made anew
}

// TakeOver makes a folder of this version of one that an earlier version made, or
// that lost the sums of its objects: it reads each object once, and makes the index
// anew. If it does not get to its end, the same call goes on; once the sums are
// written, a start does as well.
func TakeOver(ctx context.Context, c Config) (TakenOver, error) {
	if _, err := readSettings(c.Dir); err != nil {
		return TakenOver{}, err
	}
	taken, err := takeObjects(ctx, c.Dir)
	if err != nil {
		return TakenOver{}, err
	}
	s, err := OpenArchive(ctx, c)
	if err != nil {
		return TakenOver{}, err
	}
	report, err := rebuild.NewReindexer(rebuild.Config{
		Corp: s.Corpid(), Objects: s.Objects, Versions: s.Versions, Catalog: s.Catalog, Dropper: s.Dropper, Queue: s.Queue(), Now: s.Now, Log: s.Log,
	}).Run(ctx, true)
	if err == nil {
		err = s.Drain(ctx)
	}
	return TakenOver{taken.Objects, taken.Bytes, taken.Laid, report}, errors.Join(err, s.Close())
}

// takeObjects drops the index, so that none that belongs to other objects can stay,
// and then takes the objects.
func takeObjects(ctx context.Context, dir string) (taken localstore.Taken, err error) {
	if err := localstore.CheckFolder(dir); !errors.Is(err, localstore.ErrOldFolder) {
		if err == nil {
			err = fmt.Errorf("--dir %s: it is of this version already: nothing is to be taken over", dir)
		}
		return taken, err
	}
	unlock, err := lockFolder(filepath.Join(dir, "lock"))
	if err != nil {
		return taken, fmt.Errorf("--dir %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(dir, indexFile+end)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return taken, err
		}
	}
	return localstore.TakeOver(ctx, dir)
}
