package query

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
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
	terms []term
	han   bool // all terms consist of plainHan

	variants variants // nil: each letter is itself
}

// term is one that is looked for.
type term struct {
	folded []byte // not empty
	shown  bool   // not under a NOT: hits show where it stands

	// With variants folded has first characters, and these are all of the class of each.
	letters [][][]byte
}

// node is a part of a search. has says whether a text holds a term.
type node interface {
	match(has func(term int) bool) bool
}

type (
	one  int // of Words.terms
	all  []node
	some []node
	not  struct{ node }
)

func (t one) match(has func(int) bool) bool { return has(int(t)) }

func (a all) match(has func(int) bool) bool {
	for _, n := range a {
		if !n.match(has) {
			return false
		}
	}
	return true
}

func (o some) match(has func(int) bool) bool {
	for _, n := range o {
		if n.match(has) {
			return true
		}
	}
	return false
}

func (n not) match(has func(int) bool) bool { return !n.node.match(has) }

// mayMatch is match where one text may have what another lacks: a NOT rules nothing out.
func mayMatch(n node, has func(int) bool) bool {
	switch n := n.(type) {
	case not:
		return true
	case all:
		for _, part := range n {
			if !mayMatch(part, has) {
				return false
			}
		}
		return true
	case some:
		return slices.ContainsFunc(n, func(part node) bool { return mayMatch(part, has) })
	}
	return n.match(has)
}

// Empty says whether the words ask for nothing.
func (w Words) Empty() bool { return w.root == nil }

// longest is that of the longest term, in bytes.
func (w Words) longest() (n int) {
	for _, t := range w.terms {
		n = max(n, len(t.folded))
	}
	return n
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
	terms  []term
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
		if len(p.terms) == MaxTerms {
			return nil, fmt.Errorf("%w: more than %d terms", ErrWords, MaxTerms)
		}
		p.han = p.han && strings.IndexFunc(read.text, func(r rune) bool { return !plainHan(r) }) < 0
		p.terms = append(p.terms, term{folded: []byte(read.text), shown: !negated})
		return one(len(p.terms) - 1), nil
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
