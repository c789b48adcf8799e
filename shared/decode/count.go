package decode

import (
	"slices"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/reading"
)

// message tells envelopes of a page and of its alternates apart. WeCom may give one
// twice in one reply; then they count by how many there are.
type message struct {
	seq   int64
	msgid string
}

// complete says whether a page has a row for each of its envelopes. One that is elsewhere
// counts if its message is readable in the same segment: whether another segment has it
// still, the archiver looks.
func (s *pageSegment) complete(page archive.PageHeader) bool {
	latest := s.latest()
	rows := 0
	elsewhere := held{}
	for _, p := range s.parts {
		for _, r := range p.rows {
			if p.alternate == page.Alternate && latest[r.Position] == archive.OutcomeElsewhere && r.Outcome == archive.OutcomeElsewhere {
				elsewhere[messageOf(r.Seq, r.MsgID)]++
			}
		}
	}
	for position, outcome := range latest {
		if archive.AlternateOf(position) == page.Alternate && outcome != archive.OutcomeElsewhere {
			rows++
		}
	}
	if len(elsewhere) > 0 {
		readable := s.readableOutside(page.Alternate, nil)
		for m, n := range elsewhere {
			rows += min(n, readable[m])
		}
	}
	return rows >= page.Count
}

// elsewhere says whether messages of rows were readable in another one.
func (s *pageSegment) elsewhere() bool {
	return slices.ContainsFunc(s.parts, func(p part) bool {
		return slices.ContainsFunc(p.rows, func(r archive.Row) bool { return r.Outcome == archive.OutcomeElsewhere })
	})
}

// types counts the readable messages, each once though several parts may have it.
func (s *pageSegment) types() catalog.MsgTypes {
	types, counted := catalog.MsgTypes{}, map[int]bool{}
	for _, p := range s.parts {
		for _, r := range p.rows {
			if r.Readable() && !counted[r.Position] {
				counted[r.Position] = true
				types[r.Type()]++
			}
		}
	}
	return types
}

// parsed counts what parsers made of the messages of each part. One that two parts have,
// since one of them was damaged for a while, counts in both.
func (s *pageSegment) parsed() []catalog.ParsedPart {
	var all []catalog.ParsedPart
	for _, p := range s.parts {
		count := catalog.ParsedPart{Day: archive.Day(s.page.PulledAt), SeqAsked: s.page.SeqAsked, Part: p.number}
		for _, r := range p.rows {
			if !r.Readable() {
				continue
			}
			if count.Messages == 0 || r.ParserVersion < count.Parser {
				count.Parser = r.ParserVersion
			}
			reading.Count(&count.ParseCount, r.Reading)
		}
		if count.Messages > 0 {
			all = append(all, count)
		}
	}
	return all
}

// count sums up what the stored parts say: how many messages are readable, and why
// others are not. An envelope of which an alternate has the message is no longer
// unreadable, and one whose row is elsewhere does not count here.
func (s *pageSegment) count() (ok int, unreadable map[archive.Outcome]int) {
	latest := s.latest()
	of := map[int]message{}
	for _, p := range s.parts {
		for _, r := range p.rows {
			if r.HasSeq {
				of[r.Position] = messageOf(r.Seq, r.MsgID)
			}
		}
	}
	readable := map[message]map[int]int{} // by alternate
	for position, outcome := range latest {
		if outcome == archive.OutcomeOK {
			ok++
			m := of[position]
			if readable[m] == nil {
				readable[m] = map[int]int{}
			}
			readable[m][archive.AlternateOf(position)]++
		}
	}
	// Of several pages that have an envelope unreadable, it counts once.
	failed := map[message]map[int]int{}
	for position, outcome := range latest {
		if outcome == archive.OutcomeOK || outcome == archive.OutcomeElsewhere {
			continue
		}
		if m, known := of[position]; known && s.shared() {
			n := archive.AlternateOf(position)
			if failed[m] == nil {
				failed[m] = map[int]int{}
			}
			failed[m][n]++
			if s.hasElsewhere(readable[m], n, failed[m][n]) || s.firstOf(of, latest, m) != n {
				continue
			}
		}
		if unreadable == nil {
			unreadable = map[archive.Outcome]int{}
		}
		unreadable[outcome]++
	}
	return ok, unreadable
}

// shared says whether rows of more than one page stand in the segment.
func (s *pageSegment) shared() bool {
	for _, p := range s.parts {
		if p.alternate != s.parts[0].alternate {
			return true
		}
	}
	return false
}

// hasElsewhere says whether other pages than the n-th have so many of a message.
func (s *pageSegment) hasElsewhere(readable map[int]int, n, times int) bool {
	others := 0
	for alternate, count := range readable {
		if alternate != n {
			others += count
		}
	}
	return times <= others
}

// firstOf is the first page that has an unreadable row of a message.
func (s *pageSegment) firstOf(of map[int]message, latest map[int]archive.Outcome, m message) int {
	first := archive.MaxAlternate + 1
	for position, outcome := range latest {
		if of[position] == m && outcome != archive.OutcomeOK && outcome != archive.OutcomeElsewhere {
			first = min(first, archive.AlternateOf(position))
		}
	}
	return first
}
