package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// MonthSpan says that a conversation has messages in the compaction of a month,
// none of them before First or after Last.
type MonthSpan struct {
	Month       string
	First, Last time.Time // ms; may be wider than need be
}

type monthSpan struct {
	First int64 `json:"f"` // ms
	Last  int64 `json:"l"`
}

// anySpan stands for one that cannot be read: it may have been any.
func anySpan() monthSpan { return monthSpan{First: -1 << 53, Last: 1 << 53} }

// widen rounds a span of messages so that a conversation that goes on does not
// cost a write each day: to the week that its last message lies in (days 1 to 7,
// 8 to 14 and so on), but not beyond the month.
func widen(month string, first, last time.Time) monthSpan {
	day := func(t time.Time) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	}
	first, last = first.UTC(), last.UTC()
	end := day(last).AddDate(0, 0, 1)
	if start, err := time.Parse(archive.MonthLayout, month); err == nil && last.Format(archive.MonthLayout) == month {
		end = start.AddDate(0, 0, (last.Day()+6)/7*7)
		if next := start.AddDate(0, 1, 0); end.After(next) {
			end = next
		}
	}
	return monthSpan{First: day(first).UnixMilli(), Last: end.UnixMilli() - 1}
}

// CoverConversations notes that conversations have messages between two times in
// the compaction of a month. Spans only widen; only what differs is written.
func (c *Conversations) CoverConversations(ctx context.Context, month string, spans map[string][2]time.Time) error {
	const batch = 100
	names := make([]string, 0, len(spans))
	for conversation := range spans {
		names = append(names, conversation)
	}
	slices.Sort(names)
	for chunk := range slices.Chunk(names, batch) {
		keys := make([]store.Item, len(chunk))
		for i, name := range chunk {
			keys[i] = store.Item{Partition: partitionConv + name, Sort: "c#" + month}
		}
		found, err := c.table.GetMany(ctx, keys...)
		if err != nil {
			return fmt.Errorf("reading the months of conversations: %w", err)
		}
		known := make(map[string]store.Item, len(found))
		for _, item := range found {
			known[item.Partition] = item
		}
		for _, name := range chunk {
			if err := c.coverConversation(ctx, month, name, known[partitionConv+name], spans[name]); err != nil {
				return fmt.Errorf("noting a month of a conversation: %w", err)
			}
		}
	}
	return nil
}

func (c *Conversations) coverConversation(ctx context.Context, month, conversation string, known store.Item, span [2]time.Time) error {
	want := widen(month, span[0], span[1])
	const tries = 20
	for range tries {
		wider := want
		if known.Revision > 0 {
			var have monthSpan
			garbled := false
			if err := json.Unmarshal(known.Value, &have); err != nil {
				have, garbled = anySpan(), true
			}
			if wider.First, wider.Last = min(want.First, have.First), max(want.Last, have.Last); wider == have && !garbled {
				return nil
			}
		}
		err := c.table.WriteIf(ctx, partitionConv+conversation, "c#"+month, known.Revision, wider)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		known, err = c.table.Get(ctx, partitionConv+conversation, "c#"+month)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return fmt.Errorf("%d others were quicker: %w", tries, store.ErrConflict)
}

// ConversationMonths returns the months whose compaction may have messages of a
// conversation, in order.
func (c *Conversations) ConversationMonths(ctx context.Context, conversation string) ([]MonthSpan, error) {
	q := store.IndexQuery{Partition: partitionConv + conversation, From: "c#", To: "c$", Limit: 1000}
	var months []MonthSpan
	for {
		items, err := c.table.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("listing the months of a conversation: %w", err)
		}
		for _, item := range items {
			var s monthSpan
			if err := json.Unmarshal(item.Value, &s); err != nil {
				s = anySpan()
			}
			months = append(months, MonthSpan{
				Month: strings.TrimPrefix(item.Sort, "c#"),
				First: time.UnixMilli(s.First).UTC(), Last: time.UnixMilli(s.Last).UTC(),
			})
		}
		if len(items) < q.Limit {
			return months, nil
		}
		q.From = items[len(items)-1].Sort + "\x00"
	}
}

