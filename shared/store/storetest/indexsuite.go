package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/store"
)

// TestIndex tests an adapter of store.Index. open gives an empty index, of its
// own for each call.
func TestIndex(t *testing.T, open func(t *testing.T) store.Index) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, store.Index)
	}{
		{"PutGet", testPutGet},
		{"Revisions", testRevisions},
		{"PutIfRace", testPutIfRace},
		{"PutIfCount", testPutIfCount},
		{"GetMany", testGetMany},
		{"GetManyBig", testGetManyBig},
		{"QueryBounds", testQueryBounds},
		{"QueryPaging", testQueryPaging},
		{"QueryBig", testQueryBig},
		{"ByteOrder", testByteOrder},
		{"OddIndexKeys", testOddIndexKeys},
		{"Batches", testBatches},
		{"Limits", testLimits},
		{"Delete", testDelete},
		{"Drop", testDrop},
		{"Cancelled", testIndexCancelled},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func putItems(t *testing.T, index store.Index, items ...store.Item) {
	t.Helper()
	if err := index.Put(t.Context(), items...); err != nil {
		t.Fatalf("Put of %d items: %v", len(items), err)
	}
}

func wantItem(t *testing.T, index store.Index, partition, sort, value string) store.Item {
	t.Helper()
	item, err := index.Get(t.Context(), partition, sort)
	if err != nil {
		t.Fatalf("Get(%q, %q): %v", partition, sort, err)
	}
	if item.Partition != partition || item.Sort != sort || string(item.Value) != value {
		t.Errorf("Get(%q, %q) = %q, %q, %.40q; want %.40q", partition, sort, item.Partition, item.Sort, item.Value, value)
	}
	return item
}

func wantNone(t *testing.T, index store.Index, partition, sort string) {
	t.Helper()
	if item, err := index.Get(t.Context(), partition, sort); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get(%q, %q) = %+v, %v; want ErrNotFound", partition, sort, item, err)
	}
}

func wantSorts(t *testing.T, index store.Index, q store.IndexQuery, want []string) {
	t.Helper()
	items, err := index.Query(t.Context(), q)
	if err != nil {
		t.Fatalf("Query(%+v): %v", q, err)
	}
	var got []string
	for _, item := range items {
		got = append(got, item.Sort)
	}
	if !slices.Equal(got, want) {
		t.Errorf("Query(%+v) = %q, want %q", q, got, want)
	}
}

func testPutGet(t *testing.T, index store.Index) {
	wantNone(t, index, "p", "s")
	putItems(t, index)
	putItems(t, index, store.Item{Partition: "p", Sort: "s", Value: []byte(`{"a":1}`)})
	if item := wantItem(t, index, "p", "s", `{"a":1}`); item.Revision != 1 {
		t.Errorf("a new item has revision %d, want 1", item.Revision)
	}
	wantNone(t, index, "p", "t")
	wantNone(t, index, "q", "s")
	wantNone(t, index, "s", "p")

	value := []byte("mutable")
	putItems(t, index, store.Item{Partition: "p", Sort: "copy", Value: value})
	copy(value, "changed")
	wantItem(t, index, "p", "copy", "mutable")
	copy(wantItem(t, index, "p", "copy", "mutable").Value, "changed")
	wantItem(t, index, "p", "copy", "mutable")

	putItems(t, index, store.Item{Partition: "p", Sort: "none"})
	wantItem(t, index, "p", "none", "")
}

