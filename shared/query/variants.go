package query

import (
	"bytes"
	_ "embed"
	"slices"
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
	w.root = withVariants(w.root, w.variants, readClasses())
	terms := make([]string, len(w.terms))
	for i, t := range w.terms {
		terms[i] = w.variants.fold(t)
	}
	w.terms = terms
	return w
}

// readClasses are the classes by their first character.
var readClasses = sync.OnceValue(func() map[rune][]rune {
	classes := map[rune][]rune{}
	for r, first := range readVariants() {
		classes[first] = append(classes[first], r)
	}
	return classes
})

// loose is a term each of whose characters may be another of its class.
type loose struct {
	term                // of first characters
	variants variants   //
	letters  [][][]byte // of each character: all of its class
}

func (l loose) match(folded []byte) bool {
	return l.hasAll(folded) && l.term.match([]byte(l.variants.fold(string(folded))))
}

// hasAll says whether each character occurs, in whatever order: that is told much faster
// than what match says.
func (l loose) hasAll(folded []byte) bool {
	for _, class := range l.letters {
		if !slices.ContainsFunc(class, func(letter []byte) bool { return bytes.Contains(folded, letter) }) {
			return false
		}
	}
	return true
}

func newLoose(t term, v variants, classes map[rune][]rune) loose {
	l := loose{term: term(v.fold(string(t))), variants: v}
	for _, first := range string(l.term) {
		class := [][]byte{[]byte(string(first))}
		for _, r := range classes[first] {
			class = append(class, []byte(string(r)))
		}
		l.letters = append(l.letters, class)
	}
	return l
}

func withVariants(n node, v variants, classes map[rune][]rune) node {
	switch n := n.(type) {
	case term:
		return newLoose(n, v, classes)
	case not:
		return not{withVariants(n.node, v, classes)}
	case all:
		return all(mapNodes(n, v, classes))
	case some:
		return some(mapNodes(n, v, classes))
	}
	return n
}

func mapNodes(nodes []node, v variants, classes map[rune][]rune) []node {
	out := make([]node, len(nodes))
	for i, n := range nodes {
		out[i] = withVariants(n, v, classes)
	}
	return out
}
