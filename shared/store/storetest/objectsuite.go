package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/store"
)

// TestObjects tests an adapter of store.Objects. open gives an empty bucket, of its
// own for each call.
func TestObjects(t *testing.T, open func(t *testing.T) store.Objects) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, store.Objects)
	}{
		{"PutThenRead", testPutThenRead},
		{"PutTwice", testPutTwice},
		{"PutRace", testPutRace},
		{"PutRewound", testPutRewound},
		{"BadKeys", testBadKeys},
		{"NotFound", testObjectNotFound},
		{"Range", testRange},
		{"OddKeys", testOddKeys},
		{"ListOrder", testListOrder},
		{"ListAfter", testListAfter},
		{"ListMany", testListMany},
		{"ListStops", testListStops},
		{"Cancelled", testObjectsCancelled},
		{"Presign", testPresign},
		{"PresignNames", testPresignNames},
		{"PresignExpires", testPresignExpires},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// TestLock tests an adapter of store.Lock. locked and unlocked give a bucket that
// locks, and one that does not.
func TestLock(t *testing.T, locked, unlocked func(t *testing.T) store.Lock) {
	t.Helper()
	if err := locked(t).CheckLock(t.Context()); err != nil {
		t.Errorf("CheckLock = %v", err)
	}
	if err := unlocked(t).CheckLock(t.Context()); !errors.Is(err, store.ErrNotLocked) {
		t.Errorf("CheckLock = %v, want ErrNotLocked", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := locked(t).CheckLock(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("CheckLock = %v, want context.Canceled", err)
	}
}

// Contents reads all objects below prefix.
func Contents(ctx context.Context, objects store.Objects, prefix string) (map[string][]byte, error) {
	contents := map[string][]byte{}
	for info, err := range objects.List(ctx, prefix, "") {
		if err != nil {
			return nil, err
		}
		body, _, err := read(ctx, objects, info.Key)
		if err != nil {
			return nil, err
		}
		contents[info.Key] = body
	}
	return contents, nil
}

func read(ctx context.Context, objects store.Objects, key string) ([]byte, store.ObjectInfo, error) {
	r, info, err := objects.Get(ctx, key)
	if err != nil {
		return nil, info, err
	}
	body, err := io.ReadAll(r)
	return body, info, errors.Join(err, r.Close())
}

func put(t *testing.T, objects store.Objects, key string, body []byte) {
	t.Helper()
	if err := objects.PutIfAbsent(t.Context(), key, bytes.NewReader(body)); err != nil {
		t.Fatalf("PutIfAbsent(%q): %v", key, err)
	}
}

func wantBody(t *testing.T, objects store.Objects, key string, want []byte) {
	t.Helper()
	got, info, err := read(t.Context(), objects, key)
	if err != nil {
		t.Fatalf("reading %q: %v", key, err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%q has %d bytes %.40q, want %d bytes %.40q", key, len(got), got, len(want), want)
	}
	if info.Key != key || info.Size != int64(len(want)) {
		t.Errorf("Get(%q) describes %q of %d bytes, want %d", key, info.Key, info.Size, len(want))
	}
}

// keysOf lists keys, stopping at the first error.
func keysOf(ctx context.Context, objects store.Objects, prefix, after string) ([]string, error) {
	var keys []string
	for info, err := range objects.List(ctx, prefix, after) {
		if err != nil {
			return keys, err
		}
		keys = append(keys, info.Key)
	}
	return keys, nil
}

func wantKeys(t *testing.T, objects store.Objects, prefix, after string, want []string) {
	t.Helper()
	got, err := keysOf(t.Context(), objects, prefix, after)
	if err != nil {
		t.Fatalf("List(%q, %q): %v", prefix, after, err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("List(%q, %q) = %.400q,\nwant %.400q", prefix, after, got, want)
	}
}

// noise is n bytes that do not compress, the same each time.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return b
}

func testPutThenRead(t *testing.T, objects store.Objects) {
	for name, body := range map[string][]byte{
		"empty": {},
		"one":   {0},
		"text":  []byte("{\"errcode\":0}\r\n\x00\xff"),
		"5mb":   noise(5 << 20),
	} {
		key := "pages/" + name
		put(t, objects, key, body)
		wantBody(t, objects, key, body)

		_, got, err := read(t.Context(), objects, key)
		if err != nil {
			t.Fatal(err)
		}
		head, err := objects.Head(t.Context(), key)
		if err != nil {
			t.Fatalf("Head(%q): %v", key, err)
		}
		if head != got {
			t.Errorf("Head(%q) = %+v, Get says %+v", key, head, got)
		}
		if head.Version == "" || head.Modified.IsZero() {
			t.Errorf("Head(%q) = %+v, want a version and a time", key, head)
		}
		if _, offset := head.Modified.Zone(); offset != 0 {
			t.Errorf("Head(%q): Modified is %v, want UTC", key, head.Modified)
		}
		for info, err := range objects.List(t.Context(), key, "") {
			if err != nil {
				t.Fatal(err)
			}
			if info.Size != head.Size || info.Version != head.Version && info.Version != "" || info.Modified.Unix() != head.Modified.Unix() {
				t.Errorf("List says %+v, Head %+v; want them alike", info, head)
			}
		}
	}
}

func testPutTwice(t *testing.T, objects store.Objects) {
	put(t, objects, "keys/a", []byte("first"))
	before, err := objects.Head(t.Context(), "keys/a")
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"second", "first", ""} {
		err := objects.PutIfAbsent(t.Context(), "keys/a", strings.NewReader(body))
		if !errors.Is(err, store.ErrExists) {
			t.Errorf("second PutIfAbsent with %q = %v, want ErrExists", body, err)
		}
	}
	wantBody(t, objects, "keys/a", []byte("first"))
	if after, err := objects.Head(t.Context(), "keys/a"); err != nil || after != before {
		t.Errorf("after the refused puts: %+v, %v; before: %+v", after, err, before)
	}
}

func testPutRace(t *testing.T, objects store.Objects) {
	const rounds, racers = 3, 20
	for round := range rounds {
		key := fmt.Sprintf("pages/dt=2026-11-23/%d", round)
		var won [racers]bool
		start := make(chan struct{})
		var g errgroup.Group
		for i := range racers {
			g.Go(func() error {
				<-start
				err := objects.PutIfAbsent(t.Context(), key, bytes.NewReader(racerBody(i)))
				won[i] = err == nil
				if err != nil && !errors.Is(err, store.ErrExists) {
					return fmt.Errorf("racer %d: %w", i, err)
				}
				return nil
			})
		}
		close(start)
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		winner := slices.Index(won[:], true)
		if winner < 0 || slices.Contains(won[winner+1:], true) {
			t.Fatalf("not exactly one put won: %v", won)
		}
		wantBody(t, objects, key, racerBody(winner))
	}
}

func racerBody(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 1000+i) }

// testPutRewound: callers may hand over a reader that was read before, for
// hashing say, and an adapter may read it more than once.
func testPutRewound(t *testing.T, objects store.Objects) {
	body := bytes.NewReader([]byte("0123456789"))
	if err := objects.PutIfAbsent(t.Context(), "a", body); err != nil {
		t.Fatal(err)
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if err := objects.PutIfAbsent(t.Context(), "b", body); err != nil {
		t.Fatal(err)
	}
	wantBody(t, objects, "a", []byte("0123456789"))
	wantBody(t, objects, "b", []byte("0123456789"))
}

func testBadKeys(t *testing.T, objects store.Objects) {
	for _, key := range []string{
		"", "/a", "a//b", "a/", "/", "../a", "a/../b", "./a", "a/.", "bad\xff", strings.Repeat("a/", 450) + "b",
	} {
		if err := objects.PutIfAbsent(t.Context(), key, strings.NewReader("x")); err == nil || errors.Is(err, store.ErrExists) {
			t.Errorf("PutIfAbsent(%.20q) = %v, want it refused", key, err)
		}
		if _, err := objects.Head(t.Context(), key); err == nil {
			t.Errorf("Head(%.20q) found something", key)
		}
	}
	wantKeys(t, objects, "", "", nil)
}

func testObjectNotFound(t *testing.T, objects store.Objects) {
	put(t, objects, "pages/1/a", []byte("x"))
	for _, key := range []string{"pages/2", "pages/1", "pages", "pages/1/a.json", "pages/1/A"} {
		if _, _, err := objects.Get(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get(%q) = %v, want ErrNotFound", key, err)
		}
		if _, err := objects.Head(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Head(%q) = %v, want ErrNotFound", key, err)
		}
		if _, err := objects.GetRange(t.Context(), key, 0, 10); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("GetRange(%q) = %v, want ErrNotFound", key, err)
		}
		if _, err := objects.GetRange(t.Context(), key, 0, 0); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("GetRange(%q) of no bytes = %v, want ErrNotFound", key, err)
		}
	}
}

func testRange(t *testing.T, objects store.Objects) {
	put(t, objects, "a", []byte("0123456789"))
	put(t, objects, "empty", nil)
	for _, test := range []struct {
		key            string
		offset, length int64
		want           string
	}{
		{"a", 0, 10, "0123456789"},
		{"a", 0, 1, "0"},
		{"a", 9, 1, "9"},
		{"a", 3, 4, "3456"},
		{"a", 7, 100, "789"},
		{"a", 0, 1 << 40, "0123456789"},
		{"a", 1, 1<<63 - 1, "123456789"},
		{"a", 10, 1, ""},
		{"a", 1 << 40, 5, ""},
		{"a", 3, 0, ""},
		{"empty", 0, 5, ""},
		{"empty", 1, 5, ""},
	} {
		got, err := objects.GetRange(t.Context(), test.key, test.offset, test.length)
		if err != nil || string(got) != test.want {
			t.Errorf("GetRange(%s, %d, %d) = %q, %v; want %q", test.key, test.offset, test.length, got, err, test.want)
		}
	}
	for _, bad := range [][2]int64{{-1, 5}, {0, -1}} {
		if got, err := objects.GetRange(t.Context(), "a", bad[0], bad[1]); err == nil {
			t.Errorf("GetRange(a, %d, %d) = %q, want an error", bad[0], bad[1], got)
		}
	}
}

// oddKeys are legal keys that adapters get wrong, in byte order.
func oddKeys() []string {
	keys := []string{
		"dt=2026-11-23/00000000000000000001.json.zst",
		"dt=2026-11-23/00000000000000000001-r1.parquet",
		"a b/c  d", "a+b/c+d", "a%20b", "a%2Fb", "%", "100%",
		"q?x=1&y=2#z", "semi;colon,comma", "quote'\"`", "br[ac]{ke}ts<>", "back\\slash", "pipe|^~$@!()*",
		"会话/内容存档", "emoji/\U0001F600", "e\u0301/combining", "\u00e9/precomposed",
		"UPPER/x", "upper/x", "...", "..a", "a..", ".hidden/x", "tilde~/x", "x:y",
		strings.Repeat("long/", 179) + "12345",
	}
	slices.Sort(keys)
	return keys
}

func testOddKeys(t *testing.T, objects store.Objects) {
	keys := oddKeys()
	for _, key := range keys {
		put(t, objects, key, []byte(key))
	}
	for _, key := range keys {
		wantBody(t, objects, key, []byte(key))
		if got, err := objects.GetRange(t.Context(), key, 0, 1); err != nil || string(got) != key[:1] {
			t.Errorf("GetRange(%q) = %q, %v", key, got, err)
		}
		if _, err := objects.Head(t.Context(), key); err != nil {
			t.Errorf("Head(%q): %v", key, err)
		}
		if err := objects.PutIfAbsent(t.Context(), key, strings.NewReader("")); !errors.Is(err, store.ErrExists) {
			t.Errorf("second PutIfAbsent(%q) = %v, want ErrExists", key, err)
		}
	}
	wantKeys(t, objects, "", "", keys)
	for i, key := range keys {
		wantKeys(t, objects, key, "", []string{key})
		wantKeys(t, objects, "", key, keys[i+1:])
	}
}
