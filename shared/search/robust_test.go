package search_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/query"
	"wecom-archive/shared/search"
	"wecom-archive/shared/store"
)

// TestOldDirectory: runs of a program without extracts, and without a footer for each row
// group, are searched all the same.
func TestOldDirectory(t *testing.T) {
	w := fixture(t)
	w.compact(t, start.AddDate(0, 0, 6))
	groups, runs := 0, 0
	for _, item := range w.index.All() {
		members := map[string]any{}
		if strings.HasPrefix(item.Partition, "compaction") {
			if err := json.Unmarshal(item.Value, &members); err != nil {
				t.Fatal(err)
			}
		}
		switch {
		case strings.HasPrefix(item.Partition, "compaction#") && members["m"] != nil:
			delete(members, "m")
			groups++
		case item.Partition == "compaction":
			for _, run := range members["runs"].([]any) {
				if run := run.(map[string]any); run["extracts"] != nil {
					delete(run, "extracts")
					runs++
				}
			}
		default:
			continue
		}
		var err error
		if item.Value, err = json.Marshal(members); err == nil {
			err = w.index.Put(t.Context(), item)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if groups < 4 || runs == 0 {
		t.Fatalf("%d row groups of %d runs", groups, runs)
	}
	for _, q := range []asked{
		{"合同", search.Query{Limit: 2}}, {"合同", search.Query{Limit: 2, Descending: true, Time: time.Nanosecond}}, {"", search.Query{Limit: 50, Query: query.Query{Person: query.IDs{"wmCustomer"}}}},
		{"c", search.Query{Limit: 9, Query: query.Query{From: start.AddDate(0, 0, 1), Conversation: "room:r1"}}},
	} {
		w.check(t, w.scanner(), q)
	}
}

// failing cannot read, for no fault of what is stored.
type failing struct {
	store.ObjectReader
	err error
}

func (f failing) Get(context.Context, string) (io.ReadCloser, store.ObjectInfo, error) {
	return nil, store.ObjectInfo{}, f.err
}

func (f failing) GetRange(context.Context, string, int64, int64) ([]byte, error) { return nil, f.err }

// TestStoreFails: a store that is down is an error, not an archive without hits.
func TestStoreFails(t *testing.T) {
	w := fixture(t)
	down := errors.New("the store is down")
	q := search.Query{Query: query.Query{Words: phrase(t, "合同")}, Limit: 5}
	if a, err := w.over(failing{w.objects, down}, w.derived).Search(t.Context(), q); !errors.Is(err, down) {
		t.Errorf("segments: %+v, %v", a, err)
	}
	w.compact(t, start.AddDate(0, 0, 6))
	if a, err := w.over(w.objects, failing{w.derived, down}).Search(t.Context(), q); !errors.Is(err, down) {
		t.Errorf("row groups: %+v, %v", a, err)
	}
	if a, err := w.over(w.objects, nil).Search(t.Context(), q); err == nil {
		t.Errorf("without the derived bucket: %+v", a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a, err := w.scanner().Search(ctx, q); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %+v, %v", a, err)
	}
}

// TestStoredAgain: a damaged segment whose rows lie in a later part hides nothing.
func TestStoredAgain(t *testing.T) {
	w := fixture(t)
	key := w.store(t, start.AddDate(0, 0, 6), w.message(start, "合同 lost", nil))
	_, asked, _, _ := archive.ParseSegmentKey(key)
	if err := w.catalog.Pages.FinishPage(t.Context(), catalog.PageState{Key: archive.PageKey(asked), SeqAsked: asked, PulledAt: start.AddDate(0, 0, 6), Parts: 2, Damaged: []string{key}}); err != nil {
		t.Fatal(err)
	}
	a, err := w.over(&spoiling{ObjectReader: w.objects, key: key}, w.derived).
		Search(t.Context(), search.Query{Query: query.Query{Words: phrase(t, "合同")}, Limit: 5})
	if err != nil || slices.Contains(a.Damaged, key) {
		t.Errorf("damaged %v, %v", a.Damaged, err)
	}
}

// TestDamage: a part that cannot be read is named, and the rest is searched.
func TestDamage(t *testing.T) {
	w := fixture(t)
	key := w.store(t, start.AddDate(0, 0, 6), w.message(start, "合同 lost", nil))
	spoiled := &spoiling{ObjectReader: w.objects, key: key}
	s := w.over(spoiled, w.derived)
	q := search.Query{Query: query.Query{Words: phrase(t, "合同")}, Limit: 100}
	want := len(w.want(asked{"合同", q}))
	a, err := s.Search(t.Context(), q)
	if err != nil || len(a.Hits) != want-1 || !slices.Equal(a.Damaged, []string{key}) {
		t.Fatalf("%d hits of %d, damaged %v, %v", len(a.Hits), want, a.Damaged, err)
	}
	w.compact(t, start.AddDate(0, 0, 7))
	derived := keysBelow(t, w.derived, compaction.Prefix)
	lost := func(suffixes ...string) (damaged []string) {
		t.Helper()
		spoiled := &spoiling{ObjectReader: w.derived}
		for _, suffix := range suffixes {
			i := slices.IndexFunc(derived, func(key string) bool { return strings.HasSuffix(key, suffix) })
			spoiled.also = append(spoiled.also, derived[i])
		}
		a, err := w.over(w.objects, spoiled).Search(t.Context(), q)
		if err != nil || (len(a.Damaged) == 0) != (len(a.Hits) == want) {
			t.Fatalf("%v: %d hits of %d, damaged %v, %v", suffixes, len(a.Hits), want, a.Damaged, err)
		}
		for _, key := range spoiled.also {
			if err := w.derived.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		again, err := w.scanner().Search(t.Context(), q)
		if err != nil || len(again.Hits) != len(a.Hits) || len(again.Damaged) != len(a.Damaged) {
			t.Fatalf("%v are gone: %d hits, damaged %v, %v", suffixes, len(again.Hits), again.Damaged, err)
		}
		return a.Damaged
	}
	// Without extracts the compacted objects are read.
	if damaged := lost(".extract"); len(damaged) > 0 {
		t.Errorf("an object of extracts: %v", damaged)
	}
	// Without those the segments are.
	if damaged := lost(".extract", ".parquet"); len(damaged) > 0 {
		t.Errorf("an object and its extracts: %v", damaged)
	}
}

// TestSpoiltExtract: whatever byte of extracts and their directory differs, every message
// is found.
func TestSpoiltExtract(t *testing.T) {
	w := fixture(t)
	w.compact(t, start.AddDate(0, 0, 6))
	q := asked{"合同", search.Query{Limit: 3}}
	for _, key := range keysBelow(t, w.derived, compaction.Prefix) {
		if strings.HasSuffix(key, ".parquet") {
			continue
		}
		stored, err := store.ReadObject(t.Context(), w.derived, key)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(stored); at += 1 + len(stored)/15 {
			spoilt := slices.Clone(stored)
			spoilt[at] ^= 1
			if err := w.derived.Put(t.Context(), key, bytes.NewReader(spoilt)); err != nil {
				t.Fatal(err)
			}
			w.check(t, w.scanner(), q)
		}
		if err := w.derived.Put(t.Context(), key, bytes.NewReader(stored)); err != nil {
			t.Fatal(err)
		}
	}
}

// spoiling changes bytes of objects.
type spoiling struct {
	store.ObjectReader
	key  string
	also []string
}

func (s *spoiling) spoils(key string) bool { return key == s.key || slices.Contains(s.also, key) }

func (s *spoiling) Get(ctx context.Context, key string) (io.ReadCloser, store.ObjectInfo, error) {
	body, info, err := s.ObjectReader.Get(ctx, key)
	if err != nil || !s.spoils(key) {
		return body, info, err
	}
	defer body.Close()
	stored, err := io.ReadAll(body)
	stored[len(stored)/2] ^= 1
	return io.NopCloser(bytes.NewReader(stored)), info, err
}

func (s *spoiling) GetRange(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	data, err := s.ObjectReader.GetRange(ctx, key, offset, length)
	if err == nil && s.spoils(key) {
		data[len(data)/2] ^= 1
	}
	return data, err
}
