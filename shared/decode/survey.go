package decode

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

// Region is a stretch of the stream, (From, To], that no page has that can be read, and
// what is known of it. To 0: it is behind the last page, and reaches up to AtLeast.
type Region struct {
	From, To    uint64
	AtLeast     uint64
	First, Last time.Time // when the pages on either side were pulled; zero: not known
	Since       time.Time // what it held came to WeCom after this; zero: not known
	By          string    // who noticed it
}

// Survey finds out what is stored of a region, indexes the segments of pages that are not
// there, and records the hole, with what WeCom is to be asked for. It returns where the
// region ends: of one behind the last page, behind the last message of it that is stored;
// From if there is none. media are the keys of pages of whose messages files are to be
// fetched.
func (x *Indexer) Survey(ctx context.Context, r Region) (end uint64, media []string, err error) {
	s := survey{Indexer: x, region: r}
	if err := s.look(ctx); err != nil {
		return 0, nil, fmt.Errorf("looking for what is stored from %d to %d: %w", r.From, r.To, err)
	}
	if s.region.To == 0 {
		s.region.To = max(s.greatest(), r.From, r.AtLeast)
	}
	for _, seg := range s.segments {
		if s.readable[seg.page.SeqAsked] {
			continue // indexed with the page or alternate that can be read
		}
		seg.page.LastSeq = max(s.endOf(seg), seg.page.SeqAsked)
		open, err := x.indexLost(ctx, seg)
		if err != nil {
			return 0, nil, err
		}
		if open {
			media = append(media, archive.PageKey(seg.page.SeqAsked))
		}
	}
	if s.region.To == r.From { // nothing of it is stored that can be read
		return r.From, media, nil
	}
	return s.region.To, media, s.record(ctx)
}

// survey is what was found in a region.
type survey struct {
	*Indexer
	region   Region
	headers  []archive.PageHeader // of pages whose header can be read
	whole    []archive.PageHeader // of those that can be read
	readable map[uint64]bool      // seqs asked of these
	unread   map[uint64][]string  // keys of those that cannot, by seq asked
	segments []*pageSegment       // of all pages asked for in the region
	held     held                 // readable rows in all of them
}

func (s *survey) to() uint64 {
	if s.region.To == 0 {
		return math.MaxInt64
	}
	return s.region.To
}

