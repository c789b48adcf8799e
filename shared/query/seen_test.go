package query

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// unseen are characters of each kind that nobody sees.
var unseen = []string{
	"\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", // zero width
	"\ufe0e", "\ufe0f", "\U000e0100", "\u180b", "\u180f", // variation selectors
	"\u202a", "\u202e", "\u202c", "\u2066", "\u2069", "\u200e", "\u200f", "\u061c", // of direction
	"\u00ad", "\u034f", "\u115f", "\u1160", "\u3164", "\uffa0", "\u17b4", "\u2064", "\U0001d173", // soft hyphen, joiners, fillers
	"\U000e0001", "\U000e0041", "\U000e007f", // tags
}

// TestUnseen: a text folds to what is seen of it, wherever in it stands what is not.
func TestUnseen(t *testing.T) {
	for _, u := range unseen {
		for _, text := range []string{"cafe" + u + "\u0301", "caf" + u + "e\u0301", u + "cafe\u0301", "cafe\u0301" + u, "c" + u + "afe" + u + u + "\u0301" + u, "CAFE" + u + "\u0301"} {
			if got := Fold(text); got != "caf\u00e9" {
				t.Errorf("%+q folds to %+q", text, got)
			}
			w, err := ParseWords("caf\u00e9")
			if err != nil {
				t.Fatal(err)
			}
			if hits, ok := w.Match(text); !ok || len(hits) != 1 || Fold(text[hits[0].Start:hits[0].End]) != "caf\u00e9" {
				t.Errorf("%+q: %v, %v", text, ok, hits)
			}
			if w, err = ParseWords(text); err != nil {
				t.Fatal(err)
			}
			if _, ok := w.Match("un caf\u00e9."); !ok {
				t.Errorf("%+q finds nothing", text)
			}
		}
	}
	pieces := append([]string{"a", "A", "e", "\u0301", "\u0323", "\u3099", "か", "ｶ", "ﾞ", "ᄀ", "ᅡ", "ᆨ", "각", "合", "，", "ß", "İ", "ﬁ", "\u1e9b", "\u0345", "👌", "🏽", "\ufdfa", "ὰ", "\u0f71", "\u0f80", "ি", "ো"}, unseen...)
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 14).Draw(t, "pieces"), "")
		if got, want := Fold(s), Fold(visible(s)); got != want {
			t.Fatalf("%+q folds to %+q, what is seen of it to %+q", s, got, want)
		}
	})
}

// TestIgnorable: what is passed over quickly is nothing that nobody sees.
func TestIgnorable(t *testing.T) {
	n := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		want := !unicode.Is(unicode.White_Space, r) && !(r >= 0xFFF9 && r <= 0xFFFB) && !(r >= 0x13430 && r <= 0x1343F) &&
			(unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) || unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r))
		if ignorable(r) != want {
			t.Errorf("%U: %v", r, !want)
		}
		if want {
			n++
		}
	}
	if n < 4000 {
		t.Errorf("only %d", n)
	}
}

// TestFoldVersion: it names the tables of all that folding asks, Go's own too.
func TestFoldVersion(t *testing.T) {
	parts := strings.Split(FoldVersion, "/")
	if len(parts) != 4 || parts[1] != norm.Version || parts[3] != unicode.Version {
		t.Errorf("%s", FoldVersion)
	}
}

func FuzzFold(f *testing.F) {
	f.Add("cafe\u200d\u0301")
	f.Add(strings.Repeat("\u0301\u200b", 40) + "a")
	f.Add("\u1100\u200b\u1161\u034f\u11a8")
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return // texts are valid: archive sees to that
		}
		if got, want := Fold(s), Fold(visible(s)); got != want {
			t.Fatalf("%+q folds to %+q, what is seen of it to %+q", s, got, want)
		}
	})
}
