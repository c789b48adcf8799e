package transcript

import (
	"context"
	"fmt"

	"wecom-archive/shared/archive"
)

// sources are what the searches of one look share: where the compacted messages of a
// conversation lie. All of it is read after the postings of all of them.
type sources struct {
	reader       *Reader
	conversation string
	keep         bool // more than one search may want the same row group
	spent        int  // requests, so far

	spans    []archive.MonthSpan
	spansSet bool
	switches map[string]archive.Compaction // by month
	runs     map[string]*directory         // by run
	rows     map[string][]archive.CompactRow
}

func (s *sources) months(ctx context.Context) ([]archive.MonthSpan, error) {
	if s.spansSet {
		return s.spans, nil
	}
	s.spent++
	spans, err := s.reader.catalog.ConversationMonths(ctx, s.conversation)
	if err == nil {
		s.spans, s.spansSet = spans, true
	}
	return spans, err
}

// compaction is the switch of a month. It is read just before what it leads to: a run
// that was replaced is deleted a day later.
func (s *sources) compaction(ctx context.Context, month string) (archive.Compaction, error) {
	if m, ok := s.switches[month]; ok {
		return m, nil
	}
	s.spent++
	m, err := s.reader.catalog.Compaction(ctx, month)
	if err == nil {
		if s.switches == nil {
			s.switches = map[string]archive.Compaction{}
		}
		s.switches[month] = m
	}
	return m, err
}

func (s *sources) groupRows(ctx context.Context, g archive.RowGroup) ([]archive.CompactRow, error) {
	name := groupKey(g)
	if rows, ok := s.rows[name]; ok {
		return rows, nil
	}
	s.spent += s.groupCost(g)
	rows, err := s.reader.groupRows(ctx, g, s.conversation)
	if err == nil && s.keep {
		if s.rows == nil {
			s.rows = map[string][]archive.CompactRow{}
		}
		s.rows[name] = rows
	}
	return rows, err
}

func groupKey(g archive.RowGroup) string { return fmt.Sprintf("%s#%d", g.Object, g.Group) }
