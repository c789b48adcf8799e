package timeid_test

import (
	"slices"
	"testing"

	"wecom-archive/shared/timeid"
)

// TestSorts: ids made one after another are in that order, and no two are the same.
func TestSorts(t *testing.T) {
	var ids []string
	for range 10_000 {
		ids = append(ids, timeid.New())
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Error("ids are not in the order in which they were made, or one came twice")
	}
}
