package transcript

import (
	"context"
	"fmt"
	"slices"

	"wecom-archive/shared/archive"
)

// sources are what the searches of one look share: where the compacted messages of a
// conversation lie. All of it is read after the postings of all of them.
type sources struct {
	reader       *Reader
	conversation string
	keep         bool // more than one search may want the same row group

	spans    []archive.MonthSpan
	spansSet bool
	switches map[string]archive.Compaction // by month
	rows     map[string][]archive.CompactRow
}

// monthsAhead is how many months' switches are read at a time.
const monthsAhead = 6

func (s *sources) months(ctx context.Context) ([]archive.MonthSpan, error) {
	if s.spansSet {
		return s.spans, nil
	}
	spans, err := s.reader.catalog.ConversationMonths(ctx, s.conversation)
	if err == nil {
		s.spans, s.spansSet = spans, true
	}
	return spans, err
}

// compaction is the switch of a month; those ahead are read with it.
func (s *sources) compaction(ctx context.Context, month string, ahead []string) (archive.Compaction, error) {
	if m, ok := s.switches[month]; ok {
		return m, nil
	}
	found, err := s.reader.catalog.CompactionsOf(ctx, append([]string{month}, ahead...)...)
	if err != nil {
		return archive.Compaction{}, err
	}
	if s.switches == nil {
		s.switches = map[string]archive.Compaction{}
	}
	for name, m := range found {
		if _, known := s.switches[name]; !known {
			s.switches[name] = m
		}
	}
	return s.switches[month], nil
}

// ahead are the months that the search may open next, nearest first.
func (s *search) ahead() []string {
	var months []unit
	for _, u := range s.units {
		if u.group == nil {
			months = append(months, u)
		}
	}
	slices.SortFunc(months, func(a, b unit) int {
		if s.query.Descending {
			return int(max(-1, min(1, b.last-a.last)))
		}
		return int(max(-1, min(1, a.first-b.first)))
	})
	var names []string
	for _, u := range months[:min(monthsAhead, len(months))] {
		names = append(names, u.month)
	}
	return names
}

func (s *sources) groupRows(ctx context.Context, g archive.RowGroup) ([]archive.CompactRow, error) {
	name := fmt.Sprintf("%s#%d", g.Object, g.Group)
	if rows, ok := s.rows[name]; ok {
		return rows, nil
	}
	rows, err := s.reader.groupRows(ctx, g, s.conversation)
	if err == nil && s.keep {
		if s.rows == nil {
			s.rows = map[string][]archive.CompactRow{}
		}
		s.rows[name] = rows
	}
	return rows, err
}
