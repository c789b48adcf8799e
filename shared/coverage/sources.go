package coverage

import (
	"context"
	"iter"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

// People are who was seen, who has a seat and when they wrote; a report only reads.
type People interface {
	Aliases(ctx context.Context) (catalog.Aliases, error)
	Seats(ctx context.Context) iter.Seq2[catalog.Seat, error]
	Subjects(ctx context.Context) iter.Seq2[catalog.Subject, error]
	DirectoryState(ctx context.Context) (catalog.DirectoryState, error)
	CurrentScope(ctx context.Context, objects store.ObjectReader) (archive.Scope, error)
	LastWrote(ctx context.Context, person, to string) (day string, err error)
	LastActive(ctx context.Context, person, from, to string) (day string, err error)
	PersonEntries(ctx context.Context, ids ...string) (map[string]catalog.DirectoryEntry, error)
}

// Pages know when the end of the stream was reached.
type Pages interface {
	PullState(ctx context.Context) (catalog.PullState, error)
}

// Conversations know on which days anybody wrote.
type Conversations interface {
	AnyOn(ctx context.Context, day string) (bool, error)
}
