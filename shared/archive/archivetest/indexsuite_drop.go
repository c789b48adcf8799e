package archivetest

import (
	"fmt"
	"testing"

	"wecom-archive/shared/archive"
)

// testDrop drops more partitions and items than an adapter reads at a time.
func testDrop(t *testing.T, index archive.Index) {
	dropper, ok := index.(archive.Dropper)
	if !ok {
		t.Fatalf("%T is no archive.Dropper", index)
	}
	if err := dropper.Drop(t.Context()); err != nil {
		t.Errorf("Drop of nothing: %v", err)
	}
	var items []archive.Item
	for n := range 1500 {
		items = append(items, archive.Item{Partition: "one", Sort: fmt.Sprint(n), Value: []byte("{}")})
	}
	for n := range 300 {
		items = append(items, archive.Item{Partition: fmt.Sprintf("many-%d\x00", n), Sort: "s", Value: []byte("{}")})
	}
	kept := archive.Item{Partition: "many", Sort: "s", Value: []byte("1")}
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
