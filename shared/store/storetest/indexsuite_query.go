package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"wecom-archive/shared/store"
)

func wantMany(t *testing.T, index store.Index, asked, want []store.Item) {
	t.Helper()
	got, err := index.GetMany(t.Context(), asked...)
	if err != nil {
		t.Fatalf("GetMany of %d items: %v", len(asked), err)
	}
	same := func(a, b store.Item) bool {
		return a.Partition == b.Partition && a.Sort == b.Sort && a.Revision == b.Revision && bytes.Equal(a.Value, b.Value)
	}
	if !slices.EqualFunc(got, want, same) {
		t.Errorf("GetMany of %d items gives %d, want %d:\n%.600v", len(asked), len(got), len(want), got)
	}
}

func testGetMany(t *testing.T, index store.Index) {
	var asked, want []store.Item
	for i := range 250 { // DynamoDB gets 100 a request
		item := store.Item{Partition: fmt.Sprint("p", i%3), Sort: fmt.Sprintf("%03d", i*7919%1000), Value: []byte(fmt.Sprint(i)), Revision: 1}
		asked = append(asked, store.Item{Partition: item.Partition, Sort: item.Sort})
		if i%4 != 0 {
			want = append(want, item)
		}
	}
	putItems(t, index, want...)
	wantMany(t, index, asked, want)
	wantMany(t, index, asked[:100], want[:75])
	wantMany(t, index, asked[:1], nil)
	wantMany(t, index, nil, nil)

	again := want[9]
	again.Value = []byte("again")
	putItems(t, index, again)
	again.Revision = 2
	wantMany(t, index, []store.Item{want[20], again, want[3]}, []store.Item{want[20], again, want[3]})

	for name, bad := range map[string][]store.Item{
		"no partition": {{Sort: "s"}}, "no sort key": {{Partition: "p"}}, "one twice": {asked[1], asked[2], asked[1]},
	} {
		if got, err := index.GetMany(t.Context(), bad...); err == nil {
			t.Errorf("GetMany with %s = %v", name, got)
		}
	}
}

// testGetManyBig: DynamoDB gives at most 16 MB at a time, GetMany must go on.
func testGetManyBig(t *testing.T, index store.Index) {
	var items []store.Item
	for i := range 70 {
		items = append(items, store.Item{Partition: "p", Sort: fmt.Sprintf("%03d", i), Value: bytes.Repeat([]byte{'a' + byte(i%26)}, 250<<10), Revision: 1})
	}
	putItems(t, index, items...)
	wantMany(t, index, items, items)
}

func testQueryBounds(t *testing.T, index store.Index) {
	sorts := []string{"a", "a#1", "b", "b/1", "c"}
	for _, part := range []string{"o", "p", "pp"} {
		for _, s := range sorts {
			putItems(t, index, store.Item{Partition: part, Sort: s, Value: []byte(part + s)})
		}
	}
	for _, test := range []struct {
		from, to string
		want     []string
	}{
		{"", "", sorts},
		{"a", "", sorts},
		{"a\x00", "", sorts[1:]},
		{"b", "", sorts[2:]},
		{"b", "c", sorts[2:4]},
		{"", "a", nil},
		{"", "b", sorts[:2]},
		{"aa", "bb", sorts[2:4]},
		{"c", "c", nil},
		{"c", "a", nil},
		{"d", "", nil},
		{"c", "d", sorts[4:]},
	} {
		for _, limit := range []int{1, 2, 1000} {
			q := store.IndexQuery{Partition: "p", From: test.from, To: test.to, Limit: limit}
			wantSorts(t, index, q, test.want[:min(limit, len(test.want))])
			reversed := slices.Clone(test.want)
			slices.Reverse(reversed)
			q.Descending = true
			wantSorts(t, index, q, reversed[:min(limit, len(reversed))])
		}
	}
	wantSorts(t, index, store.IndexQuery{Partition: "none", Limit: 5}, nil)
	items, err := index.Query(t.Context(), store.IndexQuery{Partition: "p", From: "b", Limit: 1})
	if err != nil || len(items) != 1 || items[0].Partition != "p" || string(items[0].Value) != "pb" || items[0].Revision != 1 {
		t.Errorf("Query gives %+v, %v", items, err)
	}
}

// testQueryPaging walks a partition in steps of an awkward size, both ways, as
// the viewer does: the last sort key seen bounds the next query.
func testQueryPaging(t *testing.T, index store.Index) {
	var sorts []string
	var items []store.Item
	for i := range 100 {
		sorts = append(sorts, fmt.Sprintf("%03d", i))
		items = append(items, store.Item{Partition: "p", Sort: sorts[i], Value: []byte("v")})
	}
	putItems(t, index, items...)

	var up, down []string
	for from := ""; ; {
		page, err := index.Query(t.Context(), store.IndexQuery{Partition: "p", From: from, Limit: 7})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page {
			up = append(up, item.Sort)
		}
		if len(page) < 7 {
			break
		}
		from = page[len(page)-1].Sort + "\x00"
	}
	for to := ""; ; {
		page, err := index.Query(t.Context(), store.IndexQuery{Partition: "p", To: to, Descending: true, Limit: 7})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page {
			down = append(down, item.Sort)
		}
		if len(page) < 7 {
			break
		}
		to = page[len(page)-1].Sort
	}
	slices.Reverse(down)
	if !slices.Equal(up, sorts) || !slices.Equal(down, sorts) {
		t.Errorf("paging up found %d of 100, paging down %d", len(up), len(down))
	}
}

// testQueryBig: DynamoDB answers at most 1 MB at a time, Query must go on.
func testQueryBig(t *testing.T, index store.Index) {
	const n = 15
	var sorts []string
	for i := range n {
		sorts = append(sorts, fmt.Sprintf("%03d", i))
		putItems(t, index, store.Item{Partition: "p", Sort: sorts[i], Value: bytes.Repeat([]byte{'a' + byte(i)}, 200<<10)})
	}
	wantSorts(t, index, store.IndexQuery{Partition: "p", Limit: 1000}, sorts)
	wantSorts(t, index, store.IndexQuery{Partition: "p", Limit: 12}, sorts[:12])
	slices.Reverse(sorts)
	wantSorts(t, index, store.IndexQuery{Partition: "p", Limit: n, Descending: true}, sorts)
}

func testByteOrder(t *testing.T, index store.Index) {
	sorts := []string{
		"\x00", "\x01", " ", "!", "#", "%", "+", ",", "-", ".", "/", "0", "00", "0\x00", "1", "10", "2", ":", "A", "B", "Z",
		"_", "a", "aB", "ab", "b", "~", "\x7f", "é", "e\u0301", "ß", "会", "\uFFFD", "\U0001F600", "\U0010FFFF",
	}
	var items []store.Item
	for _, s := range sorts {
		items = append(items, store.Item{Partition: "p", Sort: s, Value: []byte(s)})
	}
	putItems(t, index, items...)
	slices.Sort(sorts)
	wantSorts(t, index, store.IndexQuery{Partition: "p", Limit: 1000}, sorts)
	for i, s := range sorts {
		wantSorts(t, index, store.IndexQuery{Partition: "p", From: s, Limit: 1000}, sorts[i:])
		wantItem(t, index, "p", s, s)
	}
}
