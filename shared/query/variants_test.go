package query

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// TestVariantTable: each character is in one class, and folding has done with it: the
// table is looked up in folded texts.
func TestVariantTable(t *testing.T) {
	v := readVariants()
	if len(v) < 3500 {
		t.Fatalf("%d characters", len(v))
	}
	for r, first := range v {
		if _, ok := v[first]; ok {
			t.Errorf("%q leads to %q, which leads on", r, first)
		}
		if Fold(string(first)) != string(first) || !norm.NFKC.PropertiesString(string(first)).BoundaryBefore() {
			t.Errorf("%q is not folded", first)
		}
	}
}

func TestVariants(t *testing.T) {
	for _, c := range []struct {
		words, text string
		want        string // marked; empty: not found
	}{
		{"编号", "合同編號：１", "編號"}, {"編號", "合同编号", "编号"}, {"头发", "頭髮很長", "頭髮"}, {"發", "头发", "发"}, {"后", "以後", "後"},
		{"软件", "軟體", ""}, {"ＡＢＣ編號", "abc编号", "abc编号"}, {"\"国际电话\" -订单", "國際電話與訂單", ""}, {"國際 OR 無", "国际", "国际"}, {"(電話 NOT 傳真)", "电话", "电话"},
	} {
		w, err := ParseWords(c.words)
		if err != nil {
			t.Fatal(err)
		}
		hits, ok := w.WithVariants().Match(c.text)
		got := ""
		for _, h := range hits {
			got += c.text[h.Start:h.End]
		}
		if ok != (c.want != "") || got != c.want {
			t.Errorf("%s in %s: %v %q, want %q", c.words, c.text, ok, got, c.want)
		}
		if _, ok := w.Match(c.text); ok && !strings.Contains(Fold(c.text), Fold(c.words)) && !strings.Contains(c.words, " ") {
			t.Errorf("%s in %s without variants", c.words, c.text)
		}
	}
}

// TestVariantsFindAll: whatever is found without variants is found with them, and a
// text with characters exchanged for their variants is found, too.
func TestVariantsFindAll(t *testing.T) {
	v := readVariants()
	others := map[rune][]rune{}
	for r, first := range v {
		others[first] = append(others[first], r)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := []rune(rapid.SampledFrom([]string{"国际电话与订单总共", "合同編號在後面發", "頭髮乾了没有"}).Draw(t, "text"))
		from := rapid.IntRange(0, len(text)-1).Draw(t, "from")
		to := rapid.IntRange(from+1, len(text)).Draw(t, "to")
		w, err := ParseWords("\"" + string(text[from:to]) + "\"")
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range text {
			first, ok := v[r]
			if !ok {
				first = r
			}
			if class := others[first]; len(class) > 0 && rapid.Bool().Draw(t, "exchange") {
				text[i] = rapid.SampledFrom(class).Draw(t, "other")
			}
		}
		hits, ok := w.WithVariants().Match(string(text))
		before := len(string(text[:from]))
		if !ok || hits[0].Start > before {
			t.Fatalf("%q: %v %v", string(text), ok, hits)
		}
	})
}
