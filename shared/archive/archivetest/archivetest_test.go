package archivetest_test

import (
	"context"
	"strings"
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/archive/archivetest"
)

func TestObjects(t *testing.T) {
	archivetest.TestObjects(t, func(t *testing.T) archive.Objects {
		objects := archivetest.NewObjects()
		t.Cleanup(func() {
			objects.Close()
			if err := objects.Verify(); err != nil {
				t.Error(err)
			}
		})
		return objects
	})
	archivetest.TestNotLocked(t, func(*testing.T) archive.Objects { return archivetest.NewUnlockedObjects() })
}

func TestVersions(t *testing.T) {
	archivetest.TestVersions(t, func(t *testing.T) archivetest.VersionedBucket {
		objects := archivetest.NewObjects()
		t.Cleanup(func() {
			objects.Close()
			if err := objects.Verify(); err != nil {
				t.Error(err)
			}
		})
		return archivetest.VersionedBucket{
			Objects: objects, Versions: objects,
			Reopen:       func() archive.Objects { return objects },
			DeleteMarker: func(_ context.Context, key string) (string, error) { return objects.PlantDeleteMarker(key), nil },
			Overwrite: func(_ context.Context, key string, body []byte) (string, error) {
				return objects.PlantVersion(key, body), nil
			},
		}
	})
}

func TestDerived(t *testing.T) {
	archivetest.TestDerived(t, func(*testing.T) archive.Derived { return archivetest.NewDerived() })
}

func TestIndex(t *testing.T) {
	archivetest.TestIndex(t, func(*testing.T) archive.Index { return archivetest.NewIndex() })
}

func TestVerify(t *testing.T) {
	objects := archivetest.NewObjects()
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
