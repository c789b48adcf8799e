package decode

import (
	"context"
	"fmt"
	"slices"

	"wecom-archive/shared/archive"
)

// segment is what is stored of a page's segment.
type segment struct {
	page  archive.PageHeader
	parts []part // in order of their numbers
}

type part struct {
	key    string
	number int
	rows   []archive.Row // in the order of the object
}

func (a *Archiver) loadSegment(ctx context.Context, page archive.PageHeader) (*segment, error) {
	seg := &segment{page: page}
	return seg, seg.reload(ctx, a.Objects)
}

// reload reads the parts that are stored and not known yet.
func (s *segment) reload(ctx context.Context, objects archive.Objects) error {
	for info, err := range objects.List(ctx, archive.SegmentStem(s.page), "") {
		if err != nil {
			return fmt.Errorf("listing the segment: %w", err)
		}
		_, asked, number, ok := archive.ParseSegmentKey(info.Key)
		if !ok || asked != s.page.SeqAsked {
			return fmt.Errorf("%s: not a part of the segment: %w", info.Key, archive.ErrDamaged)
		}
		if slices.ContainsFunc(s.parts, func(p part) bool { return p.number == number }) {
			continue
		}
		body, err := archive.ReadObject(ctx, objects, info.Key)
		if err != nil {
			return err
		}
		meta, rows, err := archive.DecodeSegment(body)
		if err != nil {
			return fmt.Errorf("reading %s: %w", info.Key, err)
		}
		if meta.PageSHA256 != s.page.SHA256 {
			return fmt.Errorf("%s: made of another page: %w", info.Key, archive.ErrDamaged)
		}
		s.add(part{key: info.Key, number: number, rows: rows})
	}
	return nil
}

func (s *segment) add(p part) {
	s.parts = append(s.parts, p)
	slices.SortFunc(s.parts, func(a, b part) int { return a.number - b.number })
}

// nextPart is the number of the part to store next.
func (s *segment) nextPart() int {
	if len(s.parts) == 0 {
		return 0
	}
	return s.parts[len(s.parts)-1].number + 1
}

// latest maps positions to their outcome: ok if any part has it readable.
func (s *segment) latest() map[int]archive.Outcome {
	out := map[int]archive.Outcome{}
	for _, p := range s.parts {
		for _, r := range p.rows {
			if out[r.Position] != archive.OutcomeOK {
				out[r.Position] = r.Outcome
			}
		}
	}
	return out
}

// unresolved are the envelopes that no stored part has readable.
func (s *segment) unresolved(envelopes []archive.Envelope) []archive.Envelope {
	known := s.latest()
	return slices.DeleteFunc(slices.Clone(envelopes), func(e archive.Envelope) bool {
		return known[e.Position] == archive.OutcomeOK
	})
}

// missing are the rows that have to be stored: all of them while there is no
// part, later only those that became readable.
func (s *segment) missing(rows []archive.Row) []archive.Row {
	if len(s.parts) == 0 {
		return slices.Clone(rows)
	}
	known := s.latest()
	return slices.DeleteFunc(slices.Clone(rows), func(r archive.Row) bool {
		return !r.Readable() || known[r.Position] == archive.OutcomeOK
	})
}

// count sums up what the stored parts say.
func (s *segment) count() (ok int, unreadable map[archive.Outcome]int) {
	for _, outcome := range s.latest() {
		if outcome == archive.OutcomeOK {
			ok++
			continue
		}
		if unreadable == nil {
			unreadable = map[archive.Outcome]int{}
		}
		unreadable[outcome]++
	}
	return ok, unreadable
}
