package compaction

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// State is that of the compaction of one month, by pull date. Its item is the switch: readers see the
// runs that it names and no others.
type State struct {
	Month string `json:"month"` // yyyy-mm
	Runs  []Run  `json:"runs"`  // at most two: what is older, and what came since

	// Closed: the month was over when it was last made one run. What comes later
	// is a late part.
	Closed   bool      `json:"closed,omitempty"`
	ListedAt time.Time `json:"listed_at,omitzero"` // when, once closed, it was last looked through for late parts

	// Replaced runs may still be read by whoever saw them. They are deleted later.
	Replaced []ReplacedRun `json:"replaced,omitempty"`

	// Rebuild is under way beside Runs, from the segments alone.
	Rebuild *Rebuild `json:"rebuild,omitempty"`

	revision int64
}

// Run is a list of objects that together are sorted.
type Run struct {
	ID      string    `json:"id"`
	Objects int       `json:"objects"`
	Groups  int       `json:"groups"` // row groups, in all objects
	Rows    int64     `json:"rows"`
	Bytes   int64     `json:"bytes"`
	Parser  int       `json:"parser"` // least parser version of its rows
	At      time.Time `json:"at"`

	// Extracts are the directories of its extracts, in order; none if an older program
	// made it. Package extract says what they are.
	Extracts []ExtractDirectory `json:"extracts,omitempty"`
}

// ExtractDirectory is what a run says of the bytes of a directory.
type ExtractDirectory struct {
	Length int64  `json:"len"` // bytes
	SHA256 string `json:"h"`   // hex
}

// ReplacedRun is a run that no reader finds any more.
type ReplacedRun struct {
	ID string    `json:"id"`
	At time.Time `json:"at"` // when it was replaced
}

// Rebuild is how far the making of a month from its segments is.
type Rebuild struct {
	After   string `json:"after,omitempty"`   // key of the last part that is in Runs
	Parser  int    `json:"parser"`            // version that it reads with
	Aliases int    `json:"aliases,omitempty"` // how many userids are known to have changed
	Runs    []Run  `json:"runs"`
}

// Partitions.
const (
	partitionCompaction = "compaction"
	partitionGroups     = "compaction#" // + run
)

// Index is what the index says of compactions: the switch of each month, and
// the directories of runs.
type Index struct{ Table table.Table }

// NewIndex keeps it in a table.
func NewIndex(t table.Table) *Index { return &Index{t} }

// Prefix is where compacted objects lie in the derived bucket.
const Prefix = "compactions/"

// Key is the key of the n-th object of a run.
func Key(month, run string, n int) string {
	return fmt.Sprintf("%s%s/%s/%05d.parquet", Prefix, month, run, n)
}

// ParseKey is the reverse of Key, without n.
func ParseKey(key string) (month, run string, ok bool) {
	rest, ok := strings.CutPrefix(key, Prefix)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 || slices.Contains(parts, "") {
		return "", "", false
	}
	return parts[0], parts[1], true
}

// Month returns the state of a month; without runs if there is none.
func (c *Index) Month(ctx context.Context, month string) (State, error) {
	m := State{Month: month}
	revision, err := c.Table.Read(ctx, partitionCompaction, month, &m)
	m.revision = revision
	return m, err
}

// Months returns the states of all months that have one, in order.
func (c *Index) Months(ctx context.Context) ([]State, error) {
	return table.List[State](ctx, c.Table, store.IndexQuery{Partition: partitionCompaction, Limit: 12 * 8000})
}

// PutMonth replaces the state of a month and returns the stored one, or
// ErrConflict if somebody else wrote it since it was read.
func (c *Index) PutMonth(ctx context.Context, m State) (State, error) {
	if err := c.Table.WriteIf(ctx, partitionCompaction, m.Month, m.revision, m); err != nil {
		return m, fmt.Errorf("switching the compaction of %s: %w", m.Month, err)
	}
	m.revision++
	return m, nil
}