func testRevisions(t *testing.T, index store.Index) {
	item := store.Item{Partition: "p", Sort: "s", Value: []byte("1")}
	stale := item
	stale.Revision = 7
	if err := index.PutIf(t.Context(), stale); !errors.Is(err, store.ErrConflict) {
		t.Errorf("PutIf at revision 7 of no item = %v, want ErrConflict", err)
	}
	wantNone(t, index, "p", "s")

	if err := index.PutIf(t.Context(), item); err != nil {
		t.Fatalf("PutIf of a new item: %v", err)
	}
	if err := index.PutIf(t.Context(), item); !errors.Is(err, store.ErrConflict) {
		t.Errorf("PutIf of a new item that is there = %v, want ErrConflict", err)
	}
	seen := wantItem(t, index, "p", "s", "1")
	if seen.Revision != 1 {
		t.Errorf("a new item has revision %d, want 1", seen.Revision)
	}

	old := seen
	seen.Value = []byte("2")
	if err := index.PutIf(t.Context(), seen); err != nil {
		t.Fatalf("PutIf at the revision seen: %v", err)
	}
	if err := index.PutIf(t.Context(), old); !errors.Is(err, store.ErrConflict) {
		t.Errorf("PutIf at an older revision = %v, want ErrConflict", err)
	}
	second := wantItem(t, index, "p", "s", "2")
	if second.Revision != old.Revision+1 {
		t.Errorf("revision %d after %d", second.Revision, old.Revision)
	}

	// Put ignores the revision that it is given, and counts as a write.
	putItems(t, index, store.Item{Partition: "p", Sort: "s", Value: []byte("3"), Revision: 1000})
	third := wantItem(t, index, "p", "s", "3")
	if third.Revision <= second.Revision || third.Revision >= 1000 {
		t.Errorf("revision %d after %d", third.Revision, second.Revision)
	}
	if err := index.PutIf(t.Context(), second); !errors.Is(err, store.ErrConflict) {
		t.Errorf("PutIf at the revision before a Put = %v, want ErrConflict", err)
	}
	items, err := index.Query(t.Context(), store.IndexQuery{Partition: "p", Limit: 10})
	if err != nil || len(items) != 1 || items[0].Revision != third.Revision {
		t.Errorf("Query = %+v, %v; want the revision that Get has, %d", items, err, third.Revision)
	}
}

const indexRacers = 20

// race runs f for each racer at once and waits.
func race(t *testing.T, f func(racer int) error) {
	t.Helper()
	start := make(chan struct{})
	var g errgroup.Group
	for i := range indexRacers {
		g.Go(func() error { <-start; return f(i) })
	}
	close(start)
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

func testPutIfRace(t *testing.T, index store.Index) {
	var revision int64
	for round := range 5 { // the first creates, the others replace
		var won [indexRacers]bool
		race(t, func(i int) error {
			err := index.PutIf(t.Context(), store.Item{
				Partition: "lease", Sort: "puller", Value: fmt.Append(nil, i), Revision: revision,
			})
			won[i] = err == nil
			if errors.Is(err, store.ErrConflict) {
				return nil
			}
			return err
		})
		winner := slices.Index(won[:], true)
		if winner < 0 || slices.Contains(won[winner+1:], true) {
			t.Fatalf("round %d: not exactly one write won: %v", round, won)
		}
		revision = wantItem(t, index, "lease", "puller", fmt.Sprint(winner)).Revision
	}
}

// testPutIfCount: read, add one, write if unchanged; no addition gets lost.
func testPutIfCount(t *testing.T, index store.Index) {
	putItems(t, index, store.Item{Partition: "p", Sort: "count", Value: []byte{0}})
	race(t, func(int) error {
		for {
			item, err := index.Get(t.Context(), "p", "count")
			if err != nil {
				return err
			}
			item.Value = []byte{item.Value[0] + 1}
			err = index.PutIf(t.Context(), item)
			if !errors.Is(err, store.ErrConflict) {
				return err
			}
		}
	})
	wantItem(t, index, "p", "count", string([]byte{indexRacers}))
}

func testOddIndexKeys(t *testing.T, index store.Index) {
	keys := []string{
		"pair:li.na,wmAbC_-x", "pair:a%2Cb,c", "pair:a,b%2Cc", "room:wr#1", "a#b", "a", "b", "a\x00b", "%", "'; DROP TABLE items; --",
		`"quoted"`, "会话", "\U0001F600", " lead", "trail ", "A", strings.Repeat("k", store.MaxIndexKey),
	}
	for _, p := range keys {
		for _, s := range keys {
			putItems(t, index, store.Item{Partition: p, Sort: s, Value: []byte(p + "|" + s)})
		}
	}
	sorted := slices.Sorted(slices.Values(keys))
	for _, p := range keys {
		for _, s := range keys {
			wantItem(t, index, p, s, p+"|"+s)
		}
		wantSorts(t, index, store.IndexQuery{Partition: p, Limit: 1000}, sorted)
	}
}

// testBatches: DynamoDB writes 25 items a request.
func testBatches(t *testing.T, index store.Index) {
	var items []store.Item
	for i := range 130 {
		items = append(items, store.Item{
			Partition: fmt.Sprint("p", i%3), Sort: fmt.Sprintf("%03d", i), Value: fmt.Append(nil, i),
		})
	}
	putItems(t, index, items...)
	putItems(t, index, items...) // again is safe
	for i, item := range items {
		wantItem(t, index, item.Partition, item.Sort, fmt.Sprint(i))
	}
	if err := index.Delete(t.Context(), items[:120]...); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	for i, item := range items {
		if i < 120 {
			wantNone(t, index, item.Partition, item.Sort)
		} else {
			wantItem(t, index, item.Partition, item.Sort, fmt.Sprint(i))
		}
	}
}

func testLimits(t *testing.T, index store.Index) {
	long := strings.Repeat("k", store.MaxIndexKey)
	wide := strings.Repeat("长", store.MaxIndexKey/3+1) // limits are bytes
	big := bytes.Repeat([]byte("v"), store.MaxIndexValue)
	putItems(t, index, store.Item{Partition: long, Sort: long, Value: big})
	wantItem(t, index, long, long, string(big))

	for name, item := range map[string]store.Item{
		"no partition":         {Sort: "s"},
		"no sort key":          {Partition: "p"},
		"long partition":       {Partition: long + "k", Sort: "s"},
		"long sort key":        {Partition: "p", Sort: long + "k"},
		"wide sort key":        {Partition: "p", Sort: wide},
		"big value":            {Partition: "p", Sort: "s", Value: append(big, 'v')},
		"partition not UTF-8":  {Partition: "p\xff", Sort: "s"},
		"sort key not UTF-8":   {Partition: "p", Sort: "s\xff"},
		"sort key cut in half": {Partition: "p", Sort: "会"[:2]},
	} {
		good := store.Item{Partition: "p", Sort: "good"}
		if err := index.Put(t.Context(), good, item); err == nil {
			t.Errorf("%s: Put took it", name)
		}
		if err := index.PutIf(t.Context(), item); err == nil || errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: PutIf = %v, want it refused", name, err)
		}
		wantNone(t, index, "p", "good") // refused as a whole, before anything was written
	}
	twice := store.Item{Partition: "p", Sort: "twice"}
	if err := index.Put(t.Context(), twice, twice); err == nil {
		t.Error("Put took the same key twice")
	}
	for _, q := range []store.IndexQuery{{Partition: "p"}, {Partition: "p", Limit: -1}, {Limit: 1}} {
		if items, err := index.Query(t.Context(), q); err == nil {
			t.Errorf("Query(%+v) = %v, want an error", q, items)
		}
	}
	wantSorts(t, index, store.IndexQuery{Partition: "p", Limit: 10}, nil)
}

