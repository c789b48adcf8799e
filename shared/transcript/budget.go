package transcript

import (
	"wecom-archive/shared/archive"

	"wecom-archive/shared/compaction"
)

// A conversation that seldom speaks has its messages in many months, and one that is
// not compacted in many segments. A screen of it shows as many as its requests find.

// What it takes to read something, in requests.
const (
	segmentCost = 2 // which version is the earliest, and the segment
	monthCost   = 3 // the switch, a place in the directory, a row group
	walkCost    = 2
)

// kept of the requests for the part before a time: one month of it.
const keptForEarlier = monthCost

func (s *sources) groupCost(g compaction.RowGroup) int {
	if g.Own != nil {
		return 1
	}
	return 2
}

// cost is what it takes to find messages in a unit, where that is known already.
func (s *search) cost(u unit) int {
	switch {
	case u.group != nil && s.rows[groupKey(*u.group)] != nil:
		return 0
	case u.group != nil:
		return s.groupCost(*u.group)
	case u.walk != nil && u.walk.directory.read:
		return 1
	case u.walk != nil:
		return walkCost
	}
	if _, known := s.switches[u.month]; known {
		return 0
	}
	return monthCost
}

// toFill is what it takes to read the rows that only a posting points to.
func (s *search) toFill() int {
	segments := map[string]bool{}
	for _, e := range s.found {
		if e.row == nil {
			segments[e.place.Object] = true
		}
	}
	return segmentCost * len(segments)
}

// least is how many messages a search must show if there are any.
func (s *search) least() int {
	if s.optional {
		return 0
	}
	return 1
}

// spare drops messages of postings from the end on, while so many requests more would be
// too many. What comes behind them is not wanted any more.
func (s *search) spare(requests int) {
	if s.most == 0 {
		return
	}
	for len(s.found) > s.least() && s.spent+s.toFill()+requests > s.most {
		last := len(s.found) - 1
		until := s.found[last].place.Position
		s.until, s.found, s.more = &until, s.found[:last], true
	}
}

// wants says whether the query, as far as it is still followed, wants a message.
func (s *search) wants(p archive.Position) bool {
	if !s.query.Wants(p) {
		return false
	}
	return s.until == nil || s.query.Descending && p.Compare(*s.until) > 0 || !s.query.Descending && p.Compare(*s.until) < 0
}

// stop says whether the unit would cost too much. What was found behind its beginning
// is dropped then: it may not be what comes next.
func (s *search) stop(u unit) bool {
	if s.most == 0 || s.spent+s.toFill()+s.cost(u) <= s.most {
		return false
	}
	safe := 0
	for safe < len(s.found) && s.before(s.found[safe].place.Position, u) {
		safe++
	}
	if safe < s.least() {
		s.spare(s.cost(u)) // what is found behind the unit can wait
		return false
	}
	s.found, s.more = s.found[:safe], true
	return true
}