// look reads what is stored.
func (s *survey) look(ctx context.Context) error {
	s.readable, s.unread, s.held = map[uint64]bool{}, map[uint64][]string{}, held{}
	for info, err := range s.Objects.List(ctx, archive.PagesPrefix, archive.PageStem(s.region.From)) {
		if err != nil {
			return err
		}
		asked, _, ok := archive.ParseAnyPageKey(info.Key)
		if !ok {
			continue
		}
		if asked >= s.to() {
			break
		}
		if err := s.lookAtPage(ctx, info.Key, asked); err != nil {
			return err
		}
	}
	first, last := s.region.First, s.region.Last
	if !first.IsZero() {
		first = first.AddDate(0, 0, -1)
	}
	if last.IsZero() {
		last = s.now()
	}
	// Alternates are pulled later than the pages beside them, and some lack a page now.
	last = last.AddDate(0, 0, servedDays+1)
	if limit := s.now().AddDate(0, 0, 1); last.After(limit) && s.region.Last.Before(limit) {
		last = limit
	}
	keys, err := segmentKeys(ctx, s.Objects, s.region.From, s.to(), first, last)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := s.lookAtSegment(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (s *survey) lookAtPage(ctx context.Context, key string, asked uint64) error {
	page, err := readPage(ctx, s.Objects, s.Corp, key)
	switch {
	case err == nil:
		s.headers, s.whole = append(s.headers, page.Header), append(s.whole, page.Header)
		s.readable[asked] = true
	case errors.Is(err, errBelongsElsewhere): // changes nothing
	case errors.Is(err, store.ErrDamaged):
		s.unread[asked] = append(s.unread[asked], key)
		h, ok, err := s.header(ctx, key)
		if err != nil {
			return err
		}
		if ok {
			s.headers = append(s.headers, h)
		}
	case errors.Is(err, archive.ErrNewFormat):
		s.unread[asked] = append(s.unread[asked], key)
	default:
		return err
	}
	return nil
}

// header reads that of a page of which the rest cannot be read; ok: it can, and fits.
func (x *Indexer) header(ctx context.Context, key string) (h archive.PageHeader, ok bool, err error) {
	start, err := x.Objects.GetRange(ctx, key, 0, archive.HeaderProbe)
	if err != nil {
		if errors.Is(err, store.ErrDamaged) {
			err = nil
		}
		return h, false, err
	}
	h, err = archive.DecodePageHeader(start)
	return h, err == nil && h.Key() == key && h.Corp == x.Corp, nil
}

// lookAtSegment reads the segment of a part, unless another part of it was met before.
func (s *survey) lookAtSegment(ctx context.Context, key string) error {
	day, asked, _, _ := archive.ParseSegmentKey(key)
	if slices.ContainsFunc(s.segments, func(seg *pageSegment) bool { return seg.page.SeqAsked == asked && seg.stem() == day }) {
		return nil
	}
	pulled, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return err
	}
	seg := &pageSegment{page: archive.PageHeader{Corp: s.Corp, SeqAsked: asked, PulledAt: pulled}, unread: s.unread[asked]}
	if _, err := seg.reload(ctx, s.Objects, s.Log); err != nil {
		return err
	}
	// The time of its rows, of which the last page's counts.
	for _, p := range seg.parts {
		for _, r := range p.rows {
			if archive.Day(r.PulledAt) == day && r.PulledAt.After(seg.page.PulledAt) {
				seg.page.PulledAt = r.PulledAt
			}
		}
	}
	s.segments = append(s.segments, seg)
	for m, n := range seg.readableOutside(-1, nil) {
		s.held[m] += n
	}
	return nil
}

// wholeEnd is where the page of a segment ended, if the part can be read that has a row
// for each envelope.
func (s *pageSegment) wholeEnd() (end uint64, ok bool) {
	if len(s.parts) == 0 || s.parts[0].number != 0 {
		return 0, false
	}
	for _, r := range s.parts[0].rows {
		if r.HasSeq {
			end = max(end, uint64(r.Seq))
		}
	}
	return end, end > 0
}

// greatest is the greatest seq that the segment says anything of.
func (s *pageSegment) greatest() (last uint64) {
	last, _ = s.wholeEnd()
	for _, p := range s.parts {
		for _, r := range p.rows {
			if r.Readable() {
				last = max(last, uint64(r.Seq))
			}
		}
	}
	return last
}

// greatest is the greatest seq that is stored in the region.
func (s *survey) greatest() (last uint64) {
	for _, seg := range s.segments {
		last = max(last, seg.greatest())
	}
	for _, h := range s.headers {
		last = max(last, h.End())
	}
	return last
}

// boundaries are the seqs at which something stored begins or ends.
func (s *survey) boundaries() []uint64 {
	seqs := []uint64{s.region.From, s.region.To}
	add := func(seq uint64) {
		if seq > s.region.From && seq < s.region.To {
			seqs = append(seqs, seq)
		}
	}
	for asked := range s.unread {
		add(asked)
	}
	for _, h := range s.headers {
		add(h.SeqAsked)
		add(h.End())
	}
	for _, seg := range s.segments {
		add(seg.page.SeqAsked)
		if end, ok := seg.wholeEnd(); ok {
			add(end)
		}
	}
	slices.Sort(seqs)
	return slices.Compact(seqs)
}

// endOf is where the page of a segment ended, as far as that can be known.
func (s *survey) endOf(seg *pageSegment) uint64 {
	end := seg.greatest()
	if _, ok := seg.wholeEnd(); ok {
		return end
	}
	for _, seq := range s.boundaries() {
		if seq > seg.page.SeqAsked {
			return max(seq, end)
		}
	}
	return max(s.region.To, end)
}

// ask is what has to be asked for: each stretch between two neighbouring boundaries that
// neither a page has nor, with all its messages, a segment.
func (s *survey) ask() (ask []catalog.Ask) {
	bounds := s.boundaries()
	for i := 1; i < len(bounds); i++ {
		stretch := archive.Stretch{From: bounds[i-1], To: bounds[i]}
		if !s.covered(stretch) {
			ask = append(ask, catalog.Ask{Stretch: stretch, Used: s.used(stretch.From)})
		}
	}
	return ask
}

// used is the greatest number of an alternate of which rows are stored.
func (s *survey) used(asked uint64) (n int) {
	for _, seg := range s.segments {
		if seg.page.SeqAsked != asked {
			continue
		}
		for _, p := range seg.parts {
			n = max(n, p.alternate)
		}
	}
	return n
}

func (s *survey) covered(stretch archive.Stretch) bool {
	for _, h := range s.whole {
		if h.SeqAsked <= stretch.From && h.End() >= stretch.To {
			return true
		}
	}
	return slices.ContainsFunc(s.segments, func(seg *pageSegment) bool {
		end, ok := seg.wholeEnd()
		return ok && seg.page.SeqAsked <= stretch.From && end >= stretch.To && s.holdsAll(seg, stretch)
	})
}

// holdsAll says whether each envelope that a segment lists of a stretch is readable, there
// or in another one.
func (s *survey) holdsAll(seg *pageSegment, stretch archive.Stretch) bool {
	wanted := held{}
	for _, p := range seg.parts {
		if p.number != 0 {
			continue
		}
		for _, r := range p.rows {
			if r.HasSeq && uint64(r.Seq) > stretch.From && uint64(r.Seq) <= stretch.To {
				wanted[messageOf(r.Seq, r.MsgID)]++
			}
		}
	}
	for m, n := range wanted {
		if s.held[m] < n {
			return false
		}
	}
	return true
}

// record records the hole, unless it is known as it is.
func (s *survey) record(ctx context.Context) error {
	r, ask := s.region, s.ask()
	known, found, err := s.Holes.Hole(ctx, r.From, r.To)
	if err != nil {
		return err
	}
	if !found {
		known.ChainHole = archive.ChainHole{From: r.From, To: r.To, Since: r.Since, By: r.By, NoticedAt: s.now()}
	}
	outcome := archive.HoleOpen
	switch {
	case len(ask) > 0 && found && known.Outcome == archive.HoleLost && within(ask, known.Lost):
		return nil
	case len(ask) == 0 && found && known.Outcome != archive.HoleOpen:
		return nil
	case len(ask) == 0 && slices.ContainsFunc(s.whole, func(h archive.PageHeader) bool { return h.Alternate > 0 }):
		outcome = archive.HoleFilled
	case len(ask) == 0:
		outcome = archive.HoleCovered
	}
	if err := s.reportPages(ctx); err != nil {
		return err
	}
	if !found || known.Outcome != outcome {
		known.Outcome, known.Lost, known.At = outcome, nil, s.now()
		if err := catalog.RecordHole(ctx, s.Objects, s.Holes, s.Findings, s.Corp, known.ChainHole); err != nil {
			return err
		}
		s.Log.Error("the chain of pages has a hole", "from", r.From, "to", r.To, "outcome", outcome, "to_ask", len(ask))
	}
	if outcome != archive.HoleOpen {
		return nil
	}
	return s.Holes.NoteExamined(ctx, r.From, r.To, ask, r.First, r.Last)
}

// reportPages tells of the pages that are missing or cannot be read.
func (s *survey) reportPages(ctx context.Context) error {
	found := map[string]archive.FindingKind{}
	for _, keys := range s.unread {
		for _, key := range keys {
			found[key] = archive.Altered
		}
	}
	gone := []uint64{s.region.From}
	for _, seg := range s.segments {
		gone = append(gone, seg.page.SeqAsked)
	}
	for _, asked := range gone {
		if len(s.unread[asked]) == 0 && !s.readable[asked] {
			found[archive.PageKey(asked)] = archive.Missing
		}
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		f := archive.Finding{Where: archive.InArchive, Kind: found[key], Key: key, By: s.region.By, Noticed: s.now()}
		if err := s.Findings.Report(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// within says whether each of some stretches is inside one of others.
func within(some []catalog.Ask, others []archive.Stretch) bool {
	return !slices.ContainsFunc(some, func(a catalog.Ask) bool {
		return !slices.ContainsFunc(others, func(b archive.Stretch) bool { return b.From <= a.From && b.To >= a.To })
	})
}
