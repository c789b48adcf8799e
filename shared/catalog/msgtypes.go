package catalog

import (
	"cmp"
	"maps"
	"slices"

	"wecom-archive/shared/archive"
)

// Messages are not to be trusted: a page could have a thousand types of a thousand
// bytes each.
const (
	maxPageTypes = 64 // of one page; WeCom has about 40
	maxTypeName  = 64 // bytes
)

// MsgTypes counts messages by what they are.
type MsgTypes map[string]int

// bounded counts the rarest types as others where there are too many, and those with
// long names.
func (m MsgTypes) bounded() MsgTypes {
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
	out := MsgTypes{}
	for _, name := range names {
		n := m[name]
		if len(name) > maxTypeName || len(out) >= maxPageTypes-1 {
			name = archive.OtherTypes
		}
		out[name] += n
	}
	return out
}
