package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/store"
)

// TestDerived tests an adapter of store.Derived. open gives an empty bucket, of
// its own for each call.
func TestDerived(t *testing.T, open func(t *testing.T) store.Derived) {
	t.Helper()
	// What both buckets promise.
	for _, test := range []struct {
		name string
		run  func(*testing.T, store.Objects)
	}{
		{"PutThenRead", testPutThenRead},
		{"PutRewound", testPutRewound},
		{"BadKeys", testBadKeys},
		{"NotFound", testObjectNotFound},
		{"Range", testRange},
		{"OddKeys", testOddKeys},
		{"ListOrder", testListOrder},
		{"ListAfter", testListAfter},
		{"ListStops", testListStops},
		{"Cancelled", testObjectsCancelled},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, putOnce{open(t)}) })
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T, store.Derived)
	}{
		{"Replace", testReplace},
		{"ReplaceRace", testReplaceRace},
		{"Delete", testDeleteObjects},
		{"Many", testManyDerived},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// putOnce lets the tests of the archive bucket read a derived one.
type putOnce struct{ store.Derived }

func (p putOnce) PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error {
	switch _, err := p.Head(ctx, key); {
	case err == nil:
		return store.ErrExists
	case errors.Is(err, store.ErrNotFound):
		return p.Put(ctx, key, body)
	default:
		return err
	}
}

func (putOnce) PresignGet(context.Context, string, string, time.Duration) (string, error) {
	return "", errors.ErrUnsupported
}

func testReplace(t *testing.T, derived store.Derived) {
	for i, body := range []string{"first", "second, longer", "", "third"} {
		if err := derived.Put(t.Context(), "readings/a", strings.NewReader(body)); err != nil {
			t.Fatalf("put %d: %v", i, err)
		}
		wantBody(t, putOnce{derived}, "readings/a", []byte(body))
		if head, err := derived.Head(t.Context(), "readings/a"); err != nil || head.Size != int64(len(body)) {
			t.Errorf("put %d: Head = %+v, %v", i, head, err)
		}
		n := 0
		for info, err := range derived.List(t.Context(), "", "") {
			if n++; err != nil || info.Key != "readings/a" || info.Size != int64(len(body)) {
				t.Errorf("put %d: List = %+v, %v", i, info, err)
			}
		}
		if n != 1 {
			t.Errorf("put %d: %d objects are listed", i, n)
		}
	}
}

// testReplaceRace: of puts that race one is left, whole, and readers see one of
// them at any time.
func testReplaceRace(t *testing.T, derived store.Derived) {
	const racers = 10
	put := func(i int) error { return derived.Put(t.Context(), "a/b", bytes.NewReader(racerBody(i))) }
	if err := put(0); err != nil {
		t.Fatal(err)
	}
	whole := func() error {
		body, _, err := read(t.Context(), putOnce{derived}, "a/b")
		if err == nil && (len(body) < 1000 || !bytes.Equal(body, racerBody(len(body)-1000))) {
			err = fmt.Errorf("read %d bytes that nobody put", len(body))
		}
		return err
	}
	var g errgroup.Group
	for i := range racers {
		g.Go(func() error { return put(i) })
		g.Go(whole)
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := whole(); err != nil {
		t.Error(err)
	}
}

func testDeleteObjects(t *testing.T, derived store.Derived) {
	objects := putOnce{derived}
	for _, key := range []string{"a", "b/c", "b/d", "会 话+%"} {
		put(t, objects, key, []byte(key))
	}
	remove := func(keys ...string) {
		t.Helper()
		if err := derived.Delete(t.Context(), keys...); err != nil {
			t.Errorf("Delete(%q): %v", keys, err)
		}
	}
	remove()
	remove("none", "b/none")
	wantKeys(t, objects, "", "", []string{"a", "b/c", "b/d", "会 话+%"})
	remove("b/c", "none", "会 话+%")
	wantKeys(t, objects, "", "", []string{"a", "b/d"})
	if _, _, err := derived.Get(t.Context(), "b/c"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get of what was deleted = %v, want ErrNotFound", err)
	}
	remove("b/c")
	put(t, objects, "b/c", []byte("anew"))
	wantBody(t, objects, "b/c", []byte("anew"))

	if err := derived.Delete(t.Context(), "a", "../b"); err == nil {
		t.Error("Delete takes a bad key")
	}
	wantBody(t, objects, "a", []byte("a")) // nothing is deleted then
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := derived.Delete(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Delete = %v, want context.Canceled", err)
	}
	if err := derived.Put(ctx, "a", strings.NewReader("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Put = %v, want context.Canceled", err)
	}
	wantBody(t, objects, "a", []byte("a"))
}

// testManyDerived: S3 lists and deletes 1,000 keys a request.
func testManyDerived(t *testing.T, derived store.Derived) {
	var keys []string
	var g errgroup.Group
	g.SetLimit(16)
	for i := range 1105 {
		key := fmt.Sprintf("fetch/%06d", i)
		keys = append(keys, key)
		g.Go(func() error { return derived.Put(t.Context(), key, strings.NewReader("x")) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, putOnce{derived}, "fetch/", "", keys)
	wantKeys(t, putOnce{derived}, "", keys[50], keys[51:])
	left := keys[1050:]
	if err := derived.Delete(t.Context(), slices.Clone(keys[:1050])...); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, putOnce{derived}, "", "", left)
}
