package search

import (
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/archive"
)

// Query is what a person looks for. Everything that is set must hold; the zero
// Query means every readable message.
type Query struct {
	Words Words // in the text of the message, nested records included

	Conversation string // as in docs/format.md; a room or a pair
	Person       IDs    // sender or receiver
	Sender       IDs

	SenderKind string // as archive.Reading has it
	ChatKind   string // the same
	MsgType    string
	File       string // substring of the name of one of its files; folded like text
	HasMedia   *bool  // refers to a file, or does not

	From time.Time // inclusive; zero: from the first
	To   time.Time // exclusive; zero: to the last
}

// IDs are all ids of one person: an employee whose userid was changed has several. None:
// whoever it is.
type IDs []string

func (ids IDs) allow(id string) bool { return len(ids) == 0 || slices.Contains(ids, id) }

// Matcher answers for one query. It is safe for concurrent use.
type Matcher struct {
	query Query
	file  string // folded
}

// NewMatcher returns a Matcher.
func NewMatcher(q Query) *Matcher { return &Matcher{query: q, file: Fold(q.File)} }

// Match says whether a row is meant, and where in its Text the terms stand. A row
// that is not readable is never meant.
func (m *Matcher) Match(r archive.Row) ([]Range, bool) {
	if !r.Readable() || !m.Admits(r.Reading) {
		return nil, false
	}
	return m.query.Words.Match(r.Text)
}

// Admits is Match without the words: of what stands beside the text.
func (m *Matcher) Admits(r archive.Reading) bool {
	q := &m.query
	switch {
	case !q.From.IsZero() && r.MsgTime.Before(q.From), !q.To.IsZero() && !r.MsgTime.Before(q.To):
		return false
	case !wants(q.Conversation, r.Conversation), !q.Sender.allow(r.FromID):
		return false
	case !wants(q.SenderKind, r.SenderKind), !wants(q.ChatKind, r.ChatKind), !wants(q.MsgType, r.MsgType):
		return false
	case q.HasMedia != nil && *q.HasMedia != (len(r.Media) > 0):
		return false
	}
	return m.names(r) && m.files(r)
}

func wants(wanted, value string) bool { return wanted == "" || wanted == value }

// names says whether the person looked for is one of the message's.
func (m *Matcher) names(r archive.Reading) bool {
	return m.query.Person.allow(r.FromID) || slices.ContainsFunc(r.ToIDs, m.query.Person.allow)
}

func (m *Matcher) files(r archive.Reading) bool {
	if m.file == "" {
		return true
	}
	for _, ref := range r.Media {
		if strings.Contains(Fold(ref.Name), m.file) {
			return true
		}
	}
	return false
}
