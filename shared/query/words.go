package query

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
	"unsafe"
)

// Bounds of what people type.
const (
	MaxWords = 1024 // bytes of the whole
	MaxTerms = 32
	maxDepth = 16 // of parentheses and NOTs
)

// ErrWords says that words do not make a search. The error that wraps it says why.
var ErrWords = errors.New("the words do not make a search")

// Words is what is looked for in texts: terms joined by and, or, not. The zero
// Words match every text.
type Words struct {
	root  node
	terms []string // folded, those that are not under a NOT
	han   bool     // all terms, those under a NOT too, consist of plainHan

	variants variants // nil: each letter is itself
}

// node is a part of a search.
type node interface{ match(folded []byte) bool }

type (
	term []byte // folded, not empty
	all  []node
	some []node
	not  struct{ node }
)

func (t term) match(folded []byte) bool { return bytes.Contains(folded, t) }

func (a all) match(folded []byte) bool {
	for _, n := range a {
		if !n.match(folded) {
			return false
		}
	}
	return true
}

func (o some) match(folded []byte) bool {
	for _, n := range o {
		if n.match(folded) {
			return true
		}
	}
	return false
}

func (n not) match(folded []byte) bool { return !n.node.match(folded) }

// folds are buffers for folded texts: most texts are looked at once and do not
// match.
var folds = sync.Pool{New: func() any { return new([]byte) }}

// MatchFolded is Match of a text that AppendFolded has folded, without the places.
func (w Words) MatchFolded(folded []byte) bool {
	return w.root == nil || w.root.match(folded)
}

// MayMatch says whether one of many folded texts can be meant, which stand one behind the
// other with bytes between them that are not UTF-8. It looks at all at once, and so tells
// that none is much faster than MatchFolded of each.
func (w Words) MayMatch(many []byte) bool {
	return w.root == nil || mayMatch(w.root, many)
}

// mayMatch is match where one text may have what another lacks: a NOT rules nothing out.
func mayMatch(n node, many []byte) bool {
	switch n := n.(type) {
	case not:
		return true
	case all:
		for _, part := range n {
			if !mayMatch(part, many) {
				return false
			}
		}
		return true
	case some:
		return slices.ContainsFunc(n, func(part node) bool { return mayMatch(part, many) })
	case loose:
		return n.hasAll(many)
	}
	return n.match(many)
}

// Empty says whether the words ask for nothing.
func (w Words) Empty() bool { return w.root == nil }

// Match says whether a text is meant, and where the terms stand in it: in order,
// without overlaps, as bytes of the text.
func (w Words) Match(text string) ([]Range, bool) {
	if w.root == nil {
		return nil, true
	}
	if !w.matches(text) {
		return nil, false
	}
	f := foldText(text, w.variants)
	var hits []Range
	for _, t := range w.terms {
		hits = f.occurrences(hits, t)
	}
	return join(hits), true
}

// matches says whether a text is meant, without a place.
func (w Words) matches(text string) bool {
	if w.variants == nil && w.han && keepsHan(text) {
		return w.root.match(unsafe.Slice(unsafe.StringData(text), len(text))) // which only reads
	}
	buffer := folds.Get().(*[]byte)
	defer folds.Put(buffer)
	*buffer = AppendFolded((*buffer)[:0], text)
	return w.root.match(*buffer)
}

// ParseWords reads what a person typed. Terms are separated by spaces and must all
// occur; OR between two lets one of them do; NOT or a leading - excludes; quotes
// make a phrase of what is between them, spaces and signs included; parentheses
// group. OR and NOT count in capitals only. AND may be written, too. NOT binds most,
// OR least. Quotes may be “ ” or full-width, spaces and parentheses as well.
func ParseWords(s string) (Words, error) {
	if len(s) > MaxWords {
		return Words{}, fmt.Errorf("%w: they are longer than %d bytes", ErrWords, MaxWords)
	}
	if !utf8.ValidString(s) {
		return Words{}, fmt.Errorf("%w: they are not UTF-8", ErrWords)
	}
	tokens, err := tokenize(s)
	if err != nil || len(tokens) == 0 {
		return Words{}, err
	}
	p := parser{tokens: tokens, han: true}
	root, err := p.either(0, false)
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("%w: a closing parenthesis has no opening one", ErrWords)
	}
	if err != nil {
		return Words{}, err
	}
	return Words{root: root, terms: p.terms, han: p.han}, nil
}

type tokenKind int

const (
	tokenTerm tokenKind = iota
	tokenOr
	tokenAnd
	tokenNot
	tokenOpen
	tokenClose
)

