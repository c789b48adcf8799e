package compaction

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"sort"
	"strings"

	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// RowGroup is an entry of a run's directory: one row group of one of its objects.
type RowGroup struct {
	Number int    `json:"n"` // in the run, from 0
	Object string `json:"o"` // key in the derived bucket
	Group  int    `json:"g"` // in the object, from 0

	Rows   int    `json:"r"`
	Offset int64  `json:"at"`  // bytes, in the object
	Length int64  `json:"len"` // bytes
	SHA256 string `json:"h"`   // hex, of these bytes

	Size         int64  `json:"size"` // bytes, of the object
	Footer       int64  `json:"f"`    // offset of its footer, which goes to the end
	FooterSHA256 string `json:"fh"`
	Own          []byte `json:"m,omitempty"` // a footer of this row group alone; none from older programs

	First GroupEdge `json:"first"`
	Last  GroupEdge `json:"last"`

	// Conversations are the NameSums of those in it: no request is spent on a row group
	// that has nothing.
	Conversations []byte `json:"c"`
}

// Bounds of what a row group can be, far beyond what is written.
const (
	maxGroupBytes  = 1 << 30
	maxFooterBytes = 64 << 20
)

// Check says whether the entry can be one of a run's directory. The index has no sums; a
// reader must not follow it to wherever it points. ErrDamaged.
func (g RowGroup) Check(month string, run Run) error {
	of, name, ok := ParseKey(g.Object)
	switch {
	case !ok || of != month || name != run.ID:
		return fmt.Errorf("row group %d of run %s lies in an object that is not the run's: %w", g.Number, run.ID, store.ErrDamaged)
	case g.Number < 0 || run.Groups > 0 && g.Number >= run.Groups || g.Group < 0 || g.Rows < 1:
		return fmt.Errorf("row group %d of run %s is none of its %d: %w", g.Number, run.ID, run.Groups, store.ErrDamaged)
	case g.Offset < 0 || g.Length < 1 || g.Length > maxGroupBytes || g.Footer < g.Offset+g.Length || g.Size <= g.Footer || g.Size-g.Footer > maxFooterBytes:
		return fmt.Errorf("row group %d of run %s lies nowhere in its object: %w", g.Number, run.ID, store.ErrDamaged)
	}
	return nil
}

// TimeBounds are the times of the earliest and the latest of some messages.
type TimeBounds struct {
	First int64 `json:"f"` // ms
	Last  int64 `json:"l"`
}

// GroupEdge is the first or last row of a row group.
type GroupEdge struct {
	Conversation string `json:"c"`
	Time         int64  `json:"t"` // ms
}

// NewRowGroup describes rows, which are sorted, without saying where they lie.
func NewRowGroup(rows []Row) RowGroup {
	edge := func(r Row) GroupEdge { return GroupEdge{r.Conversation, r.MsgTime.UnixMilli()} }
	g := RowGroup{Rows: len(rows), First: edge(rows[0]), Last: edge(rows[len(rows)-1])}
	conversations := map[string]bool{}
	for i, r := range rows {
		if i == 0 || r.Conversation != rows[i-1].Conversation {
			conversations[r.Conversation] = true
		}
	}
	g.Conversations = NameSums(conversations)
	return g
}

// NameSums has four bytes for each name, sorted: FNV-1a, big endian.
func NameSums(names map[string]bool) []byte {
	sums := make([]uint32, 0, len(names))
	for name := range names {
		sums = append(sums, nameSum(name))
	}
	slices.Sort(sums)
	var packed []byte
	for _, sum := range slices.Compact(sums) {
		packed = binary.BigEndian.AppendUint32(packed, sum)
	}
	return packed
}

func nameSum(name string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return h.Sum32()
}

// HasNameSum says whether a name can be one of those that NameSums has summed.
func HasNameSum(packed []byte, name string) bool {
	sum := nameSum(name)
	n := len(packed) / 4
	at := sort.Search(n, func(i int) bool { return binary.BigEndian.Uint32(packed[4*i:]) >= sum })
	return at < n && binary.BigEndian.Uint32(packed[4*at:]) == sum
}

// MayHold says whether the row group can have messages of a conversation between
// two times, both inclusive.
func (g RowGroup) MayHold(conversation string, from, to int64) bool {
	if g.Last.Before(conversation, from) || g.First.After(conversation, to) {
		return false
	}
	return HasNameSum(g.Conversations, conversation)
}

