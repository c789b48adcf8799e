package mediafetch_test

import (
	"maps"
	"slices"
)

func sorted(m map[string][]byte) []string { return slices.Sorted(maps.Keys(m)) }
