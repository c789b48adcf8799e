package decode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
)

// pageSegment is what is stored of the segment of a page and its alternates.
type pageSegment struct {
	page    archive.PageHeader   // that speaks for all, with a PulledAt on the segment's day
	pages   []archive.PageHeader // that can be read; none: neither the page nor an alternate can
	parts   []part               // that can be read, in order of their numbers
	damaged []part               // that cannot: their numbers are taken, their rows are stored again
	unread  []string             // the keys of the page and alternates that cannot be read
}

type part struct {
	key       string
	number    int
	alternate int // of which all its rows are; 0: of the page
	written   time.Time
	rows      []archive.Row // in the order of the object
}

// newSegment is the segment of pages asked for at one seq, the page itself first, of
// which nothing is read yet.
func newSegment(pages []archive.PageHeader) *pageSegment {
	speaks := pages[0]
	if speaks.Alternate > 0 {
		speaks = pages[len(pages)-1]
	}
	for _, p := range pages {
		speaks.Until = max(speaks.Until, p.End())
	}
	return &pageSegment{page: speaks.Filed(stemOf(pages)), pages: pages}
}

// stem is the day of the segment.
func (s *pageSegment) stem() string { return archive.Day(s.page.PulledAt) }

// reload reads the parts that are stored and not known yet, and says whether
// there were any.
func (s *pageSegment) reload(ctx context.Context, objects store.ObjectReader, log *slog.Logger) (more bool, err error) {
	for info, err := range objects.List(ctx, archive.SegmentStem(s.page), "") {
		if err != nil {
			return more, fmt.Errorf("listing the segment: %w", err)
		}
		_, asked, number, ok := archive.ParseSegmentKey(info.Key)
		if !ok || asked != s.page.SeqAsked {
			return more, fmt.Errorf("%s: not a part of the segment: %w", info.Key, store.ErrDamaged)
		}
		if slices.ContainsFunc(slices.Concat(s.parts, s.damaged), func(p part) bool { return p.number == number }) {
			continue
		}
		p, err := s.read(ctx, objects, info.Key)
		p.number = number
		switch {
		case errors.Is(err, store.ErrDamaged):
			log.Error("a part of the segment cannot be read; its rows are stored again", "key", info.Key, "error", err)
			s.damaged = append(s.damaged, p)
		case err != nil:
			return more, err
		default:
			s.add(p)
		}
		more = true
	}
	return more, nil
}

// read reads a part, or says that it is damaged. Of a page that cannot be read the
// hash is not known.
func (s *pageSegment) read(ctx context.Context, objects store.ObjectReader, key string) (part, error) {
	p := part{key: key}
	meta, rows, err := segment.Read(ctx, objects, key)
	if err != nil {
		return p, err
	}
	asked, alternate, ok := archive.ParseAnyPageKey(meta.PageKey)
	if !ok || asked != s.page.SeqAsked {
		return p, fmt.Errorf("made of %s: %w", meta.PageKey, store.ErrDamaged)
	}
	for _, page := range s.pages {
		if page.Alternate == alternate && page.SHA256 != meta.PageSHA256 {
			return p, fmt.Errorf("made of another page: %w", store.ErrDamaged)
		}
	}
	if slices.ContainsFunc(rows, func(r archive.Row) bool { return archive.AlternateOf(r.Position) != alternate }) {
		return p, fmt.Errorf("rows of something else than %s: %w", meta.PageKey, store.ErrDamaged)
	}
	p.alternate, p.written, p.rows = alternate, meta.WrittenAt, rows
	return p, nil
}

func (s *pageSegment) add(p part) {
	s.parts = append(s.parts, p)
	slices.SortFunc(s.parts, func(a, b part) int { return a.number - b.number })
}

// nextPart is the number of the part to store next.
func (s *pageSegment) nextPart() int {
	next := 0
	for _, p := range slices.Concat(s.parts, s.damaged) {
		next = max(next, p.number+1)
	}
	return next
}

// damagedKeys are the keys of the parts that cannot be read, and of the page if
// that cannot.
func (s *pageSegment) damagedKeys() []string {
	keys := slices.Clone(s.unread)
	for _, p := range s.damaged {
		keys = append(keys, p.key)
	}
	return keys
}

// latest maps positions to their outcome: ok if any part has it readable.
func (s *pageSegment) latest() map[int]archive.Outcome {
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

// unresolved are the envelopes to try: those that no stored part has readable. One
// that WeCom's library died of is tried again only if somebody asked for it after
// that was recorded: each try costs a process.
func (s *pageSegment) unresolved(envelopes []archive.Envelope, redriveAt time.Time) []archive.Envelope {
	known := s.latest()
	crashed := s.crashedAt()
	return slices.DeleteFunc(slices.Clone(envelopes), func(e archive.Envelope) bool {
		switch known[e.Position] {
		case archive.OutcomeOK:
			return true
		case archive.OutcomeCrash:
			return !redriveAt.After(crashed[e.Position])
		}
		return false
	})
}

// crashedAt maps the positions of envelopes that the library died of to when that
// was recorded last.
func (s *pageSegment) crashedAt() map[int]time.Time {
	out := map[int]time.Time{}
	for _, p := range s.parts {
		for _, r := range p.rows {
			if r.Outcome == archive.OutcomeCrash && p.written.After(out[r.Position]) {
				out[r.Position] = p.written
			}
		}
	}
	return out
}

// crashed says whether the library died of any envelope that is still unreadable.
func (s *pageSegment) crashed() bool {
	for _, outcome := range s.latest() {
		if outcome == archive.OutcomeCrash {
			return true
		}
	}
	return false
}

// writtenAt is when the last part that can be read was written; zero if none can.
func (s *pageSegment) writtenAt() (last time.Time) {
	for _, p := range s.parts {
		if p.written.After(last) {
			last = p.written
		}
	}
	return last
}

// missing are the rows that have to be stored: those of envelopes that have none,
// and those that became readable.
func (s *pageSegment) missing(rows []archive.Row) []archive.Row {
	known := s.latest()
	return slices.DeleteFunc(slices.Clone(rows), func(r archive.Row) bool {
		outcome, stored := known[r.Position]
		return stored && (!r.Readable() || outcome == archive.OutcomeOK)
	})
}

// sameFacts compares rows with what was read back of them, by position.
func sameFacts(rows, stored []archive.Row) error {
	at := map[int]archive.Row{}
	for _, r := range stored {
		at[r.Position] = r
	}
	if len(stored) != len(rows) || len(at) != len(rows) {
		return fmt.Errorf("%d rows, not %d: %w", len(stored), len(rows), store.ErrDamaged)
	}
	for _, r := range rows {
		if got := at[r.Position]; got.Outcome != r.Outcome || got.Seq != r.Seq || got.HasSeq != r.HasSeq ||
			got.RawSHA256 != r.RawSHA256 || (got.Raw == nil) != (r.Raw == nil) || !bytes.Equal(got.Raw, r.Raw) {
			return fmt.Errorf("position %d differs: %w", r.Position, store.ErrDamaged)
		}
	}
	return nil
}
