package viewer

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/chat"
)

// Entries of the columns.
const (
	columnPeople = 60
	columnTalks  = 60
	seatsFresh   = 3 * 24 * time.Hour // how old a list of seats may be that proves something
)

// overview is the first page.
type overview struct {
	status
	Proof string // when the stream was last read to its end
	State string // healthy, unhealthy, unproven
	Plot  plot

	Checks []check // that the state follows from
	Pulls  bool    // a pull can be asked for
	Asked  bool    // one was, just now
}

func (s *pageServer) overviewPage(_ http.ResponseWriter, r *http.Request) (page, error) {
	out, err := s.show.Books.status(r.Context(), nil)
	if err != nil {
		return page{}, err
	}
	proof, err := s.show.Books.Proof(r.Context())
	if err != nil {
		return page{}, err
	}
	v := overview{status: out.Body, Pulls: s.Puller != nil, Asked: r.URL.Query().Has("asked")}
	if !proof.End.IsZero() {
		v.Proof = proof.End.In(s.show.Days(r.Context())).Format("2006-01-02 15:04:05")
	}
	v.Checks = checksOf(v.status, s.Now().Sub(proof.Seats) < seatsFresh, v.Proof != "")
	v.State = stateOf(v.Checks)
	if v.Plot, err = s.plot(r.Context()); err != nil {
		return page{}, err
	}
	return page{Section: "overview", Content: v}, nil
}

// columns are people, their conversations, and a transcript.
type columns struct {
	Query, Kind, Day, Person, ID string

	People     []Person
	Rooms      []chatRoom // instead of people
	MorePeople string     // cursor
	Chosen     *Person
	Talks      []talk
	MoreTalks  string
	Transcript *transcriptView
	Today      string
}

// With is the address with some parameters set, the place in the transcript dropped.
func (c columns) With(pairs ...string) string {
	q := url.Values{}
	for name, value := range map[string]string{"q": c.Query, "kind": c.Kind, "day": c.Day, "person": c.Person, "id": c.ID} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		} else {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return "/c?" + q.Encode()
}

// Focus is the column that a narrow window shows.
func (c columns) Focus() string {
	switch {
	case c.ID != "":
		return "transcript"
	case c.Person != "" || c.Day != "":
		return "talks"
	}
	return "people"
}

func (s *pageServer) conversationsPage(_ http.ResponseWriter, r *http.Request) (page, error) {
	q := r.URL.Query()
	c := columns{Query: clipped(q.Get("q")), Kind: q.Get("kind"), Day: q.Get("day"), Person: q.Get("person"), ID: q.Get("id"),
		Today: s.Now().UTC().Format(time.DateOnly)}
	if !slices.Contains([]string{"employee", "external", "robot", kindRoom}, c.Kind) {
		c.Kind = ""
	}
	if c.Day != "" && !isDay(c.Day) {
		return page{}, leadsNowhere("no day")
	}
	if c.ID != "" {
		return page{Section: "conversations", Content: &c}, s.fillBeside(r, &c)
	}
	if err := s.fillPeople(r, &c); err != nil {
		return page{}, err
	}
	if err := s.fillTalks(r, &c); err != nil {
		return page{}, err
	}
	return page{Section: "conversations", Content: &c}, nil
}

// fillBeside makes a transcript with its own people and itself in the columns beside it.
// The script fills these with what they had before: with every screen it would cost as
// much as the screen.
func (s *pageServer) fillBeside(r *http.Request, c *columns) (err error) {
	if c.Person != "" {
		c.Person = chat.ParticipantOf(c.Person).ID
	}
	if c.Transcript, err = s.transcriptOf(r, c.ID, c.Person); err != nil {
		return err
	}
	v := c.Transcript
	c.Talks = []talk{{ID: c.ID, titled: v.Title}}
	here := v.Title.Participants
	for _, b := range v.Bubbles {
		here = append(slices.Clip(here), b.Sender)
	}
	listed := map[string]bool{"": true}
	for _, p := range here {
		if !listed[p.ID] {
			listed[p.ID] = true
			c.People = append(c.People, Person{ID: p.ID, Kind: p.Kind, directoryName: directoryName{naming: p.naming}})
		}
	}
	if c.Person == "" {
		return nil
	}
	n, err := s.show.People.namesOf(r.Context(), []string{c.Person}, nil) // read with the transcript
	c.Chosen = &Person{ID: c.Person, Kind: string(chat.ParticipantOf(c.Person).Kind), directoryName: detailed(n.people[c.Person])}
	return err
}

// kindRoom lists rooms where people stand.
const kindRoom = "room"

// clipped is what somebody looks for, as long as the API takes it.
func clipped(s string) string {
	s = strings.ToValidUTF8(s, "")
	if runes := []rune(s); len(runes) > 64 {
		s = string(runes[:64])
	}
	return s
}

// fillPeople lists people, or rooms.
func (s *pageServer) fillPeople(r *http.Request, c *columns) error {
	cursor := r.URL.Query().Get("people")
	if c.Kind == kindRoom {
		rooms, err := s.show.People.rooms(r.Context(), &roomsInput{Query: c.Query, Cursor: cursor, Limit: columnPeople})
		if err == nil {
			c.Rooms, c.MorePeople = rooms.Body.Rooms, rooms.Body.NextCursor
		}
		return err
	}
	people, err := s.show.People.people(r.Context(), &peopleInput{Query: c.Query, Kind: c.Kind, Cursor: cursor, Limit: columnPeople})
	if err == nil {
		c.People, c.MorePeople = people.Body.People, people.Body.NextCursor
	}
	return err
}

// fillTalks lists the conversations of the person, or else of the day.
func (s *pageServer) fillTalks(r *http.Request, c *columns) error {
	cursor := r.URL.Query().Get("talks")
	switch {
	case c.Person != "":
		c.Person = chat.ParticipantOf(c.Person).ID
		found, err := s.show.People.talks(r.Context(), &talksInput{ID: c.Person, Cursor: cursor, Limit: columnTalks})
		if err != nil {
			return err
		}
		n, err := s.show.People.namesOf(r.Context(), []string{c.Person}, nil)
		if err != nil {
			return err
		}
		c.Talks, c.MoreTalks = found.Body.Conversations, found.Body.NextCursor
		c.Chosen = &Person{ID: c.Person, Kind: string(chat.ParticipantOf(c.Person).Kind), directoryName: detailed(n.people[c.Person])}
	case c.Day != "":
		found, err := s.show.People.conversations(r.Context(), &conversationsInput{Day: c.Day, Cursor: cursor, Limit: columnTalks})
		if err != nil {
			return err
		}
		for _, f := range found.Body.Conversations {
			c.Talks = append(c.Talks, talk{ID: f.ID, LastDay: c.Day, titled: f.titled})
		}
		c.MoreTalks = found.Body.NextCursor
	}
	return nil
}

// KindOf says what a conversation is, by its id.
func (t talk) KindOf() string { return strings.SplitN(t.ID, ":", 2)[0] }

// Beside is how a conversation is called in the list of one person's: a pair by the
// other one.
func (t talk) Beside(person string) string {
	for _, p := range t.Participants {
		if person != "" && p.ID != person {
			return orID(p.Name, p.ID)
		}
	}
	return orID(t.Name, t.ID)
}

// setupView is the setup page.
type setupView struct {
	setupBody
}

func (s *pageServer) setupPage(_ http.ResponseWriter, r *http.Request) (page, error) {
	out, err := s.show.Books.getSetup(r.Context(), nil)
	if err != nil {
		return page{}, err
	}
	return page{Section: "setup", Content: setupView{out.Body}}, nil
}