type token struct {
	kind tokenKind
	text string // of a term, folded
}

const (
	openQuotes = `"“„＂`
	endQuotes  = `"”“＂`
	opening    = "(（"
	closing    = ")）"
)

func tokenize(s string) (tokens []token, err error) {
	for {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
		if s == "" {
			return tokens, nil
		}
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case strings.ContainsRune(openQuotes, r):
			end := strings.IndexAny(s[size:], endQuotes)
			if end < 0 {
				return nil, fmt.Errorf("%w: a quote is not closed", ErrWords)
			}
			if tokens, err = addTerm(tokens, s[size:size+end]); err != nil {
				return nil, err
			}
			_, closed := utf8.DecodeRuneInString(s[size+end:])
			s = s[size+end+closed:]
		case strings.ContainsRune(opening, r):
			tokens, s = append(tokens, token{kind: tokenOpen}), s[size:]
		case strings.ContainsRune(closing, r):
			tokens, s = append(tokens, token{kind: tokenClose}), s[size:]
		case r == '-' && len(s) > size && !startsWithSpace(s[size:]):
			tokens, s = append(tokens, token{kind: tokenNot}), s[size:]
		default:
			end := strings.IndexFunc(s, func(r rune) bool {
				return unicode.IsSpace(r) || strings.ContainsRune(openQuotes+endQuotes+opening+closing, r)
			})
			if end < 0 {
				end = len(s)
			}
			if tokens, err = addWord(tokens, s[:end]); err != nil {
				return nil, err
			}
			s = s[end:]
		}
	}
}

func startsWithSpace(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsSpace(r)
}

func addWord(tokens []token, word string) ([]token, error) {
	switch word {
	case "OR":
		return append(tokens, token{kind: tokenOr}), nil
	case "AND":
		return append(tokens, token{kind: tokenAnd}), nil
	case "NOT":
		return append(tokens, token{kind: tokenNot}), nil
	default:
		return addTerm(tokens, word)
	}
}

func addTerm(tokens []token, text string) ([]token, error) {
	folded := Fold(text)
	if folded == "" {
		return nil, fmt.Errorf("%w: a term is empty, or nothing of it can be seen", ErrWords)
	}
	return append(tokens, token{tokenTerm, folded}), nil
}

// parser consumes tokens.
type parser struct {
	tokens []token
	terms  []string
	count  int
	han    bool // as Words has it
}

func (p *parser) next() (tokenKind, bool) {
	if len(p.tokens) == 0 {
		return 0, false
	}
	return p.tokens[0].kind, true
}

func (p *parser) either(depth int, negated bool) (node, error) {
	var parts some
	for {
		part, err := p.both(depth, negated)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		if kind, ok := p.next(); !ok || kind != tokenOr {
			break
		}
		p.tokens = p.tokens[1:]
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return parts, nil
}

func (p *parser) both(depth int, negated bool) (node, error) {
	var parts all
	for {
		part, err := p.one(depth, negated)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		kind, ok := p.next()
		if !ok || kind == tokenOr || kind == tokenClose {
			break
		}
		if kind == tokenAnd {
			p.tokens = p.tokens[1:]
		}
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return parts, nil
}

func (p *parser) one(depth int, negated bool) (node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: more than %d levels of parentheses and NOT", ErrWords, maxDepth)
	}
	kind, ok := p.next()
	if !ok {
		return nil, fmt.Errorf("%w: a term is missing at the end", ErrWords)
	}
	read := p.tokens[0]
	p.tokens = p.tokens[1:]
	switch kind {
	case tokenTerm:
		if p.count++; p.count > MaxTerms {
			return nil, fmt.Errorf("%w: more than %d terms", ErrWords, MaxTerms)
		}
		p.han = p.han && strings.IndexFunc(read.text, func(r rune) bool { return !plainHan(r) }) < 0
		if !negated {
			p.terms = append(p.terms, read.text)
		}
		return term(read.text), nil
	case tokenNot:
		inner, err := p.one(depth+1, !negated)
		return not{inner}, err
	case tokenOpen:
		inner, err := p.either(depth+1, negated)
		if err != nil {
			return nil, err
		}
		if kind, ok := p.next(); !ok || kind != tokenClose {
			return nil, fmt.Errorf("%w: a parenthesis is not closed", ErrWords)
		}
		p.tokens = p.tokens[1:]
		return inner, nil
	default:
		return nil, fmt.Errorf("%w: a term is missing before OR, AND or a closing parenthesis", ErrWords)
	}
}
