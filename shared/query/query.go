package query

import (
	"reflect"
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
	return m.AdmitsTime(r.MsgTime) && m.AdmitsParty(r) && m.AdmitsFiles(r.Media)
}

// BesideTime says whether Admits looks at more than the time.
func (m *Matcher) BesideTime() bool {
	q := m.query
	q.Words, q.From, q.To = Words{}, time.Time{}, time.Time{}
	return !reflect.ValueOf(q).IsZero()
}

// AdmitsTime is the part of Admits that looks at the time.
func (m *Matcher) AdmitsTime(t time.Time) bool {
	q := &m.query
	return (q.From.IsZero() || !t.Before(q.From)) && (q.To.IsZero() || t.Before(q.To))
}

// AdmitsParty is the part of Admits that looks at conversation, people and type.
func (m *Matcher) AdmitsParty(r archive.Reading) bool {
	q := &m.query
	switch {
	case !wants(q.Conversation, r.Conversation), !q.Sender.allow(r.FromID):
		return false
	case !wants(q.SenderKind, r.SenderKind), !wants(q.ChatKind, r.ChatKind), !wants(q.MsgType, r.MsgType):
		return false
	}
	return m.names(r)
}

// AdmitsFiles is the part of Admits that looks at files.
func (m *Matcher) AdmitsFiles(media []archive.MediaRef) bool {
	if wanted := m.query.HasMedia; wanted != nil && *wanted != (len(media) > 0) {
		return false
	}
	return m.file == "" || slices.ContainsFunc(media, func(ref archive.MediaRef) bool { return strings.Contains(Fold(ref.Name), m.file) })
}

// Words are those of the query.
func (m *Matcher) Words() Words { return m.query.Words }

func wants(wanted, value string) bool { return wanted == "" || wanted == value }

// names says whether the person looked for is one of the message's.
func (m *Matcher) names(r archive.Reading) bool {
	return m.query.Person.allow(r.FromID) || slices.ContainsFunc(r.ToIDs, m.query.Person.allow)
}
