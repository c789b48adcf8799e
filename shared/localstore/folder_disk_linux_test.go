package localstore_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"wecom-archive/shared/localstore"
	"wecom-archive/shared/store"
)

// smallDisk is a file system of one MiB, where this process may mount one.
func smallDisk(t *testing.T) (dir string, remount func(flags uintptr) error) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no file system of its own can be had: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir, func(flags uintptr) error { return syscall.Mount("", dir, "", syscall.MS_REMOUNT|flags, "size=1m") }
}

// TestDiskFull: a put that does not fit fails, leaves nothing, and what fits is put
// when there is room again.
func TestDiskFull(t *testing.T) {
	dir, _ := smallDisk(t)
	f, err := localstore.OpenFolder(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	putObject(t, f.Objects(), "a", bodyOf("a"))
	fill := filepath.Join(dir, "fill")
	if err := os.WriteFile(fill, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var full error
	for i := 0; full == nil; i++ {
		key := fmt.Sprintf("b/%d", i)
		full = f.Objects().PutIfAbsent(t.Context(), key, io.NewSectionReader(zeros{}, 0, 100<<10))
	}
	if !errors.Is(full, syscall.ENOSPC) && !strings.Contains(full.Error(), "full") {
		t.Errorf("a full disk: %v", full)
	}
	keys := listed(t, f.Objects())
	for _, key := range keys {
		if body, err := store.ReadObject(t.Context(), f.Objects(), key); err != nil || key != "a" && len(body) != 100<<10 {
			t.Errorf("%s has %d bytes, %v", key, len(body), err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, ".store", "staging")); err != nil || len(left) > 0 {
		t.Errorf("left beside: %v, %v", left, err)
	}
	if err := os.Remove(filepath.Join(dir, "objects", "b", "0")); err != nil {
		t.Fatal(err)
	}
	putObject(t, f.Objects(), "c", bodyOf("c"))
	wantObject(t, f.Objects(), "c", bodyOf("c"))
}

type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }

// TestReadOnly: a folder that cannot be written to cannot be opened, and is the same
// archive when it can be again.
func TestReadOnly(t *testing.T) {
	dir, remount := smallDisk(t)
	f, err := localstore.OpenFolder(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	putObject(t, f.Objects(), "a", bodyOf("a"))
	if err := errors.Join(f.Close(), remount(syscall.MS_RDONLY)); err != nil {
		t.Fatal(err)
	}
	if f, err := localstore.OpenFolder(t.Context(), dir); !errors.Is(err, syscall.EROFS) {
		t.Errorf("OpenFolder = %v, %v", f, err)
	}
	if err := remount(0); err != nil {
		t.Fatal(err)
	}
	if keys := wantWhole(t, dir); !slices.Equal(keys, []string{"a"}) {
		t.Errorf("keys %q", keys)
	}
}
