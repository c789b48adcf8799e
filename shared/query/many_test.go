package query_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"wecom-archive/shared/query"
)

// TestMany: of many texts MayMatch rules out only what none matches, and MatchFolded says
// of each what Match says.
func TestMany(t *testing.T) {
	pieces := []string{"合同", "合", "同", "編號", "编号", "頭髮", "头发", "发", "a", "Ａ", "é", "e", "，", " ", "ﬁ", "👌🏽", "\u200b"}
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 5).Draw(t, "text"), "")
	})
	queries := []string{"合同", "合同 编号", "编号 OR a", "-合同", "合同 -编号", "(头发 OR e) NOT a", `"a," OR é`, "fi", "-(合同 OR a)", ""}
	rapid.Check(t, func(t *rapid.T) {
		w, err := query.ParseWords(rapid.SampledFrom(queries).Draw(t, "words"))
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "variants") {
			w = w.WithVariants()
		}
		var many []byte
		any := false
		for _, s := range rapid.SliceOfN(text, 1, 4).Draw(t, "texts") {
			folded := query.AppendFolded(nil, s)
			_, want := w.Match(s)
			if got, err := w.MatchFolded(folded, nil); err != nil || got != want {
				t.Fatalf("%q: folded %v, itself %v", s, got, want)
			}
			any = any || want
			many = append(append(many, folded...), 0xFF)
		}
		if may, err := w.MayMatch(many, nil); err != nil || any && !may {
			t.Fatalf("%q is ruled out", many)
		}
	})
	for words, want := range map[string]bool{"没有": false, "合同 没有": false, "没有 OR 合同": true, "-合同": true, "同 合": true, "同|合": false} {
		w, err := query.ParseWords(words)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := w.MayMatch([]byte("合\xff同\xff合同\xff"), nil); err != nil || got != want {
			t.Errorf("%s: %v", words, got)
		}
	}
}
