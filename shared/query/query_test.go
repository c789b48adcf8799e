package query_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/query"
)

// plainFold folds a whole text at once: the oracle.
func plainFold(s string) string {
	s = strings.NewReplacer("\u200b", "", "\u200d", "", "\u00ad", "", "\ufe0f", "", "\u2060", "").Replace(s)
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
}

// texts are what people write.
var texts = []string{
	"明天下午三点开会，别忘了带合同。", "Please send the Contract to 李娜 by 5pm!", "合同編號：ＡＢＣ－１２３（副本）",
	"好的👌🏽 没问题👨‍👩‍👧", "ﬁle Straße İstanbul ΣΊΣΥΦΟΣ", "ｶﾞｷﾞ カナ ①②③ ㎏ ㈱", "cafe\u0301 café Å Å", "國際電話與訂單，總共１２．５％",
	"合\u200b同, con\u00adtract ❤\ufe0f", "a", "  空 格\t\n換行  ", "aaaa啊啊啊啊", "한국어 각",
}

// boundaries are the places where a text can be cut without cutting a letter.
func boundaries(s string) []int {
	cuts := []int{0}
	for at := 0; at < len(s); {
		at += norm.NFKC.NextBoundaryInString(s[at:], true)
		cuts = append(cuts, at)
	}
	return cuts
}

func phrase(t interface{ Fatalf(string, ...any) }, s string) query.Words {
	w, err := query.ParseWords(`"` + s + `"`)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return w
}

// TestEverySubstring: each substring of 1 to 8 characters is found where it is, and
// in no other text than the oracle says.
func TestEverySubstring(t *testing.T) {
	for _, text := range texts {
		cuts := boundaries(text)
		for i := range cuts {
			for j := i + 1; j < len(cuts) && j <= i+8; j++ {
				if query.Fold(text[cuts[i]:cuts[j]]) == "" {
					continue // nothing that can be seen
				}
				w := phrase(t, text[cuts[i]:cuts[j]])
				hits, ok := w.Match(text)
				if !ok || !slices.ContainsFunc(hits, func(r query.Range) bool {
					return query.Fold(text[cuts[i]:max(cuts[i], r.Start)]+text[min(r.End, cuts[j]):cuts[j]]) == ""
				}) {
					t.Fatalf("%q in %q: %v, %v; want %d to %d", text[cuts[i]:cuts[j]], text, ok, hits, cuts[i], cuts[j])
				}
				for _, other := range texts {
					want := strings.Contains(plainFold(other), plainFold(text[cuts[i]:cuts[j]]))
					if _, ok := w.Match(other); ok != want {
						t.Fatalf("%q in %q: %v, want %v", text[cuts[i]:cuts[j]], other, ok, want)
					}
				}
			}
		}
	}
}

// TestFoldLikeThePlainOne: cutting a text at boundaries changes nothing.
func TestFoldLikeThePlainOne(t *testing.T) {
	for r := rune(0x4E00); r <= 0x9FFF; r++ {
		if s := string(r); plainFold(s) != s || query.Fold(s) != s {
			t.Fatalf("%U folds to something else", r)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(rapid.SampledFrom(texts), 1, 3).Draw(t, "texts"), "")
		if got, want := query.Fold(s), plainFold(s); got != want {
			t.Fatalf("%q folds to %q, want %q", s, got, want)
		}
	})
}

// TestHitsFold: what a hit marks folds to the term, or to more if the term ends
// within a letter such as a ligature.
func TestHitsFold(t *testing.T) {
	for _, c := range []struct{ text, term, want string }{
		{"合同編號：ＡＢＣ－１２３", "abc-12", "ＡＢＣ－１２"},
		{"den ﬁle", "f", "ﬁ"},
		{"Straße", "ss", "ß"},
		{"带合同。", "合同", "合同"},
		{"cafe\u0301!", "CAFÉ", "cafe\u0301"},
		{"ΣΊΣΥΦΟΣ", "σίσυφος", "ΣΊΣΥΦΟΣ"},
		{"aaa", "aa", "aaa"},
		{"这份合\u200b同", "合同", "合\u200b同"},
		{"a con\u00adtract", "CONTRACT", "con\u00adtract"},
		{"合同", "合\u2060同", "合同"},
	} {
		hits, ok := phrase(t, c.term).Match(c.text)
		if !ok || len(hits) != 1 || c.text[hits[0].Start:hits[0].End] != c.want {
			t.Errorf("%q in %q: %v %v, want %q", c.term, c.text, ok, hits, c.want)
		}
	}
	if _, ok := phrase(t, "e").Match("cafe\u0301"); ok {
		t.Error("a letter was found without its accent")
	}
}

