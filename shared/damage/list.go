package damage

import (
	"context"
	"fmt"
	"slices"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// SummaryMax is how many findings of a state a Summary counts.
const SummaryMax = 500

// Summary is what is not as it must be.
type Summary struct {
	Open         []Entry // newest first, at most SummaryMax
	Acknowledged []Entry // likewise
	AtLeast      bool    // there are more
}

// Count counts the open ones of a store and kinds.
func (s Summary) Count(where archive.Where, kinds ...archive.FindingKind) (n int) {
	for _, e := range s.Open {
		if e.Finding.Where == where && slices.Contains(kinds, e.Finding.Kind) {
			n++
		}
	}
	return n
}

// Last is the open one of a store and kinds that was noticed last.
func (s Summary) Last(where archive.Where, kinds ...archive.FindingKind) (last archive.Finding) {
	for _, e := range s.Open {
		if e.Finding.Where == where && slices.Contains(kinds, e.Finding.Kind) && e.Finding.Noticed.After(last.Noticed) {
			last = e.Finding
		}
	}
	return last
}

// Summary reads it.
func (b *Book) Summary(ctx context.Context) (Summary, error) {
	var s Summary
	for _, list := range []struct {
		state state
		into  *[]Entry
	}{{open, &s.Open}, {acknowledged, &s.Acknowledged}} {
		entries, next, err := b.list(ctx, list.state, "", SummaryMax)
		if err != nil {
			return Summary{}, err
		}
		slices.SortFunc(entries, func(a, b Entry) int { return b.Finding.Noticed.Compare(a.Finding.Noticed) })
		*list.into = entries
		s.AtLeast = s.AtLeast || next != ""
	}
	return s, nil
}

// List returns at most limit findings in order of their ids, the open ones if as is
// empty, from the one named after on; next is empty at the end.
func (b *Book) List(ctx context.Context, as archive.ClosedAs, after string, limit int) (entries []Entry, next string, err error) {
	s := open
	if as != "" {
		s = state(as)
	}
	return b.list(ctx, s, after, limit)
}

func (b *Book) list(ctx context.Context, s state, after string, limit int) (entries []Entry, next string, err error) {
	q := store.IndexQuery{Partition: partition, From: s.sort(after), To: string(s) + "$", Limit: limit + 1}
	if after != "" {
		q.From += "\x00"
	}
	entries, err = table.List[Entry](ctx, b.table, q)
	if err != nil {
		return nil, "", fmt.Errorf("listing what is damaged: %w", err)
	}
	if len(entries) > limit {
		entries = entries[:limit]
		next = entries[limit-1].ID
	}
	return entries, next, nil
}
