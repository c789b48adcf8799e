package query

import (
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold is s without differences of case, width and compatibility forms, and without
// characters that nobody sees: NFKC, Unicode's full case folding, NFKC again, as
// Unicode's NFKC_Casefold. A zero-width space or a soft hyphen hides no word.
//
// It works from one boundary of normalisation to the next, so that a text cut at
// boundaries folds to the parts of what the whole folds to. A boundary never lies
// within a letter and its combining marks: "e" is not found in "é".
func Fold(s string) string { return foldText(s, nil).folded }

// foldedText remembers where the bytes of a folded text came from.
type foldedText struct {
	folded string
	// Piece i of the original begins at from[i] and folds to what begins at to[i].
	// Both end with the lengths. Nil if folding changed no length.
	from, to []int
}

// foldText folds a text and, with variants, makes one of the letters that they say.
func foldText(s string, v variants) foldedText {
	if folded, ok := foldASCII(s); ok {
		return foldedText{folded: folded}
	}
	var f foldedText
	var out strings.Builder
	out.Grow(len(s))
	caser := cases.Fold()
	same := true // so far each piece is as long as it was
	for at := 0; at < len(s); {
		n := norm.NFKC.NextBoundaryInString(s[at:], true)
		if n <= 0 {
			n = len(s) - at
		}
		piece := s[at : at+n]
		f.from, f.to = append(f.from, at), append(f.to, out.Len())
		if r, size := utf8.DecodeRuneInString(piece); size == n && plainHan(r) && v == nil {
			out.WriteString(piece)
		} else {
			folded := v.fold(foldPiece(piece, caser))
			same = same && len(folded) == n && n == size
			out.WriteString(folded)
		}
		at += n
	}
	f.folded = out.String()
	if same {
		return foldedText{folded: f.folded}
	}
	f.from, f.to = append(f.from, len(s)), append(f.to, out.Len())
	return f
}

// foldPiece folds what lies between two boundaries.
func foldPiece(piece string, caser cases.Caser) string {
	return norm.NFKC.String(visible(caser.String(norm.NFKC.String(piece))))
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
	case r < 0x80, unicode.Is(unicode.White_Space, r), r >= 0xFFF9 && r <= 0xFFFB, r >= 0x13430 && r <= 0x1343F:
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

// FoldVersion changes whenever texts fold to something else.
const FoldVersion = "1/" + norm.Version + "/" + cases.UnicodeVersion

// AppendFolded appends Fold(s), faster: letters that nothing can combine with are
// folded one by one. It is for the many texts in which nothing is found.
func AppendFolded(out []byte, s string) []byte {
	for at := 0; at < len(s); {
		r, size := utf8.DecodeRuneInString(s[at:])
		if folded := simple(r); folded >= 0 && alone(s[at+size:]) {
			out = utf8.AppendRune(out, folded)
			at += size
			continue
		}
		n := norm.NFKC.NextBoundaryInString(s[at:], true)
		if n <= 0 {
			n = len(s) - at
		}
		out = append(out, foldPiece(s[at:at+n], cases.Fold())...)
		at += n
	}
	return out
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

// Range is a place in a text: bytes from Start up to, not including, End.
type Range struct{ Start, End int }

// original is the least range of whole pieces of the original that folds to all of
// the folded range.
func (f foldedText) original(r Range) Range {
	if f.from == nil {
		return r
	}
	// A piece may fold to nothing. Of pieces that begin at the same place the last
	// holds the byte.
	first := sort.Search(len(f.to), func(i int) bool { return f.to[i] > r.Start }) - 1
	last := sort.SearchInts(f.to, r.End)
	return Range{f.from[first], f.from[last]}
}

// occurrences appends where term stands in the folded text, overlapping ones too.
func (f foldedText) occurrences(out []Range, term string) []Range {
	for at := 0; ; {
		n := strings.Index(f.folded[at:], term)
		if n < 0 {
			return out
		}
		start := at + n
		out = append(out, f.original(Range{start, start + len(term)}))
		_, size := utf8.DecodeRuneInString(f.folded[start:])
		at = start + size
	}
}

// join sorts ranges and makes one of those that overlap or touch.
func join(ranges []Range) []Range {
	slices.SortFunc(ranges, func(a, b Range) int { return a.Start - b.Start })
	var out []Range
	for _, r := range ranges {
		if n := len(out); n > 0 && r.Start <= out[n-1].End {
			out[n-1].End = max(out[n-1].End, r.End)
			continue
		}
		out = append(out, r)
	}
	return out
}