func TestWords(t *testing.T) {
	const text = "合同 Contract 已经 signed yesterday"
	for _, c := range []struct {
		words string
		want  bool
		hits  string // marked parts, joined by |
	}{
		{"", true, ""}, {"合同 signed", true, "合同|signed"}, {"合同 发票", false, ""}, {"合同 OR 发票", true, "合同"},
		{"发票 OR 合同 signed", true, "合同|signed"}, {"(发票 OR 合同) unsigned", false, ""}, {"（发票 OR 合同） signed", true, "合同|signed"},
		{"合同 -signed", false, ""}, {"合同 NOT 发票", true, "合同"}, {"-(发票 OR 收据)", true, ""}, {"NOT NOT 合同", true, "合同"},
		{"(NOT 合同) OR signed", true, "signed"}, {"NOT (发票 NOT 合同)", true, "合同"},
		{"“signed YESTERDAY”", true, "signed yesterday"}, {`"yesterday signed"`, false, ""}, {"CONTRACT AND 已经", true, "Contract|已经"},
		{"or", false, ""}, {"ｃｏｎｔｒａｃｔ", true, "Contract"}, {`NOT "合同"`, false, ""},
	} {
		w, err := query.ParseWords(c.words)
		if err != nil {
			t.Errorf("%q: %v", c.words, err)
			continue
		}
		hits, ok := w.Match(text)
		var marked []string
		for _, h := range hits {
			marked = append(marked, text[h.Start:h.End])
		}
		if got := strings.Join(marked, "|"); ok != c.want || got != c.hits {
			t.Errorf("%q: %v %q, want %v %q", c.words, ok, got, c.want, c.hits)
		}
	}
	for _, bad := range []string{"OR", "a OR", "OR a", "NOT", "(a", "a)", "()", `"a`, `""`, "a AND OR b", strings.Repeat("a ", query.MaxTerms+1),
		strings.Repeat("(", 40) + "a" + strings.Repeat(")", 40), strings.Repeat("a", query.MaxWords+1), "\xff"} {
		if _, err := query.ParseWords(bad); !errors.Is(err, query.ErrWords) {
			t.Errorf("%.40q: %v, want ErrWords", bad, err)
		}
	}
}

// TestFiltersLikePlainOnes draws messages and queries and compares with filters
// written once more, without the package.
func TestFiltersLikePlainOnes(t *testing.T) {
	base := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
		r := archive.Row{Outcome: archive.Outcome(pick("outcome", "ok", "ok", "ok", "damaged")), Reading: archive.Reading{
			Conversation: pick("conversation", "room:1", "pair:a,b"), FromID: pick("from", "a", "b"), ToIDs: []string{pick("to", "b", "c")},
			MsgType: pick("type", "text", "file"), SenderKind: pick("kind", "employee", "external"), ChatKind: pick("chat", "internal", "external"),
			Text: pick("text", texts...), MsgTime: base.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "at")) * time.Hour),
		}}
		if rapid.Bool().Draw(t, "media") {
			r.Media = []archive.MediaRef{{Name: pick("name", "报价单.PDF", "")}}
		}
		q := query.Query{
			Conversation: pick("q conversation", "", "room:1"), Person: ids(pick("q person", "", "a", "c")), Sender: ids(pick("q sender", "", "", "b", "ab")),
			MsgType: pick("q type", "", "file"), SenderKind: pick("q kind", "", "external"), ChatKind: pick("q chat", "", "internal"), File: pick("q file", "", "", "单.pdf"),
		}
		if rapid.Bool().Draw(t, "bounded") {
			q.From, q.To = base.Add(time.Hour), base.Add(4*time.Hour)
		}
		if rapid.Bool().Draw(t, "asks media") {
			has := rapid.Bool().Draw(t, "has")
			q.HasMedia = &has
		}
		needle := pick("needle", "", "合同", "a", "１２")
		if needle != "" {
			q.Words = phrase(t, needle)
		}
		want := r.Outcome == archive.OutcomeOK && strings.Contains(plainFold(r.Text), plainFold(needle)) &&
			(q.Conversation == "" || q.Conversation == r.Conversation) && (len(q.Sender) == 0 || slices.Contains(q.Sender, r.FromID)) &&
			(len(q.Person) == 0 || slices.Contains(r.People(), q.Person[0])) && (q.MsgType == "" || q.MsgType == r.MsgType) &&
			(q.SenderKind == "" || q.SenderKind == r.SenderKind) && (q.ChatKind == "" || q.ChatKind == r.ChatKind) &&
			(q.From.IsZero() || r.MsgTime.UnixMilli() >= q.From.UnixMilli() && r.MsgTime.UnixMilli() < q.To.UnixMilli()) &&
			(q.HasMedia == nil || *q.HasMedia == (r.Media != nil)) && (q.File == "" || r.Media != nil && r.Media[0].Name != "")
		if got, _ := query.NewMatcher(q).Meant(r, nil); got != want {
			t.Fatalf("%v, want %v: %+v\n%+v", got, want, q, r)
		}
	})
}

