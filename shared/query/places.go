package query

import (
	"bytes"
	"sort"
)

// Range is a place in a text: bytes from Start up to, not including, End.
type Range struct{ Start, End int }

// MaxRanges is how many places of a text are told, the first ones.
const MaxRanges = 4096

// Match says whether a text is meant, and where its terms stand in it: see Places.
func (w Words) Match(text string) ([]Range, bool) {
	if meant, _ := w.Meant(text, nil); !meant {
		return nil, false
	}
	places, _, _ := w.Places(text, nil)
	return places, true
}

// Places are where the terms stand in a text that is meant, those under a NOT aside: in
// order, without overlaps, as bytes of the text, MaxRanges at most; more says that there
// are others behind them. A place has whole letters, and all marks of a letter. Whatever
// the text, its memory is bounded, and its time grows with the text times the terms.
func (w Words) Places(text string, stop Stop) (places []Range, more bool, err error) {
	p := placer{words: w, text: text}
	for _, t := range w.terms {
		if t.shown {
			p.seekers = append(p.seekers, seeker{term: t.folded})
		}
	}
	if len(p.seekers) == 0 {
		return nil, false, nil
	}
	longest := w.longest()
	f := folders.Get().(*folder)
	defer folders.Put(f)
	for p.at < len(text) {
		if err := stop.asked(); err != nil {
			return nil, false, err
		}
		p.fill(f)
		p.seek()
		p.settle()
		if len(p.found) > MaxRanges+longest { // what comes cannot alter the first any more
			break
		}
		p.slide(longest - 1)
	}
	for _, s := range p.found[:min(len(p.found), MaxRanges)] {
		places = append(places, s.Range)
	}
	return places, len(p.found) > MaxRanges, nil
}

// placer slides over the folded text and remembers of the part that it sees where its
// bytes came from.
type placer struct {
	words Words
	text  string
	at    int // of the text: what comes next

	// Piece i of the part begins in the text at from[i] and in the folded text at to[i].
	// Both end with where the part ends.
	part     []byte
	base     int // where it begins in the folded text
	seen     int // bytes of it that were looked at before
	from, to []int

	seekers []seeker
	found   []span // in order, apart from each other
}

// span is a range of the folded text, and of the original.
type span struct {
	start, end int
	Range
}

// seeker finds a term, overlapping occurrences too, in time that does not depend on how
// often it repeats itself (Knuth, Morris and Pratt).
type seeker struct {
	term  []byte
	fail  []int // of each beginning of the term: the longest end of it that is a beginning, too
	state int   // bytes of the term that stand before the next byte
}

func (s *seeker) begin() {
	s.state = 0
	if s.fail != nil {
		return
	}
	s.fail = make([]int, len(s.term))
	for i := 1; i < len(s.term); i++ {
		k := s.fail[i-1]
		for k > 0 && s.term[k] != s.term[i] {
			k = s.fail[k-1]
		}
		if s.term[k] == s.term[i] {
			k++
		}
		s.fail[i] = k
	}
}

// ends says whether the term ends with the next byte.
func (s *seeker) ends(c byte) bool {
	for s.state > 0 && (s.state == len(s.term) || s.term[s.state] != c) {
		s.state = s.fail[s.state-1]
	}
	if s.term[s.state] == c {
		s.state++
	}
	return s.state == len(s.term)
}

func (p *placer) fill(f *folder) {
	for last := min(len(p.text), p.at+stepBytes); p.at < last && len(p.part) < p.seen+foldBytes; {
		end, folded := f.next(p.text, p.at)
		p.from, p.to = append(p.from, p.at), append(p.to, p.base+len(p.part))
		p.part, p.at = p.words.variants.append(p.part, folded), end
	}
	p.from, p.to = append(p.from, p.at), append(p.to, p.base+len(p.part))
}

// seek notes where terms end in what was not looked at before.
func (p *placer) seek() {
	var active []*seeker
	for i := range p.seekers {
		if s := &p.seekers[i]; bytes.Contains(p.part, s.term) {
			s.begin()
			active = append(active, s)
		}
	}
	if len(active) == 0 {
		return
	}
	for i, c := range p.part {
		longest := 0 // that ends here
		for _, s := range active {
			if s.ends(c) {
				longest = max(longest, len(s.term))
			}
		}
		if longest > 0 && i >= p.seen {
			p.add(p.base+i+1-longest, p.base+i+1)
		}
	}
}

// add notes a place of the folded text; none before ended behind it.
func (p *placer) add(start, end int) {
	for n := len(p.found); n > 0 && start <= p.found[n-1].end; n = len(p.found) {
		if last := &p.found[n-1]; last.start <= start {
			last.end = max(last.end, end)
			return
		}
		p.found = p.found[:n-1]
	}
	// A piece may fold to nothing. Of pieces that begin at the same place the last holds
	// the byte.
	piece := sort.Search(len(p.to), func(i int) bool { return p.to[i] > start }) - 1
	p.found = append(p.found, span{start: start, end: end, Range: Range{Start: p.from[piece]}})
}

// settle notes where places that end in this part end in the text: with the least whole
// pieces. Two places of the folded text can lie in one letter, such as a ligature: they are
// one.
func (p *placer) settle() {
	first := len(p.found)
	for first > 0 && p.found[first-1].end > p.base+p.seen {
		first--
		p.found[first].End = p.from[sort.SearchInts(p.to, p.found[first].end)]
	}
	kept := p.found[:first]
	for _, s := range p.found[first:] {
		if n := len(kept); n > 0 && s.Start <= kept[n-1].End {
			kept[n-1].end, kept[n-1].End = s.end, max(kept[n-1].End, s.End)
			continue
		}
		kept = append(kept, s)
	}
	p.found = kept
}

// slide leaves as many bytes of the part at least, whole pieces.
func (p *placer) slide(keep int) {
	pieces := len(p.to) - 1
	end := p.to[pieces]
	first := max(0, sort.Search(pieces, func(i int) bool { return end-p.to[i] < keep })-1)
	if keep == 0 {
		first = pieces
	}
	cut := p.to[first] - p.base
	p.part = append(p.part[:0], p.part[cut:]...)
	p.base += cut
	p.seen = len(p.part)
	p.from = append(p.from[:0], p.from[first:pieces]...)
	p.to = append(p.to[:0], p.to[first:pieces]...)
}
