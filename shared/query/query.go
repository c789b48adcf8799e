package query

import (
	"reflect"
	"slices"
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

// WholeMS is a bound of times that are whole milliseconds, rounded up to one: what lies
// before the bound lies before the result, and what does not does not. Zero stays.
func WholeMS(bound time.Time) time.Time {
	whole := bound.Truncate(time.Millisecond)
	if whole.Before(bound) {
		whole = whole.Add(time.Millisecond)
	}
	return whole
}

// IDs are all ids of one person: an employee whose userid was changed has several. None:
// whoever it is.
type IDs []string

func (ids IDs) allow(id string) bool { return len(ids) == 0 || slices.Contains(ids, id) }

// Matcher answers for one query. It is safe for concurrent use.
type Matcher struct {
	query Query
	file  Words
}

// NewMatcher returns a Matcher.
func NewMatcher(q Query) *Matcher {
	q.From, q.To = WholeMS(q.From), WholeMS(q.To)
	m := &Matcher{query: q}
	if folded := Fold(q.File); folded != "" {
		m.file = Words{root: one(0), terms: []term{{folded: []byte(folded)}}}
	}
	return m
}

// Meant says whether a row is meant. One that is not readable never is.
func (m *Matcher) Meant(r archive.Row, stop Stop) (bool, error) {
	if !r.Readable() || !m.Admits(r.Reading) {
		return false, nil
	}
	return m.query.Words.Meant(r.Text, stop)
}

// Admits is Meant without the words: of what stands beside the text.
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
	return m.file.Empty() || slices.ContainsFunc(media, func(ref archive.MediaRef) bool {
		named, _ := m.file.Meant(ref.Name, nil)
		return named
	})
}

// Words are those of the query.
func (m *Matcher) Words() Words { return m.query.Words }

func wants(wanted, value string) bool { return wanted == "" || wanted == value }

// names says whether the person looked for is one of the message's.
func (m *Matcher) names(r archive.Reading) bool {
	return m.query.Person.allow(r.FromID) || slices.ContainsFunc(r.ToIDs, m.query.Person.allow)
}
