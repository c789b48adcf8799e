package storetest_test

import (
	"context"
	"strings"
	"testing"

	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

func TestObjects(t *testing.T) {
	storetest.TestObjects(t, func(t *testing.T) store.Objects {
		objects := storetest.NewObjects()
		t.Cleanup(func() {
			objects.Close()
			if err := objects.Verify(); err != nil {
				t.Error(err)
			}
		})
		return objects
	})
	storetest.TestLock(t,
		func(*testing.T) store.Lock { return storetest.NewObjects() },
		func(*testing.T) store.Lock { return storetest.NewUnlockedObjects() })
}

func TestVersions(t *testing.T) {
	storetest.TestVersions(t, func(t *testing.T) storetest.VersionedBucket {
		objects := storetest.NewObjects()
		t.Cleanup(func() {
			objects.Close()
			if err := objects.Verify(); err != nil {
				t.Error(err)
			}
		})
		return storetest.VersionedBucket{
			Objects: objects, Versions: objects,
			Reopen:       func() store.Objects { return objects },
			DeleteMarker: func(_ context.Context, key string) (string, error) { return objects.PlantDeleteMarker(key), nil },
			Overwrite: func(_ context.Context, key string, body []byte) (string, error) {
				return objects.PlantVersion(key, body), nil
			},
		}
	})
}

func TestDerived(t *testing.T) {
	storetest.TestDerived(t, func(*testing.T) store.Derived { return storetest.NewDerived() })
}

func TestIndex(t *testing.T) {
	storetest.TestIndex(t, func(*testing.T) store.Index { return storetest.NewIndex() })
}

func TestVerify(t *testing.T) {
	objects := storetest.NewObjects()
	for _, key := range []string{"a", "b"} {
		if err := objects.PutIfAbsent(t.Context(), key, strings.NewReader("body")); err != nil {
			t.Fatal(err)
		}
	}
	if err := objects.Verify(); err != nil {
		t.Errorf("Verify of untouched objects: %v", err)
	}
	objects.Tamper("a", func(body []byte) { body[0]++ })
	if err := objects.Verify(); err == nil || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("Verify after a change: %v", err)
	}
	objects.Tamper("a", func(body []byte) { body[0]-- })
	objects.Lose("b")
	if err := objects.Verify(); err == nil {
		t.Error("Verify does not miss an object")
	}
}