// compactedName sorts as the parts are listed: by day, page, part.
func compactedName(key string) (month, name string, ok bool) {
	day, asked, part, ok := archive.ParseSegmentKey(key)
	if !ok {
		return "", "", false
	}
	return day[:len(archive.MonthLayout)], fmt.Sprintf("%s#%s#%04d", day, archive.SeqName(asked), part), true
}

// compacted says whether a part is in a run and has no postings.
func (c *Conversations) compacted(ctx context.Context, key string) (bool, error) {
	month, name, ok := compactedName(key)
	if !ok {
		return false, errors.New("not the key of a segment")
	}
	var mark struct{}
	revision, err := c.table.Read(ctx, partitionCompacted+month, name, &mark)
	return revision > 0, err
}

// CompactedParts is the set of the parts of a pull day (2026-11-23) or month
// (2026-11) that are in a run and have no postings.
func (c *Conversations) CompactedParts(ctx context.Context, day string) (CompactedParts, error) {
	set := CompactedParts{}
	if len(day) < len(archive.MonthLayout) {
		return nil, fmt.Errorf("listing the compacted parts: %q is no day or month", day)
	}
	q := store.IndexQuery{Partition: partitionCompacted + day[:len(archive.MonthLayout)], From: day, To: day + "~", Limit: 1000}
	for {
		items, err := c.table.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("listing the compacted parts of %s: %w", day, err)
		}
		for _, item := range items {
			set[item.Sort] = struct{}{}
		}
		if len(items) < q.Limit {
			return set, nil
		}
		q.From = items[len(items)-1].Sort + "\x00"
	}
}

// OpenParts are the keys of at most limit parts of segments that are indexed and not in a
// run yet, in order, greater than after.
func (c *Conversations) OpenParts(ctx context.Context, after string, limit int) ([]string, error) {
	q := store.IndexQuery{Partition: partitionOpen, Limit: limit}
	if after != "" {
		q.From = after + "\x00"
	}
	items, err := c.table.Query(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("listing the parts that are not compacted: %w", err)
	}
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = item.Sort
	}
	return keys, nil
}

// CompactedParts is a set of parts of segments.
type CompactedParts map[string]struct{}

// Has says whether the part with this key is in the set.
func (s CompactedParts) Has(key string) bool {
	_, name, _ := compactedName(key)
	_, ok := s[name]
	return ok
}

// PostingRef is the key of a posting.
type PostingRef struct {
	Partition string `json:"p"`
	Sort      string `json:"s"`
}

// PostingRefs are the keys of the postings that IndexPostings writes for rows.
func PostingRefs(key string, rows []archive.Row) ([]PostingRef, error) {
	items, err := postings(key, rows)
	if err != nil {
		return nil, fmt.Errorf("postings of %s: %w", key, err)
	}
	refs := make([]PostingRef, len(items))
	for i, item := range items {
		refs[i] = PostingRef{item.Partition, item.Sort}
	}
	return refs, nil
}

// MarkCompacted deletes the postings of a part, whose messages readers find in a
// run from now on, and then notes that this is done.
func (c *Conversations) MarkCompacted(ctx context.Context, key string, postings []PostingRef) error {
	month, name, ok := compactedName(key)
	if !ok {
		return fmt.Errorf("%s: not the key of a segment", key)
	}
	items := make([]store.Item, len(postings))
	for i, p := range postings {
		items[i] = store.Item{Partition: p.Partition, Sort: p.Sort}
	}
	items = append(items, store.Item{Partition: partitionOpen, Sort: key})
	if err := c.table.Delete(ctx, items...); err != nil {
		return fmt.Errorf("deleting the postings of %s: %w", key, err)
	}
	return c.table.Write(ctx, partitionCompacted+month, name, struct{}{})
}

// Keys are those of the parts, in the order of pull date, page and part.
func (s CompactedParts) Keys() []string {
	keys := make([]string, 0, len(s))
	for _, name := range slices.Sorted(maps.Keys(s)) {
		var asked uint64
		var part int
		day, rest, _ := strings.Cut(name, "#")
		at, err := time.Parse(time.DateOnly, day)
		if _, scanErr := fmt.Sscanf(rest, "%d#%d", &asked, &part); err != nil || scanErr != nil {
			continue // nothing of ours
		}
		if key := archive.SegmentKey(at, asked, part); s.Has(key) {
			keys = append(keys, key)
		}
	}
	return keys
}