// TestEachFilter: each alone admits one message and refuses another that differs
// in what it looks at only.
func TestEachFilter(t *testing.T) {
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	yes, no := true, false
	for name, c := range map[string]struct {
		query  query.Query
		change func(*archive.Row) // from admitted to refused
	}{
		"readable":     {query.Query{}, func(r *archive.Row) { r.Outcome = archive.OutcomeDamaged }},
		"from":         {query.Query{From: at}, func(r *archive.Row) { r.MsgTime = at.Add(-time.Millisecond) }},
		"to":           {query.Query{To: at.Add(time.Millisecond)}, func(r *archive.Row) { r.MsgTime = at.Add(time.Millisecond) }},
		"conversation": {query.Query{Conversation: "pair:a,b"}, func(r *archive.Row) { r.Conversation = "pair:a,c" }},
		"sender":       {query.Query{Sender: query.IDs{"a"}}, func(r *archive.Row) { r.FromID, r.ToIDs = "b", []string{"a"} }},
		"person sends": {query.Query{Person: query.IDs{"a"}}, func(r *archive.Row) { r.FromID = "c" }},
		"person gets":  {query.Query{Person: query.IDs{"b"}}, func(r *archive.Row) { r.ToIDs = []string{"c"} }},
		"sender kind":  {query.Query{SenderKind: "employee"}, func(r *archive.Row) { r.SenderKind = "external" }},
		"chat kind":    {query.Query{ChatKind: "internal"}, func(r *archive.Row) { r.ChatKind = "external" }},
		"type":         {query.Query{MsgType: "file"}, func(r *archive.Row) { r.MsgType = "text" }},
		"media":        {query.Query{HasMedia: &yes}, func(r *archive.Row) { r.Media = nil }},
		"file":         {query.Query{File: "价单.pdf"}, func(r *archive.Row) { r.Media[1].Name = "报价.PDF" }},
	} {
		r := archive.Row{Outcome: archive.OutcomeOK, Reading: archive.Reading{
			Conversation: "pair:a,b", FromID: "a", ToIDs: []string{"b"}, MsgTime: at, MsgType: "file", SenderKind: "employee", ChatKind: "internal",
			Media: []archive.MediaRef{{Name: "x"}, {Name: "报价单.ＰＤＦ"}},
		}}
		m := query.NewMatcher(c.query)
		if ok, _ := m.Meant(r, nil); !ok {
			t.Errorf("%s: refused", name)
		}
		c.change(&r)
		if ok, _ := m.Meant(r, nil); ok {
			t.Errorf("%s: admitted", name)
		}
	}
	m := query.NewMatcher(query.Query{HasMedia: &no})
	if ok, _ := m.Meant(archive.Row{Outcome: archive.OutcomeOK}, nil); !ok {
		t.Error("without media: refused")
	}
	if ok, _ := m.Meant(archive.Row{Outcome: archive.OutcomeOK, Reading: archive.Reading{Media: []archive.MediaRef{{}}}}, nil); ok {
		t.Error("with media: admitted")
	}
}

// FuzzWords: whatever is typed, hits lie in the text, in order, and are not empty.
func FuzzWords(f *testing.F) {
	for i, text := range texts {
		f.Add(text, texts[(i+1)%len(texts)])
		f.Add(`"a" OR -(b 合)`, text)
	}
	f.Fuzz(func(t *testing.T, words, text string) {
		w, err := query.ParseWords(words)
		if err != nil {
			if !errors.Is(err, query.ErrWords) {
				t.Fatal(err)
			}
			return
		}
		hits, _ := w.Match(text)
		end := -1
		for _, h := range hits {
			if h.Start <= end || h.End <= h.Start || h.End > len(text) {
				t.Fatalf("%v in %d bytes", hits, len(text))
			}
			end = h.End
		}
	})
}

// ids are letters.
func ids(letters string) query.IDs {
	if letters == "" {
		return nil
	}
	return strings.Split(letters, "")
}
