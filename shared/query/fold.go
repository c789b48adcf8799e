package query

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold is s without characters that nobody sees and without differences of case, width
// and compatibility forms: NFKC, Unicode's full case folding, NFKC again, as Unicode's
// NFKC_Casefold. What nobody sees is dropped first, so that it hides no word wherever it
// stands, before a combining mark too: Fold(s) is Fold of what is seen of s.
//
// It works from one boundary of normalisation to the next, so that a text cut at
// boundaries folds to the parts of what the whole folds to. A boundary never lies
// within a letter and its combining marks: "e" is not found in "é".
func Fold(s string) string {
	if folded, ok := foldASCII(s); ok {
		return folded
	}
	return string(AppendFolded(make([]byte, 0, len(s)), s))
}

// FoldVersion changes whenever texts fold to something else. It names all the tables that
// folding asks: those of both packages of x/text, and Go's own.
const FoldVersion = "2/" + norm.Version + "/" + cases.UnicodeVersion + "/" + unicode.Version

// folder folds one piece of a text after another. A piece goes from one boundary to the
// next, or is a run of characters that nobody sees, which folds to nothing. Its memory
// does not grow with the text: a piece that is seen has some dozens of characters at most
// (norm sees to that).
type folder struct {
	caser  cases.Caser
	seen   []byte // of the piece
	folded []byte // the piece

	// known are folds of letters that stood alone lately: hostile and foreign texts
	// repeat theirs.
	known [256]struct {
		letter rune
		folded string
	}
}

var folders = sync.Pool{New: func() any { return &folder{caser: cases.Fold()} }}

// next is where the piece that begins at a place ends, and what it folds to, which stays
// until the next call.
func (f *folder) next(s string, at int) (end int, folded []byte) {
	r, size := utf8.DecodeRuneInString(s[at:])
	if letter := simple(r); letter >= 0 && alone(s[at+size:]) {
		f.folded = utf8.AppendRune(f.folded[:0], letter)
		return at + size, f.folded
	}
	if ignorable(r) {
		return skipIgnorable(s, at+size), nil
	}
	end = at + max(1, norm.NFKC.NextBoundaryInString(s[at:], true))
	seen := s[at:end]
	if after, _ := utf8.DecodeRuneInString(s[end:]); ignorable(after) || strings.IndexFunc(seen, ignorable) >= 0 {
		end = f.gather(s, at)
		seen = string(f.seen)
	}
	f.folded = append(f.folded[:0], f.fold(seen)...)
	return end, f.folded
}

// gather collects what is seen of a piece that has characters that are not, or is
// followed by them, and returns where the piece ends: before those that follow.
func (f *folder) gather(s string, at int) (end int) {
	_, size := utf8.DecodeRuneInString(s[at:])
	f.seen, end = append(f.seen[:0], s[at:at+size]...), at+size
	for {
		next := skipIgnorable(s, end)
		if next == len(s) {
			return end
		}
		_, size := utf8.DecodeRuneInString(s[next:])
		n := len(f.seen)
		f.seen = append(f.seen, s[next:next+size]...)
		if max(1, norm.NFKC.NextBoundary(f.seen, true)) <= n {
			f.seen = f.seen[:n]
			return end
		}
		end = next + size
	}
}

// fold folds what is seen between two boundaries. What a letter is decomposed into may
// be a character that nobody sees.
func (f *folder) fold(seen string) string {
	r, size := utf8.DecodeRuneInString(seen)
	if size != len(seen) || r == utf8.RuneError {
		return norm.NFKC.String(visible(f.caser.String(norm.NFKC.String(seen))))
	}
	known := &f.known[uint32(r)*2654435761>>24]
	if known.letter != r {
		known.letter, known.folded = r, norm.NFKC.String(visible(f.caser.String(norm.NFKC.String(seen))))
	}
	return known.folded
}

// skipIgnorable is the first place from at on where something is seen, or the end.
func skipIgnorable(s string, at int) int {
	for at < len(s) {
		r, size := utf8.DecodeRuneInString(s[at:])
		if !ignorable(r) {
			return at
		}
		at += size
	}
	return at
}

// visible is s without what Unicode calls default ignorable.
func visible(s string) string {
	if strings.IndexFunc(s, ignorable) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if ignorable(r) {
			return -1
		}
		return r
	}, s)
}

// ignorable is Default_Ignorable_Code_Point as DerivedCoreProperties.txt makes it.
func ignorable(r rune) bool {
	switch {
	case r < 0xAD, r >= 0x3165 && r < 0xFE00: // most of what people write; a test asks Unicode's tables
		return false
	case unicode.Is(unicode.White_Space, r), r >= 0xFFF9 && r <= 0xFFFB, r >= 0x13430 && r <= 0x1343F:
		return false
	case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return true
	}
	return unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// plainHan are the characters that most Chinese text consists of. They fold to
// themselves: a test asks Unicode's tables.
func plainHan(r rune) bool { return r >= 0x4E00 && r <= 0x9FFF }

func foldASCII(s string) (string, bool) {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return "", false
		}
	}
	return strings.ToLower(s), true
}

// AppendFolded appends Fold(s).
func AppendFolded(out []byte, s string) []byte {
	f := folders.Get().(*folder)
	defer folders.Put(f)
	for at := 0; at < len(s); {
		out, at = f.fill(out, s, at)
	}
	return out
}

// fill appends what a text folds to from a place on, of foldBytes or a little more, and
// returns how far it came.
func (f *folder) fill(out []byte, s string, at int) ([]byte, int) {
	for most, last := len(out)+foldBytes, min(len(s), at+stepBytes); at < last && len(out) < most; {
		r, size := utf8.DecodeRuneInString(s[at:])
		if folded := simple(r); folded >= 0 && alone(s[at+size:]) { // as next does, without its call
			out = utf8.AppendRune(out, folded)
			at += size
			continue
		}
		end, folded := f.next(s, at)
		out, at = append(out, folded...), end
	}
	return out, at
}

// keepsHan says whether folding a text changes nothing about where terms of plainHan
// stand in it: it consists of letters that stay alone and fold to themselves or to
// ASCII. false if that is not plain to see. The text is UTF-8.
func keepsHan(s string) bool {
	for i := 0; i < len(s); {
		switch b := s[i]; {
		case b < utf8.RuneSelf:
			i++
			continue
		case b >= 0xE5 && b <= 0xE9: // U+5000 to U+9FFF
			i += 3
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if simple(r) < 0 {
			return false
		}
		i += size
	}
	return true
}

// alone says whether nothing at the beginning of rest can combine with what stands
// before it.
func alone(rest string) bool {
	if rest == "" || rest[0] < utf8.RuneSelf {
		return true
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return simple(r) >= 0
}

// simple is what a letter folds to, if it is one of the frequent ones whose fold
// does not depend on what stands beside it, unless that combines; -1 otherwise. A
// test asks Unicode's tables.
func simple(r rune) rune {
	switch {
	case r >= 'A' && r <= 'Z':
		return r + 'a' - 'A'
	case r < utf8.RuneSelf, plainHan(r), r >= 0x3001 && r <= 0x3029: // punctuation of Chinese
		return r
	case r >= 0xFF01 && r <= 0xFF5E: // full-width ASCII
		return simple(r - 0xFF01 + '!')
	}
	return -1
}
