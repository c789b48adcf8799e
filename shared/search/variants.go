package search

import (
	_ "embed"
	"strings"
	"sync"
)

// Traditional and simplified Chinese write many characters in different ways, and
// one way may stand for several: 发 for 發 and 髮. Characters that OpenCC's tables
// connect count as one where a search asks for that. So nothing that is meant is
// missed, whoever wrote it; 后 finds 後 and 皇后 alike. Words that differ, such as
// 软件 and 軟體, stay different.

//go:embed variants/characters.txt
var variantTable string

// variants maps characters to the first of their class.
type variants map[rune]rune

var readVariants = sync.OnceValue(func() variants {
	v := variants{}
	for line := range strings.Lines(variantTable) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		class := []rune(strings.TrimSpace(line))
		for _, r := range class[1:] {
			v[r] = class[0]
		}
	}
	return v
})

// fold replaces each character by the first of its class.
func (v variants) fold(s string) string {
	if v == nil {
		return s
	}
	return strings.Map(func(r rune) rune {
		if first, ok := v[r]; ok {
			return first
		}
		return r
	}, s)
}

// WithVariants are the words with traditional and simplified characters counting as
// one, in terms and texts alike.
func (w Words) WithVariants() Words {
	w.variants = readVariants()
	w.root = withVariants(w.root, w.variants)
	terms := make([]string, len(w.terms))
	for i, t := range w.terms {
		terms[i] = w.variants.fold(t)
	}
	w.terms = terms
	return w
}

func withVariants(n node, v variants) node {
	switch n := n.(type) {
	case term:
		return term(v.fold(string(n)))
	case not:
		return not{withVariants(n.node, v)}
	case all:
		return all(mapNodes(n, v))
	case some:
		return some(mapNodes(n, v))
	}
	return n
}

func mapNodes(nodes []node, v variants) []node {
	out := make([]node, len(nodes))
	for i, n := range nodes {
		out[i] = withVariants(n, v)
	}
	return out
}