func testDelete(t *testing.T, index store.Index) {
	absent := store.Item{Partition: "p", Sort: "absent"}
	if err := index.Delete(t.Context(), absent); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
	if err := index.Delete(t.Context()); err != nil {
		t.Errorf("Delete of no items: %v", err)
	}
	putItems(t, index,
		store.Item{Partition: "p", Sort: "a", Value: []byte("1")},
		store.Item{Partition: "p", Sort: "b", Value: []byte("2")})
	// Only the keys count, and a mistaken double is harmless.
	gone := store.Item{Partition: "p", Sort: "a", Value: []byte("other"), Revision: 99}
	if err := index.Delete(t.Context(), gone, absent, gone); err != nil {
		t.Errorf("Delete: %v", err)
	}
	wantNone(t, index, "p", "a")
	wantItem(t, index, "p", "b", "2")
	wantSorts(t, index, store.IndexQuery{Partition: "p", Limit: 10}, []string{"b"})

	if err := index.PutIf(t.Context(), store.Item{Partition: "p", Sort: "a", Value: []byte("3")}); err != nil {
		t.Errorf("PutIf of a deleted item as a new one: %v", err)
	}
	if item := wantItem(t, index, "p", "a", "3"); item.Revision != 1 {
		t.Errorf("revision %d after deletion, want 1", item.Revision)
	}
}

func testIndexCancelled(t *testing.T, index store.Index) {
	item := store.Item{Partition: "p", Sort: "s", Value: []byte("1")}
	putItems(t, index, item)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	check := func(call string, err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want context.Canceled", call, err)
		}
	}
	_, err := index.Get(ctx, "p", "s")
	check("Get", err)
	_, err = index.GetMany(ctx, item)
	check("GetMany", err)
	_, err = index.Query(ctx, store.IndexQuery{Partition: "p", Limit: 1})
	check("Query", err)
	changed := item
	changed.Value, changed.Revision = []byte("2"), 1
	check("Put", index.Put(ctx, changed))
	check("PutIf", index.PutIf(ctx, changed))
	check("Delete", index.Delete(ctx, changed))
	wantItem(t, index, "p", "s", "1")
}
