package transcript

import (
	"context"
	"fmt"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
)

// sources are what the searches of one look share: where the compacted messages of a
// conversation lie. All of it is read after the postings of all of them.
type sources struct {
	reader       *Reader
	call         *call
	conversation string
	keep         bool // there are several searches
	spent        int  // requests, so far

	spans    []catalog.MonthSpan
	spansSet bool
	switches map[string]compaction.State      // by month
	runs     map[string]*directory            // by run
	rows     map[string]*compaction.GroupRows // by groupKey

	// In place of runs, see fallBack.
	aliases      catalog.Aliases     // nil: not read yet
	partsOf      map[string][]string // by month
	segmentsLeft int
}

func newSources(r *Reader, c *call, conversation string) *sources {
	return &sources{
		reader: r, call: c, conversation: conversation, partsOf: map[string][]string{}, segmentsLeft: mostSegments,
		switches: map[string]compaction.State{}, runs: map[string]*directory{}, rows: map[string]*compaction.GroupRows{},
	}
}

func (s *sources) months(ctx context.Context) ([]catalog.MonthSpan, error) {
	if s.spansSet {
		return s.spans, nil
	}
	s.spent++
	spans, err := s.reader.Conversations.ConversationMonths(ctx, s.conversation)
	if err == nil {
		s.spans, s.spansSet = spans, true
	}
	return spans, err
}

// compaction is the switch of a month. It is read just before what it leads to: a run
// that was replaced is deleted a day later.
func (s *sources) compaction(ctx context.Context, month string) (compaction.State, error) {
	if m, ok := s.switches[month]; ok {
		return m, nil
	}
	s.spent++
	m, err := s.reader.Compactions.Month(ctx, month)
	if err == nil {
		s.switches[month] = m
	}
	return m, err
}

func (s *sources) openGroup(ctx context.Context, g compaction.RowGroup) (*compaction.GroupRows, error) {
	name := groupKey(g)
	if rows, ok := s.rows[name]; ok {
		return rows, nil
	}
	s.spent += s.groupCost(g)
	rows, err := s.reader.openGroup(ctx, g, s.conversation)
	if err == nil {
		s.rows[name] = rows
	}
	return rows, err
}

// done lets go of the bytes of a row group, unless another search may want them.
func (s *sources) done(g compaction.RowGroup) {
	if !s.keep {
		delete(s.rows, groupKey(g))
	}
}

func groupKey(g compaction.RowGroup) string { return fmt.Sprintf("%s#%d", g.Object, g.Group) }
