package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/store"
)

// VersionedBucket is an archive bucket, and what an intruder with all rights in
// it could do.
type VersionedBucket struct {
	Objects  store.Objects
	Versions store.Versions

	// Reopen gives another adapter of the same bucket, which has seen nothing yet.
	Reopen func() store.Objects

	// DeleteMarker deletes the key without naming a version, and Overwrite puts
	// without a condition. Both return the version id that came of it; a store may
	// refuse to mark a key that has no version, and returns none then.
	DeleteMarker func(ctx context.Context, key string) (version string, err error)
	Overwrite    func(ctx context.Context, key string, body []byte) (version string, err error)
}

// TestVersions tests that an adapter of store.Objects holds on to the earliest
// version of each key whatever is laid over it, and that store.Versions shows
// what that is. open gives an empty bucket that locks, of its own for each call.
func TestVersions(t *testing.T, open func(t *testing.T) VersionedBucket) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, VersionedBucket)
	}{
		{"DeleteMarker", testDeleteMarker},
		{"LaterVersion", testLaterVersion},
		{"MarkerBeforePut", testMarkerBeforePut},
		{"PutOverMarkerRace", testPutOverMarkerRace},
		{"Neighbours", testNeighbours},
		{"ListVersions", testListVersions},
		{"ListVersionsMany", testListVersionsMany},
		{"ListVersionsStops", testListVersionsStops},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func (b VersionedBucket) mark(t *testing.T, key string) (version string) {
	t.Helper()
	version, err := b.DeleteMarker(t.Context(), key)
	if err != nil {
		t.Fatalf("planting a delete marker on %q: %v", key, err)
	}
	return version
}

func (b VersionedBucket) overwrite(t *testing.T, key, body string) (version string) {
	t.Helper()
	version, err := b.Overwrite(t.Context(), key, []byte(body))
	if err != nil {
		t.Fatalf("planting a version on %q: %v", key, err)
	}
	return version
}

// wantTruth: every way to read the key gives the version that want describes, to
// an adapter that saw it put and to one that saw nothing.
func (b VersionedBucket) wantTruth(t *testing.T, want store.ObjectInfo, body string) {
	t.Helper()
	for name, objects := range map[string]store.Objects{"the writer": b.Objects, "a newcomer": b.Reopen()} {
		wantBody(t, objects, want.Key, []byte(body))
		if got, err := objects.GetRange(t.Context(), want.Key, 1, 3); err != nil || string(got) != body[1:4] {
			t.Errorf("%s: GetRange = %q, %v", name, got, err)
		}
		head, err := objects.Head(t.Context(), want.Key)
		if err != nil || head.Version != want.Version || head.Size != want.Size {
			t.Errorf("%s: Head = %+v, %v; want %+v", name, head, err, want)
		}
		var listed []store.ObjectInfo
		for info, err := range objects.List(t.Context(), want.Key, "") {
			if err != nil {
				t.Fatalf("%s: List: %v", name, err)
			}
			listed = append(listed, info)
		}
		if len(listed) != 1 || listed[0] != head {
			t.Errorf("%s: List = %+v, want %+v alone", name, listed, head)
		}
		resp, got := fetch(t, http.MethodGet, presign(t, objects, want.Key, "f", time.Minute), "")
		if resp.StatusCode != http.StatusOK || got != body {
			t.Errorf("%s: a presigned URL gives %s, %.40q", name, resp.Status, got)
		}
		if err := objects.PutIfAbsent(t.Context(), want.Key, strings.NewReader("later")); !errors.Is(err, store.ErrExists) {
			t.Errorf("%s: PutIfAbsent = %v, want ErrExists", name, err)
		}
	}
}

func headOf(t *testing.T, objects store.Objects, key string) store.ObjectInfo {
	t.Helper()
	info, err := objects.Head(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if info.Version == "" {
		t.Errorf("Head(%q) names no version", key)
	}
	return info
}

func testDeleteMarker(t *testing.T, b VersionedBucket) {
	put(t, b.Objects, "pages/1", []byte("the truth"))
	first := headOf(t, b.Objects, "pages/1")
	b.mark(t, "pages/1")
	b.wantTruth(t, first, "the truth") // its puts lay a version over the marker
	b.mark(t, "pages/1")
	b.mark(t, "pages/1")
	b.wantTruth(t, first, "the truth")
}

func testLaterVersion(t *testing.T, b VersionedBucket) {
	put(t, b.Objects, "pages/1", []byte("the truth"))
	first := headOf(t, b.Objects, "pages/1")
	b.overwrite(t, "pages/1", "a lie")
	b.wantTruth(t, first, "the truth")
	b.mark(t, "pages/1")
	b.overwrite(t, "pages/1", "a longer lie than that")
	b.wantTruth(t, first, "the truth")
}

// testMarkerBeforePut: a delete marker on nothing hides nothing.
func testMarkerBeforePut(t *testing.T, b VersionedBucket) {
	b.mark(t, "pages/1")
	b.mark(t, "pages/2")
	for _, objects := range []store.Objects{b.Objects, b.Reopen()} {
		if _, _, err := objects.Get(t.Context(), "pages/1"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get = %v, want ErrNotFound", err)
		}
		if _, err := objects.Head(t.Context(), "pages/1"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Head = %v, want ErrNotFound", err)
		}
		wantKeys(t, objects, "", "", nil)
	}
	put(t, b.Objects, "pages/1", []byte("the truth"))
	first := headOf(t, b.Objects, "pages/1")
	b.wantTruth(t, first, "the truth")
	b.mark(t, "pages/1")
	b.wantTruth(t, first, "the truth")
	wantKeys(t, b.Reopen(), "pages/", "", []string{"pages/1"})
}

// testPutOverMarkerRace: under a delete marker puts race as if there were none.
func testPutOverMarkerRace(t *testing.T, b VersionedBucket) {
	put(t, b.Objects, "pages/taken", []byte("the truth"))
	b.mark(t, "pages/taken")
	b.mark(t, "pages/free")
	const racers = 10
	for key, winners := range map[string]int{"pages/taken": 0, "pages/free": 1} {
		won := make([]bool, racers)
		var g errgroup.Group
		for i := range racers {
			objects := b.Reopen()
			g.Go(func() error {
				err := objects.PutIfAbsent(t.Context(), key, bytes.NewReader(racerBody(i)))
				won[i] = err == nil
				if err != nil && !errors.Is(err, store.ErrExists) {
					return fmt.Errorf("racer %d: %w", i, err)
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		want := []byte("the truth")
		n := 0
		for i, w := range won {
			if w {
				n++
				want = racerBody(i)
			}
		}
		if n != winners {
			t.Errorf("%s: %d puts won, want %d", key, n, winners)
		}
		wantBody(t, b.Reopen(), key, want)
	}
}

// testNeighbours: what lies over one key is not taken for another's.
func testNeighbours(t *testing.T, b VersionedBucket) {
	keys := []string{"p/1", "p/1-r1", "p/1.json", "p/10", "p/2"}
	for _, key := range keys {
		put(t, b.Objects, key, []byte("truth of "+key))
	}
	b.overwrite(t, "p/1", "a lie")
	b.mark(t, "p/1-r1")
	b.mark(t, "p/10")
	b.overwrite(t, "p/10", "a lie")
	b.mark(t, "p/1x")
	for _, objects := range []store.Objects{b.Objects, b.Reopen()} {
		for _, key := range keys {
			wantBody(t, objects, key, []byte("truth of "+key))
		}
		wantKeys(t, objects, "p/", "", keys)
		wantKeys(t, objects, "p/1", "p/1", keys[1:4])
	}
}

// version is an ObjectVersion without what tests cannot know.
type version struct {
	key, version     string
	marker, earliest bool
	size             int64
}

func (b VersionedBucket) list(t *testing.T, prefix, after string) (found []version) {
	t.Helper()
	for v, err := range b.Versions.ListVersions(t.Context(), prefix, after) {
		if err != nil {
			t.Fatalf("ListVersions(%q, %q): %v", prefix, after, err)
		}
		if age := time.Since(v.Modified); age < -time.Minute || age > time.Hour || v.Modified.Location() != time.UTC {
			t.Errorf("%s of %q was put at %v", v.Version, v.Key, v.Modified)
		}
		if n := len(found); n > 0 && found[n-1].key > v.Key {
			t.Errorf("%q comes after %q", v.Key, found[n-1].key)
		}
		found = append(found, version{v.Key, v.Version, v.DeleteMarker, v.Earliest, v.Size})
	}
	return found
}

func wantVersions(t *testing.T, got, want []version) {
	t.Helper()
	order := func(a, b version) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.version, b.version)) }
	want = slices.DeleteFunc(slices.Clone(want), func(v version) bool { return v.version == "" })
	got, want = slices.SortedFunc(slices.Values(got), order), slices.SortedFunc(slices.Values(want), order)
	if slices.Equal(got, want) {
		return
	}
	t.Errorf("%d versions, want %d", len(got), len(want))
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	t.Errorf("they begin to differ with\n%+v,\nwant\n%+v", got[at:min(at+3, len(got))], want[at:min(at+3, len(want))])
}

func testListVersions(t *testing.T, b VersionedBucket) {
	add := func(key, body string) version {
		put(t, b.Objects, key, []byte(body))
		return version{key, headOf(t, b.Objects, key).Version, false, true, int64(len(body))}
	}
	mark := func(key string) version { return version{key, b.mark(t, key), true, false, 0} }
	lie := func(key, body string) version {
		return version{key, b.overwrite(t, key, body), false, false, int64(len(body))}
	}
	all := []version{
		mark("a-b"), // before its put
		add("a-b", "one"),
		add("a/b", "two"), lie("a/b", "a lie"), mark("a/b"), lie("a/b", "another"),
		add("a0", ""), mark("a0"),
		mark("b/only a marker"),
		add("b/x", "three"),
	}
	wantVersions(t, b.list(t, "", ""), all)
	wantVersions(t, b.list(t, "a/b", ""), all[2:6])
	wantVersions(t, b.list(t, "a", "a-b"), all[2:8])
	wantVersions(t, b.list(t, "", "a/b"), all[6:])
	wantVersions(t, b.list(t, "", "b/x"), nil)
	wantVersions(t, b.list(t, "none/", ""), nil)
}

// testListVersionsMany: S3 lists 1,000 versions a request.
func testListVersionsMany(t *testing.T, b VersionedBucket) {
	const keys = 350
	versions := make([][]version, keys)
	var g errgroup.Group
	g.SetLimit(16)
	for i := range keys {
		key := fmt.Sprintf("pages/%06d", i)
		g.Go(func() error {
			ctx := t.Context()
			first, err1 := b.Overwrite(ctx, key, []byte("x"))
			marker, err2 := b.DeleteMarker(ctx, key)
			later, err3 := b.Overwrite(ctx, key, []byte("lie"))
			versions[i] = []version{{key, first, false, true, 1}, {key, marker, true, false, 0}, {key, later, false, false, 3}}
			return errors.Join(err1, err2, err3)
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	wantVersions(t, b.list(t, "pages/", ""), slices.Concat(versions...))
	wantVersions(t, b.list(t, "pages/", "pages/000050"), slices.Concat(versions[51:]...))
	got, err := keysOf(t.Context(), b.Reopen(), "pages/", "")
	if err != nil || len(got) != keys {
		t.Errorf("List gives %d keys, %v; want %d", len(got), err, keys)
	}
}

func testListVersionsStops(t *testing.T, b VersionedBucket) {
	for i := range 5 {
		put(t, b.Objects, fmt.Sprint("a/", i), nil)
		b.mark(t, fmt.Sprint("a/", i))
	}
	for stop := 1; stop <= 10; stop++ {
		n := 0
		for _, err := range b.Versions.ListVersions(t.Context(), "a/", "") {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == stop {
				break
			}
		}
		if n != stop {
			t.Errorf("stopped after %d, want %d", n, stop)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range b.Versions.ListVersions(ctx, "a/", "") {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("ListVersions = %v, want context.Canceled", last)
	}
}
