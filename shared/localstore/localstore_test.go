package localstore_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/localstore"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

func openIndex(t testing.TB, path string) *localstore.Index {
	t.Helper()
	index, err := localstore.OpenIndex(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := index.Close(); err != nil {
			t.Error(err)
		}
	})
	return index
}

func TestIndex(t *testing.T) {
	storetest.TestIndex(t, func(t *testing.T) store.Index {
		return openIndex(t, filepath.Join(t.TempDir(), "index.db"))
	})
}

// TestIndexTwice opens the file twice, as two processes do.
func TestIndexTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd name?&%20#.db")
	a, b := openIndex(t, path), openIndex(t, path)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the file is not where it should be: %v", err)
	}
	var g errgroup.Group
	for i := range 10 {
		index := []*localstore.Index{a, b}[i%2]
		g.Go(func() error {
			for range 20 {
				for {
					item, err := index.Get(t.Context(), "p", "count")
					if err != nil && !errors.Is(err, store.ErrNotFound) {
						return err
					}
					item = store.Item{Partition: "p", Sort: "count", Value: append(item.Value, 'x'), Revision: item.Revision}
					err = index.PutIf(t.Context(), item)
					if err == nil {
						break
					}
					if !errors.Is(err, store.ErrConflict) {
						return err
					}
				}
				if err := index.Put(t.Context(), store.Item{Partition: "p", Sort: fmt.Sprint(i)}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	item, err := b.Get(t.Context(), "p", "count")
	if err != nil || len(item.Value) != 200 || item.Revision != 200 {
		t.Errorf("%d of 200 additions, revision %d, %v", len(item.Value), item.Revision, err)
	}
}

func TestIndexReopened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	first, err := localstore.OpenIndex(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	want := store.Item{Partition: "p", Sort: "s", Value: []byte("v")}
	if err := first.Put(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Get(t.Context(), "p", "s"); err == nil {
		t.Error("a closed index answers")
	}
	got, err := openIndex(t, path).Get(t.Context(), "p", "s")
	if err != nil || string(got.Value) != "v" || got.Revision != 1 {
		t.Errorf("after reopening: %+v, %v", got, err)
	}
}

func TestIndexUnusable(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{garbage, filepath.Join(dir, "none", "index.db"), dir} {
		if index, err := localstore.OpenIndex(t.Context(), path); err == nil {
			index.Close()
			t.Errorf("OpenIndex(%s) works", path)
		} else if damaged := errors.Is(err, store.ErrIndexDamaged); damaged != (path == garbage) {
			t.Errorf("OpenIndex(%s) = %v, damaged %v", path, err, damaged)
		}
	}
}

// TestPutAtomic: a Put whose context ends writes all or nothing.
func TestPutAtomic(t *testing.T) {
	index := openIndex(t, filepath.Join(t.TempDir(), "index.db"))
	var items []store.Item
	for i := range 500 {
		items = append(items, store.Item{Partition: "p", Sort: fmt.Sprint(i), Value: bytes.Repeat([]byte("v"), 1000)})
	}
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel() // somewhere before, in or after the Put
		err := index.Put(ctx, items...)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("Put = %v, want context.Canceled", err)
		}
		got, err := index.Query(t.Context(), store.IndexQuery{Partition: "p", Limit: 5000})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 0 && len(got) != len(items) {
			t.Fatalf("%d of %d items after a cancelled Put", len(got), len(items))
		}
		if err := index.Delete(t.Context(), items...); err != nil {
			t.Fatal(err)
		}
	}
}

func openKeyring(t *testing.T, path string) *localstore.Keyring {
	t.Helper()
	keyring, err := localstore.OpenKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	return keyring
}

func TestKeyring(t *testing.T) {
	storetest.TestKeyring(t, func(t *testing.T) store.Keyring {
		return openKeyring(t, filepath.Join(t.TempDir(), "wrapping.key"))
	})
}

func TestWrappingKeyStays(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "wrapping.key")
	kc := store.KeyContext{Corp: "corp", Key: "key"}
	keyrings := make([]*localstore.Keyring, 8)
	var g errgroup.Group
	for i := range keyrings { // first uses at once
		g.Go(func() (err error) {
			keyrings[i], err = localstore.OpenKeyring(path)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	_, wrapped, err := keyrings[0].NewPair(t.Context(), kc)
	if err != nil {
		t.Fatal(err)
	}
	for i, keyring := range append(keyrings, openKeyring(t, path)) {
		if _, err := keyring.Unwrap(t.Context(), kc, wrapped); err != nil {
			t.Errorf("keyring %d: %v", i, err)
		}
	}
	other := openKeyring(t, filepath.Join(dir, "other.key"))
	if _, err := other.Unwrap(t.Context(), kc, wrapped); err == nil {
		t.Error("another wrapping key opens it")
	}
	wantFiles(t, dir, "other.key", "wrapping.key")
}

// wantFiles wants these files, private, and no leftovers.
func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
	if fmt.Sprint(names) != fmt.Sprint(want) {
		t.Errorf("files %q, want %q", names, want)
	}
}

func TestWrappingKeyRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, size int, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		key := make([]byte, size)
		rand.Read(key)
		if err := os.WriteFile(path, key, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, path := range map[string]string{
		"empty":     write("empty", 0, 0o600),
		"short":     write("short", 31, 0o600),
		"long":      write("long", 33, 0o600),
		"readable":  write("readable", 32, 0o644),
		"directory": dir,
		"nowhere":   filepath.Join(dir, "none", "wrapping.key"),
	} {
		if _, err := localstore.OpenKeyring(path); err == nil {
			t.Errorf("%s: OpenKeyring took it", name)
		}
	}
}

func TestSecrets(t *testing.T) {
	storetest.TestSecrets(t, func(t *testing.T) store.Secrets {
		return localstore.OpenSecrets(filepath.Join(t.TempDir(), "secrets.json"))
	})
}

func TestSecretsFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets.json")
	if err := localstore.OpenSecrets(path).Set(t.Context(), "a", "1"); err != nil {
		t.Fatal(err)
	}
	if got, err := localstore.OpenSecrets(path).Get(t.Context(), "a"); err != nil || got != "1" {
		t.Errorf("Get from a second store = %q, %v", got, err)
	}
	wantFiles(t, dir, "secrets.json")

	for _, content := range []string{"", "null", "[]", `{"a":"TOPSECRET"`, `{"a":{"TOPSECRET":1}}`} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		secrets := localstore.OpenSecrets(path)
		_, err := secrets.Get(t.Context(), "a")
		if err == nil || errors.Is(err, store.ErrNotFound) || strings.Contains(err.Error(), "TOPSECRET") {
			t.Errorf("file %q: Get = %v", content, err)
		}
		if err := secrets.Set(t.Context(), "a", "TOPSECRET"); err == nil || strings.Contains(err.Error(), "TOPSECRET") {
			t.Errorf("file %q: Set = %v, want it to leave the file alone", content, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("file %q has become %q, %v", content, got, err)
		}
	}
	if err := os.WriteFile(path, []byte(`{"a":"1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := localstore.OpenSecrets(path).Get(t.Context(), "a"); err == nil && runtime.GOOS != "windows" {
		t.Error("a file that others can read is used")
	}
}

func BenchmarkIndexPut(b *testing.B) {
	for _, n := range []int{1, 25, 500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			index := openIndex(b, filepath.Join(b.TempDir(), "index.db"))
			items := make([]store.Item, n)
			for i := 0; b.Loop(); i++ {
				for j := range items {
					items[j] = store.Item{Partition: fmt.Sprint("c", j%50), Sort: fmt.Sprintf("%010d-%03d", i, j), Value: make([]byte, 200)}
				}
				if err := index.Put(b.Context(), items...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "items/s")
		})
	}
}

func BenchmarkIndexGet(b *testing.B) {
	index := openIndex(b, filepath.Join(b.TempDir(), "index.db"))
	if err := index.Put(b.Context(), store.Item{Partition: "p", Sort: "s", Value: make([]byte, 200)}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := index.Get(b.Context(), "p", "s"); err != nil {
			b.Fatal(err)
		}
	}
}