// Before says whether the row comes before all of a conversation from a time (ms) on.
func (e GroupEdge) Before(conversation string, ms int64) bool {
	return e.Conversation < conversation || e.Conversation == conversation && e.Time < ms
}

// After says whether the row comes after all of a conversation up to a time (ms).
func (e GroupEdge) After(conversation string, ms int64) bool {
	return e.Conversation > conversation || e.Conversation == conversation && e.Time > ms
}

// Layout is what Layout.ReadGroup needs.
func (g RowGroup) Layout() (Layout, GroupLayout) {
	return Layout{Footer: g.Footer, FooterSHA256: g.FooterSHA256, Size: g.Size},
		GroupLayout{Offset: g.Offset, Length: g.Length, Rows: g.Rows, SHA256: g.SHA256}
}

// groupName sorts the row groups of a run by their last row, and so by where they
// lie in it: the first name not less than that of (conversation, ms, 0) is the
// first row group that can hold what comes from there on. Names of conversations
// may be cut and times clamped; the order stays, and the number tells apart what
// becomes equal.
func groupName(conversation string, ms int64, number int) string {
	const (
		longest = 900             // bytes, of MaxIndexKey
		maxMS   = 999999999999999 // 15 digits
	)
	name := orderEscape.Replace(conversation)
	if len(name) > longest {
		name, ms = strings.ToValidUTF8(name[:longest], ""), 0
	}
	return fmt.Sprintf("%s\x00%015d#%08d", name, min(max(ms, 0), maxMS), number)
}

// orderEscape keeps the separator out of names without changing their order.
var orderEscape = strings.NewReplacer("\x00", "\x01\x02", "\x01", "\x01\x03")

// PutRowGroups writes entries of a run's directory.
func (c *Index) PutRowGroups(ctx context.Context, run string, groups ...RowGroup) error {
	items := make([]store.Item, len(groups))
	for i, g := range groups {
		item, err := table.NewItem(partitionGroups+run, groupName(g.Last.Conversation, g.Last.Time, g.Number), g)
		if err != nil {
			return err
		}
		items[i] = item
	}
	if err := c.Table.Put(ctx, items...); err != nil {
		return fmt.Errorf("writing the directory of run %s: %w", run, err)
	}
	return nil
}

// RowGroupsFrom returns at most limit row groups of a run, in order, from the first on
// that ends with a message of the conversation at a time (ms) or with what comes after.
func (c *Index) RowGroupsFrom(ctx context.Context, run, conversation string, ms int64, limit int) ([]RowGroup, error) {
	return table.List[RowGroup](ctx, c.Table, store.IndexQuery{Partition: partitionGroups + run, From: groupName(conversation, ms, 0), Limit: limit})
}

// RowGroupsBefore returns at most limit row groups of a run before a given one (nil:
// from its end), the last first.
func (c *Index) RowGroupsBefore(ctx context.Context, run string, before *RowGroup, limit int) ([]RowGroup, error) {
	q := store.IndexQuery{Partition: partitionGroups + run, Limit: limit, Descending: true}
	if before != nil {
		q.To = groupName(before.Last.Conversation, before.Last.Time, before.Number)
	}
	return table.List[RowGroup](ctx, c.Table, q)
}

// AllRowGroups returns at most limit row groups of a run in order, after a given
// one (nil: from the first).
func (c *Index) AllRowGroups(ctx context.Context, run string, after *RowGroup, limit int) ([]RowGroup, error) {
	q := store.IndexQuery{Partition: partitionGroups + run, Limit: limit}
	if after != nil {
		q.From = groupName(after.Last.Conversation, after.Last.Time, after.Number) + "\x00"
	}
	return table.List[RowGroup](ctx, c.Table, q)
}

// DropRowGroups deletes the directory of a run.
func (c *Index) DropRowGroups(ctx context.Context, run string) error {
	for {
		items, err := c.Table.Query(ctx, store.IndexQuery{Partition: partitionGroups + run, Limit: 100})
		if err != nil {
			return fmt.Errorf("deleting the directory of run %s: %w", run, err)
		}
		if len(items) == 0 {
			return nil
		}
		if err := c.Table.Delete(ctx, items...); err != nil {
			return fmt.Errorf("deleting the directory of run %s: %w", run, err)
		}
	}
}
