//go:build unix

package local

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFolder holds an exclusive lock until the returned func is called or the
// process ends, however it ends.
func lockFolder(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errors.New("in use by another wecom-archive: stop that one first")
		}
		return nil, errors.Join(fmt.Errorf("locking the folder: %w", err), f.Close())
	}
	return f.Close, nil
}
