package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// ErrUntold means that the index lacks something of what it must say of a part of a
// segment: readers would miss messages and notice nothing. Making the index again helps.
var ErrUntold = errors.New("the index does not tell of all of it")

// Told compares what the index says of a part of a segment, with these rows, with what
// readers rely on: where its messages lie, and on which lists their conversations are. It
// returns ErrUntold if something is missing. A part that is indexed, or compacted, just
// now may lack something for a moment.
func (c *Conversations) Told(ctx context.Context, key string, rows []archive.Row) error {
	lists, spans := table.Set{}, table.Set{}
	month, _, ok := compactedName(key)
	if !ok {
		return errors.New("not the key of a segment")
	}
	for _, r := range rows {
		if r.Readable() {
			addDay(lists, r.Reading, r.People())
			spans.Add(partitionConv+r.Conversation, "c#"+month)
		}
	}
	// Who agreed, and who was seen at all, others say, too.
	for k := range lists {
		if !strings.HasPrefix(k.Partition, partitionDay) && !strings.HasPrefix(k.Sort, "a#") && !strings.HasPrefix(k.Sort, "d#") {
			delete(lists, k)
		}
	}
	missing, err := c.table.Missing(ctx, lists)
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("%d entries of lists by day are missing: %w", len(missing), ErrUntold)
	}
	if err != nil {
		return fmt.Errorf("comparing the index with %s: %w", key, err)
	}
	compacted, err := c.compacted(ctx, key)
	switch {
	case err != nil:
	case compacted:
		if missing, err = c.table.Missing(ctx, spans); err == nil && len(missing) > 0 {
			err = fmt.Errorf("it is compacted, and %d conversations are not said to be: %w", len(missing), ErrUntold)
		}
	default:
		err = c.toldOpen(ctx, key, rows)
	}
	if err != nil {
		return fmt.Errorf("comparing the index with %s: %w", key, err)
	}
	return nil
}

// toldOpen compares the postings of a part that is in no run.
func (c *Conversations) toldOpen(ctx context.Context, key string, rows []archive.Row) error {
	want, err := postings(key, rows)
	if err != nil {
		return err
	}
	items := append([]store.Item{{Partition: partitionOpen, Sort: key}}, want...)
	found, err := c.table.GetMany(ctx, items...)
	if err != nil {
		return err
	}
	if len(found) < len(items) {
		return fmt.Errorf("it is in no run, and %d of %d postings are missing: %w", len(items)-len(found), len(items), ErrUntold)
	}
	for i, item := range want {
		var is, must posting
		if err := json.Unmarshal(item.Value, &must); err != nil {
			return err
		}
		if err := json.Unmarshal(found[i+1].Value, &is); err != nil || is.Object != must.Object || !slices.Equal(is.Entries, must.Entries) {
			return fmt.Errorf("a posting of it says something else: %w", ErrUntold)
		}
	}
	return nil
}
