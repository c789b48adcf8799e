package localstore_test

import (
	"testing"

	"wecom-archive/shared/localstore"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

func openFolder(t testing.TB, dir string) *localstore.Folder {
	t.Helper()
	f, err := localstore.OpenFolder(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestFolder(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) *localstore.Folder{
		"as here":          func(t *testing.T) *localstore.Folder { return openFolder(t, t.TempDir()) },
		"as where escaped": openEscaped,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.TestObjects(t, func(t *testing.T) store.Objects { return open(t).Objects() })
			storetest.TestDerived(t, func(t *testing.T) store.Derived { return open(t).Derived() })
		})
	}
}

func openEscaped(t *testing.T) *localstore.Folder {
	t.Helper()
	f, err := localstore.OpenEscaped(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}
