package storetest

import (
	"fmt"
	"testing"

	"wecom-archive/shared/store"
)

// testDrop drops more partitions and items than an adapter reads at a time.
func testDrop(t *testing.T, index store.Index) {
	dropper, ok := index.(store.Dropper)
	if !ok {
		t.Fatalf("%T is no store.Dropper", index)
	}
	if err := dropper.Drop(t.Context()); err != nil {
		t.Errorf("Drop of nothing: %v", err)
	}
	var items []store.Item
	for n := range 1500 {
		items = append(items, store.Item{Partition: "one", Sort: fmt.Sprint(n), Value: []byte("{}")})
	}
	for n := range 300 {
		items = append(items, store.Item{Partition: fmt.Sprintf("many-%d\x00", n), Sort: "s", Value: []byte("{}")})
	}
	kept := store.Item{Partition: "many", Sort: "s", Value: []byte("1")}
	putItems(t, index, append(items, kept)...)
	if err := dropper.Drop(t.Context(), "many", "absent"); err != nil {
		t.Fatalf("Drop: %v", err)
	}
	for _, item := range items {
		wantNone(t, index, item.Partition, item.Sort)
	}
	wantItem(t, index, "many", "s", "1")
	putItems(t, index, items[0]) // the table is still there
	if item := wantItem(t, index, "one", "0", "{}"); item.Revision != 1 {
		t.Errorf("revision %d after a drop, want 1", item.Revision)
	}
	if err := dropper.Drop(t.Context()); err != nil {
		t.Fatalf("Drop: %v", err)
	}
	wantNone(t, index, "many", "s")
	wantNone(t, index, "one", "0")
}
