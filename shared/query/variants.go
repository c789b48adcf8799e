package query

import (
	_ "embed"
	"strings"
	"sync"
	"unicode/utf8"
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

// append appends whole letters, each replaced by the first of its class. Without variants
// they stay.
func (v variants) append(to, letters []byte) []byte {
	if v == nil {
		return append(to, letters...)
	}
	for len(letters) > 0 {
		r, size := utf8.DecodeRune(letters)
		if first, ok := v[r]; ok {
			to = utf8.AppendRune(to, first)
		} else {
			to = append(to, letters[:size]...)
		}
		letters = letters[size:]
	}
	return to
}

// WithVariants are the words with traditional and simplified characters counting as
// one, in terms and texts alike.
func (w Words) WithVariants() Words {
	w.variants = readVariants()
	classes := readClasses()
	terms := make([]term, len(w.terms))
	for i, t := range w.terms {
		terms[i] = term{folded: w.variants.append(nil, t.folded), shown: t.shown}
		for _, first := range string(terms[i].folded) {
			class := [][]byte{[]byte(string(first))}
			for _, r := range classes[first] {
				class = append(class, []byte(string(r)))
			}
			terms[i].letters = append(terms[i].letters, class)
		}
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
