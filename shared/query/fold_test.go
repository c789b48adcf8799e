package query

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// TestSimple: what simple says of a letter is what Unicode's tables say, and none of
// the letters combines with the one before it.
func TestSimple(t *testing.T) {
	n := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		folded := simple(r)
		if folded < 0 {
			continue
		}
		n++
		want := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(string(r))))
		if string(folded) != want {
			t.Errorf("%U folds to %U, want %q", r, folded, want)
		}
		if p := norm.NFKC.PropertiesString(string(r)); !p.BoundaryBefore() {
			t.Errorf("%U combines with what stands before it", r)
		}
		if p := norm.NFKC.PropertiesString(string(folded)); !p.BoundaryBefore() {
			t.Errorf("%U, which %U folds to, combines with what stands before it", folded, r)
		}
	}
	if n < 21_000 {
		t.Errorf("only %d letters are simple", n)
	}
}

// TestAppendFolded: the fast way folds as the exact one does, whatever stands beside
// what.
func TestAppendFolded(t *testing.T) {
	pieces := []string{"a", "A", "Ａ", "ａ", "！", "合", "，", "。", "\u0301", "\u3099", "\u302a", "\u200d", "é", "ﬁ", "ß", "İ", "👌🏽", "ｶ", "ﾞ", "①", "각", "ᄀ", "ᅡ", "ᆨ", "\xff", "\xe5\x90", " ", "\u3000", "～", "〜", "Σ", "⾦", "金"}
	rapid.Check(t, func(t *rapid.T) {
		s := ""
		for _, p := range rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "pieces") {
			s += p
		}
		if got, want := string(AppendFolded(nil, s)), Fold(s); got != want {
			t.Fatalf("%q folds to %q, want %q", s, got, want)
		}
	})
}

// TestKeepsHan: where it says so, terms of Chinese letters stand in the text where
// they stand in its fold.
func TestKeepsHan(t *testing.T) {
	pieces := []string{"a", "Ａ", "合", "同", "，", "。", "́", "⾦", "金", "㈱", "株", "一", "〪", "！", "👌"}
	rapid.Check(t, func(t *rapid.T) {
		s := ""
		for _, p := range rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 8).Draw(t, "pieces") {
			s += p
		}
		for _, han := range []string{"合", "合同", "金", "株", "一"} {
			if keepsHan(s) && strings.Contains(s, han) != strings.Contains(Fold(s), han) {
				t.Fatalf("%q in %q: not so in its fold %q", han, s, Fold(s))
			}
		}
	})
	for s, want := range map[string]bool{"合同，ABC！": true, "⾦": false, "合〪": false, "👌": false} {
		if keepsHan(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

func FuzzAppendFolded(f *testing.F) {
	f.Add("合同ＡＢＣ\u0301 ﬁle")
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return // texts are valid: archive sees to that
		}
		if got, want := string(AppendFolded(nil, s)), Fold(s); got != want {
			t.Fatalf("%q folds to %q, want %q", s, got, want)
		}
	})
}
