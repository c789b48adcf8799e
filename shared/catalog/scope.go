package catalog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// scopeRef is what the index keeps of the newest scope: the list itself may be larger
// than an item.
type scopeRef struct {
	At     time.Time `json:"at"`
	Object string    `json:"object"`
}

const partitionScope = "scope"

// PutScope stores a scope. From now on it is the one that counts.
func PutScope(ctx context.Context, objects store.Objects, people *People, corp string, s archive.Scope) error {
	if len(s.UserIDs) == 0 || len(s.UserIDs) > archive.MaxScope {
		return fmt.Errorf("a scope has 1 to %d userids, not %d", archive.MaxScope, len(s.UserIDs))
	}
	if err := archive.PutEvent(ctx, objects, archive.ScopeKey(s), archive.EventScope, corp, s.At, s); err != nil {
		return err
	}
	return people.NoteScope(ctx, s)
}

// NoteScope notes a stored scope in the index, unless a later one is there.
func (c *People) NoteScope(ctx context.Context, s archive.Scope) error {
	return table.Change(ctx, c.table, partitionScope, "current", func(known scopeRef, _ bool) (scopeRef, bool) {
		return scopeRef{s.At, archive.ScopeKey(s)}, s.At.After(known.At)
	})
}

// CurrentScope reads the scope that counts; ErrNotFound if nobody said one.
func (c *People) CurrentScope(ctx context.Context, objects store.ObjectReader) (s archive.Scope, err error) {
	var ref scopeRef
	revision, err := c.table.Read(ctx, partitionScope, "current", &ref)
	if err == nil && revision == 0 {
		err = fmt.Errorf("the scope: %w", store.ErrNotFound)
	}
	if err == nil {
		_, err = archive.GetEvent(ctx, objects, ref.Object, &s)
	}
	return s, err
}

// LastWrote is the last UTC day up to one on which an employee wrote a message; empty:
// none, or not in a message that could be read.
func (c *People) LastWrote(ctx context.Context, person, to string) (day string, err error) {
	return c.lastDay(ctx, partitionPerson+person, "s#", "", to)
}

// LastActive is the last of the UTC days from one to another with a message in a
// conversation of a person, or in a room in which they were seen; empty: none.
func (c *People) LastActive(ctx context.Context, person, from, to string) (day string, err error) {
	if day, err = c.lastDay(ctx, partitionPerson+person, "d#", from, to); err != nil || day == to {
		return day, err
	}
	rooms, err := c.roomsOf(ctx, person)
	if err != nil {
		return "", err
	}
	for _, room := range rooms {
		in, err := c.lastDay(ctx, partitionConv+room, "a#", max(from, day), to)
		if err != nil {
			return "", err
		}
		if day = max(day, in); day == to {
			break
		}
	}
	return day, nil
}

// lastDay is the last day from one to another that stands after a prefix in the names
// of a partition's items.
func (c *People) lastDay(ctx context.Context, partition, prefix, from, to string) (day string, err error) {
	q := store.IndexQuery{Partition: partition, From: prefix + from, To: prefix + to + "$", Descending: true, Limit: 1}
	items, err := c.table.Query(ctx, q)
	if err != nil || len(items) == 0 {
		return "", err
	}
	day, _, _ = strings.Cut(strings.TrimPrefix(items[0].Sort, prefix), "#")
	return day, nil
}

// AnyOn says whether a message was written on a UTC day.
func (c *Conversations) AnyOn(ctx context.Context, day string) (bool, error) {
	for shard := range dayShards {
		items, err := c.table.Query(ctx, store.IndexQuery{Partition: dayShard(day, shard), Limit: 1})
		if err != nil || len(items) > 0 {
			return len(items) > 0, err
		}
	}
	return false, nil
}
