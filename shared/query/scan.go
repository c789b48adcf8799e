package query

import (
	"bytes"
	"slices"
	"sync"
	"unicode/utf8"
	"unsafe"
)

// Texts are looked at in steps, whatever their length, so that what is kept of one does
// not grow with it, and a search whose time is over need not wait for its end.
const (
	foldBytes = 32 << 10  // of a folded text that is kept at a time, about
	stepBytes = 256 << 10 // of a text between two questions whether to stop, at most
)

// Stop is asked now and then while a text is looked at. Its error ends that, and is
// returned. nil: never.
type Stop func() error

func (stop Stop) asked() error {
	if stop == nil {
		return nil
	}
	return stop()
}

// buffers are for folded texts: most texts are looked at once and do not match.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// keepBuffer gives a buffer back, unless a long text has made it large.
func keepBuffer(buffer *[]byte) {
	if cap(*buffer) <= 4*stepBytes {
		buffers.Put(buffer)
	}
}

// Meant says whether a text is meant.
func (w Words) Meant(text string, stop Stop) (bool, error) {
	if w.root == nil {
		return true, nil
	}
	if w.variants == nil && w.han && keepsHan(text) {
		return w.MatchFolded(unsafe.Slice(unsafe.StringData(text), len(text)), stop) // which only reads
	}
	buffer := buffers.Get().(*[]byte)
	defer keepBuffer(buffer)
	f := folders.Get().(*folder)
	defer folders.Put(f)
	part, at := f.fill((*buffer)[:0], text, 0)
	if at == len(text) { // as nearly always
		*buffer = part
		return w.MatchFolded(part, stop)
	}
	s := w.Scan()
	for {
		s.Write(part)
		if at == len(text) || s.full() {
			*buffer = part
			return s.Meant(), nil
		}
		if err := stop.asked(); err != nil {
			return false, err
		}
		part, at = f.fill(part[:0], text, at)
	}
}

// MatchFolded is Meant of a text that AppendFolded has folded.
func (w Words) MatchFolded(folded []byte, stop Stop) (bool, error) {
	if w.root == nil {
		return true, nil
	}
	if len(folded) <= stepBytes {
		return w.matchShort(folded), nil
	}
	s := w.Scan()
	for part := range slices.Chunk(folded, stepBytes) {
		if err := stop.asked(); err != nil {
			return false, err
		}
		if s.Write(part); s.full() {
			break
		}
	}
	return s.Meant(), nil
}

// matchShort looks for no more terms than it has to.
func (w Words) matchShort(folded []byte) bool {
	if w.variants == nil {
		return w.root.match(func(i int) bool { return bytes.Contains(folded, w.terms[i].folded) })
	}
	var buffer *[]byte // the text with first letters, once that is needed
	defer func() {
		if buffer != nil {
			keepBuffer(buffer)
		}
	}()
	return w.root.match(func(i int) bool {
		if !w.terms[i].hasLetters(folded) {
			return false
		}
		if buffer == nil {
			buffer = buffers.Get().(*[]byte)
			*buffer = w.variants.append((*buffer)[:0], folded)
		}
		return bytes.Contains(*buffer, w.terms[i].folded)
	})
}

// hasLetters says whether each letter occurs, in whatever order and variant: that is told
// much faster than whether the term does.
func (t term) hasLetters(folded []byte) bool {
	for _, class := range t.letters {
		if !slices.ContainsFunc(class, func(letter []byte) bool { return bytes.Contains(folded, letter) }) {
			return false
		}
	}
	return true
}

// MayMatch says whether one of many folded texts can be meant, which stand one behind the
// other with bytes between them that are not UTF-8. It looks at all at once, and so tells
// that none is much faster than MatchFolded of each.
func (w Words) MayMatch(many []byte, stop Stop) (bool, error) {
	if w.root == nil {
		return true, nil
	}
	var stopped error
	may := mayMatch(w.root, func(i int) bool {
		if stopped == nil {
			stopped = stop.asked()
		}
		switch {
		case stopped != nil:
			return false
		case w.variants != nil:
			return w.terms[i].hasLetters(many)
		}
		return bytes.Contains(many, w.terms[i].folded)
	})
	return may, stopped
}

// Scan looks at one folded text after another, each of which comes in parts.
type Scan struct {
	words Words
	found uint64 // terms, by bit
	most  uint64 // all of them

	tail  []byte // of what was written: one byte less than the longest term
	joint []byte
	cut   []byte // the beginning of a letter whose end is to come; only with variants
	loose []byte
}

// Scan returns a Scan for the words.
func (w Words) Scan() *Scan { return &Scan{words: w, most: 1<<len(w.terms) - 1} }

// full says whether nothing is left to be found.
func (s *Scan) full() bool { return s.found == s.most }

// Write looks at the next part of a text.
func (s *Scan) Write(part []byte) {
	if s.full() {
		return
	}
	if s.words.variants != nil {
		part = s.lettersOf(part)
	}
	longest := s.words.longest()
	// What begins in the parts before, and then what lies in this one.
	s.joint = append(append(s.joint[:0], s.tail...), part[:min(len(part), longest)]...)
	for i, t := range s.words.terms {
		if bit := uint64(1) << i; s.found&bit == 0 && (bytes.Contains(s.joint, t.folded) || bytes.Contains(part, t.folded)) {
			s.found |= bit
		}
	}
	if keep := max(longest-1, 0); len(part) >= keep {
		s.tail = append(s.tail[:0], part[len(part)-keep:]...)
	} else {
		s.tail = append(s.tail, part...)
		s.tail = append(s.tail[:0], s.tail[max(0, len(s.tail)-keep):]...)
	}
}

// lettersOf makes first letters of a part.
func (s *Scan) lettersOf(part []byte) []byte {
	s.cut = append(s.cut, part...)
	whole := len(s.cut)
	for back := 1; back < utf8.UTFMax && back <= whole; back++ {
		if at := len(s.cut) - back; utf8.RuneStart(s.cut[at]) {
			if !utf8.FullRune(s.cut[at:]) {
				whole = at
			}
			break
		}
	}
	s.loose = s.words.variants.append(s.loose[:0], s.cut[:whole])
	s.cut = append(s.cut[:0], s.cut[whole:]...)
	return s.loose
}

// Meant says whether what was written is a text that is meant. What is written next
// begins another text.
func (s *Scan) Meant() bool {
	found := s.found
	s.found, s.tail, s.cut = 0, s.tail[:0], s.cut[:0]
	return s.words.root == nil || s.words.root.match(func(i int) bool { return found>>i&1 == 1 })
}
