package compact

import (
	"context"
	"time"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
)

// Conversations know which parts of segments are compacted, and in which months the
// messages are.
type Conversations interface {
	CompactedParts(ctx context.Context, day string) (catalog.CompactedParts, error)
	MarkCompacted(ctx context.Context, key string, postings []catalog.PostingRef) error
	CoverConversations(ctx context.Context, month string, spans map[string][2]time.Time) error
}

// People are known by other userids, too.
type People interface {
	Aliases(ctx context.Context) (catalog.Aliases, error)
}

// Compactions are the switches of months and the directories of runs.
type Compactions interface {
	Month(ctx context.Context, month string) (compaction.State, error)
	MonthNames(ctx context.Context) ([]string, error)
	PutMonth(ctx context.Context, m compaction.State) (compaction.State, error)
	AllRowGroups(ctx context.Context, run string, after *compaction.RowGroup, limit int) ([]compaction.RowGroup, error)
	PutRowGroups(ctx context.Context, run string, groups ...compaction.RowGroup) error
	DropRowGroups(ctx context.Context, run string) error
}
