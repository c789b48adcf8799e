package archive

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"wecom-archive/shared/catalog/table"
)

// OtherTypes is what MsgTypes calls those that it does not tell apart.
const OtherTypes = "other"

// Messages are not to be trusted: a page could have a thousand types of a thousand
// bytes each.
const (
	maxPageTypes = 64 // of one page; WeCom has about 40
	maxTypeName  = 64 // bytes
)

// MsgTypes counts messages by what they are.
type MsgTypes map[string]int

// Type is what a message counts as: its msgtype, or its action if it has none, as
// one that says that somebody switched to another company.
func (r Reading) Type() string { return cmp.Or(r.MsgType, r.Action, OtherTypes) }

// bounded counts the rarest types as others where there are too many, and those with
// long names.
func (m MsgTypes) bounded() MsgTypes {
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
	out := MsgTypes{}
	for _, name := range names {
		n := m[name]
		if len(name) > maxTypeName || len(out) >= maxPageTypes-1 {
			name = OtherTypes
		}
		out[name] += n
	}
	return out
}

// PagesBefore returns pages, those with the highest seqs first, of those before the
// page that next names; empty: from the last. next is empty at the end.
func (c *Catalog) PagesBefore(ctx context.Context, before string, limit int) (pages []PageState, next string, err error) {
	return table.ListBefore[PageState](ctx, c.Table, partitionPages, before, limit)
}
