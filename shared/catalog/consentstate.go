package catalog

import (
	"cmp"
	"slices"
	"time"

	"wecom-archive/shared/archive"
)

// Where a fact comes from.
const (
	ConsentFromMessage  = "message"
	ConsentFromCheck    = "check"
	ConsentFromCallback = "callback"
)

// ConsentFact is that somebody agreed or refused.
type ConsentFact struct {
	Conversation string                `json:"conversation"`
	Person       string                `json:"person"`            // who answered
	Status       archive.ConsentStatus `json:"status"`            // agreed or refused
	At           time.Time             `json:"at"`                // of the answer, ms
	Source       string                `json:"source"`            // ConsentFrom…
	Undated      bool                  `json:"undated,omitempty"` // WeCom did not say since when: At is when it was asked
}

// Consent is where one person in a conversation stands.
type Consent struct {
	Person    string                `json:"person"`
	Status    archive.ConsentStatus `json:"status"`
	Since     time.Time             `json:"since,omitzero"`      // of the answer; zero: unanswered
	Source    string                `json:"source,omitempty"`    // of the answer
	CheckedAt time.Time             `json:"checked_at,omitzero"` // when WeCom was last asked for this person

	// What WeCom said without a time, oldest first. The index keeps it beside the last
	// answer that has one, so that what counts does not depend on the order in which
	// the two become known.
	Undated []UndatedConsent `json:"undated,omitempty"`
}

// UndatedConsent is what WeCom said when it was asked, and not since when.
type UndatedConsent struct {
	Status  archive.ConsentStatus `json:"status"`
	AskedAt time.Time             `json:"asked_at"`
}

// maxUndated bounds Consent.Undated: the newest.
const maxUndated = 4

// ConsentState is where those outside the company stand who take part in a
// conversation.
type ConsentState struct {
	Conversation string         `json:"conversation"`
	People       []Consent      `json:"people"` // in byte order of their ids; those of whom something is known
	AskedAt      time.Time      `json:"-"`      // when WeCom was last asked; zero: never
	Answer       archive.Answer `json:"-"`      // to that
}

// maxConsents bounds the people of a state: those least recently heard of go first.
// Rooms with customers have at most 500 members, and a state must fit into an item.
const maxConsents = 800

// person finds somebody, or makes a place for them.
func (s *ConsentState) person(id string) *Consent {
	i, found := slices.BinarySearchFunc(s.People, id, func(c Consent, id string) int { return cmp.Compare(c.Person, id) })
	if !found {
		s.People = slices.Insert(s.People, i, Consent{Person: id, Status: archive.ConsentUnanswered})
	}
	return &s.People[i]
}

// apply adds a fact.
func (s *ConsentState) apply(f ConsentFact) {
	c := s.person(f.Person)
	if !f.Undated {
		c.answer(f.Status, f.At, f.Source)
		return
	}
	u := UndatedConsent{f.Status, f.At.UTC()}
	i, found := slices.BinarySearchFunc(c.Undated, u, UndatedConsent.compare)
	if !found {
		c.Undated = slices.Insert(slices.Clone(c.Undated), i, u)
		c.Undated = c.Undated[max(0, len(c.Undated)-maxUndated):]
	}
}

// answer: the later one counts, and of two at one time the refusal.
func (c *Consent) answer(status archive.ConsentStatus, at time.Time, source string) {
	if later := at.Compare(c.Since); later > 0 || later == 0 && status == archive.ConsentRefused && c.Status != archive.ConsentRefused {
		c.Status, c.Since, c.Source = status, at.UTC(), source
	}
}

// compare orders by time; of two at one time the refusal comes last, and counts.
func (u UndatedConsent) compare(v UndatedConsent) int {
	return cmp.Or(u.AskedAt.Compare(v.AskedAt), cmp.Compare(u.Status, v.Status))
}

// settle makes of what the index keeps what counts: what WeCom said without a time is
// an answer of that time if it is another than the one before it.
func (s *ConsentState) settle() {
	for i := range s.People {
		c := &s.People[i]
		for _, u := range c.Undated {
			if u.Status != c.Status {
				c.answer(u.Status, u.AskedAt, ConsentFromCheck)
			}
		}
		c.Undated = nil
	}
}

func (c Consent) equal(d Consent) bool {
	return c.Person == d.Person && c.Status == d.Status && c.Since.Equal(d.Since) && c.Source == d.Source &&
		c.CheckedAt.Equal(d.CheckedAt) && slices.EqualFunc(c.Undated, d.Undated, func(u, v UndatedConsent) bool { return u.compare(v) == 0 })
}

func (s *ConsentState) trim() {
	if len(s.People) <= maxConsents {
		return
	}
	heard := func(c Consent) time.Time { return archive.Latest(c.Since, c.CheckedAt) } // an undated answer is a check
	slices.SortFunc(s.People, func(a, b Consent) int { return heard(b).Compare(heard(a)) })
	s.People = s.People[:maxConsents]
	slices.SortFunc(s.People, func(a, b Consent) int { return cmp.Compare(a.Person, b.Person) })
}

// check adds WeCom's answer to a question at a time. It is a fact if somebody agreed
// or refused.
func (s *ConsentState) check(a archive.Agreement, at time.Time) (f ConsentFact, ok bool) {
	if a.Person == "" || len(a.Person) > archive.MaxPersonID {
		return f, false
	}
	p := s.person(a.Person)
	p.CheckedAt = archive.Latest(p.CheckedAt, at)
	if a.Status == archive.ConsentUnanswered {
		return f, false
	}
	f = ConsentFact{Person: a.Person, Status: a.Status, At: a.ChangedAt, Source: ConsentFromCheck}
	if f.At.IsZero() {
		f.At, f.Undated = at, true
	}
	s.apply(f)
	return f, true
}
