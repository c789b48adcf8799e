package pages

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/chat"
	"wecom-archive/shared/show"
)

// Entries of the columns.
const (
	columnPeople = 60
	columnTalks  = 60
	seatsFresh   = 3 * 24 * time.Hour // how old a list of seats may be that proves something
)

// overview is the first page.
type overview struct {
	show.Status
	Proof string // when the stream was last read to its end
	State string // healthy, unhealthy, unproven
	Plot  plot

	Checks []check // that the state follows from
	Pulls  bool    // a pull can be asked for
	Asked  bool    // one was, just now
}

func (s *server) overviewPage(_ http.ResponseWriter, r *http.Request) (page, error) {
	out, err := s.show.Books.Status(r.Context(), nil)
	if err != nil {
		return page{}, err
	}
	proof, err := s.show.Books.Proof(r.Context())
	if err != nil {
		return page{}, err
	}
	v := overview{Status: out.Body, Pulls: s.Puller != nil, Asked: r.URL.Query().Has("asked")}
	if !proof.End.IsZero() {
		v.Proof = proof.End.In(s.show.Days(r.Context())).Format("2006-01-02 15:04:05")
	}
	v.Checks = checksOf(v.Status, s.Now().Sub(proof.Seats) < seatsFresh, v.Proof != "")
	v.State = stateOf(v.Checks)
	if v.Plot, err = s.plot(r.Context()); err != nil {
		return page{}, err
	}
	return page{Section: "overview", Content: v}, nil
}

// columns are people, their conversations, and a transcript.
type columns struct {
	Query, Kind, Day, Person, ID string

	People     []show.Person
	Rooms      []show.ChatRoom // instead of people
	MorePeople string          // cursor
	Chosen     *show.Person
	Talks      []show.Talk
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

func (s *server) conversationsPage(_ http.ResponseWriter, r *http.Request) (page, error) {
	q := r.URL.Query()
	c := columns{Query: clipped(q.Get("q")), Kind: q.Get("kind"), Day: q.Get("day"), Person: q.Get("person"), ID: q.Get("id"),
		Today: s.Now().UTC().Format(time.DateOnly)}
	if !slices.Contains([]string{"employee", "external", "robot", kindRoom}, c.Kind) {
		c.Kind = ""
	}
	if c.Day != "" && !show.IsDay(c.Day) {
		return page{}, show.NoPlace("no day")
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
func (s *server) fillBeside(r *http.Request, c *columns) (err error) {
	if c.Person != "" {
		c.Person = chat.ParticipantOf(c.Person).ID
	}
	if c.Transcript, err = s.transcriptOf(r, c.ID, c.Person); err != nil {
		return err
	}
	v := c.Transcript
	c.Talks = []show.Talk{{ID: c.ID, Titled: v.Title}}
	here := v.Title.Participants
	for _, b := range v.Bubbles {
		here = append(slices.Clip(here), b.Sender)
	}
	listed := map[string]bool{"": true}
	for _, p := range here {
		if !listed[p.ID] {
			listed[p.ID] = true
			c.People = append(c.People, show.Person{ID: p.ID, Kind: p.Kind, DirectoryName: show.DirectoryName{Naming: p.Naming}})
		}
	}
	if c.Person == "" {
		return nil
	}
	n, err := s.show.People.NamesOf(r.Context(), []string{c.Person}, nil) // read with the transcript
	c.Chosen = &show.Person{ID: c.Person, Kind: string(chat.ParticipantOf(c.Person).Kind), DirectoryName: show.Detailed(n.People[c.Person])}
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
func (s *server) fillPeople(r *http.Request, c *columns) error {
	cursor := r.URL.Query().Get("people")
	if c.Kind == kindRoom {
		rooms, err := s.show.People.Rooms(r.Context(), &show.RoomsInput{Query: c.Query, Cursor: cursor, Limit: columnPeople})
		if err == nil {
			c.Rooms, c.MorePeople = rooms.Body.Rooms, rooms.Body.NextCursor
		}
		return err
	}
	people, err := s.show.People.List(r.Context(), &show.PeopleInput{Query: c.Query, Kind: c.Kind, Cursor: cursor, Limit: columnPeople})
	if err == nil {
		c.People, c.MorePeople = people.Body.People, people.Body.NextCursor
	}
	return err
}

// fillTalks lists the conversations of the person, or else of the day.
func (s *server) fillTalks(r *http.Request, c *columns) error {
	cursor := r.URL.Query().Get("talks")
	switch {
	case c.Person != "":
		c.Person = chat.ParticipantOf(c.Person).ID
		found, err := s.show.People.Talks(r.Context(), &show.TalksInput{ID: c.Person, Cursor: cursor, Limit: columnTalks})
		if err != nil {
			return err
		}
		n, err := s.show.People.NamesOf(r.Context(), []string{c.Person}, nil)
		if err != nil {
			return err
		}
		c.Talks, c.MoreTalks = found.Body.Conversations, found.Body.NextCursor
		c.Chosen = &show.Person{ID: c.Person, Kind: string(chat.ParticipantOf(c.Person).Kind), DirectoryName: show.Detailed(n.People[c.Person])}
	case c.Day != "":
		found, err := s.show.People.Conversations(r.Context(), &show.ConversationsInput{Day: c.Day, Cursor: cursor, Limit: columnTalks})
		if err != nil {
			return err
		}
		for _, f := range found.Body.Conversations {
			c.Talks = append(c.Talks, show.Talk{ID: f.ID, LastDay: c.Day, Titled: f.Titled})
		}
		c.MoreTalks = found.Body.NextCursor
	}
	return nil
}

// setupView is the setup page.
type setupView struct {
	show.SetupBody
}

func (s *server) setupPage(_ http.ResponseWriter, r *http.Request) (page, error) {
	out, err := s.show.Books.SetupSteps(r.Context(), nil)
	if err != nil {
		return page{}, err
	}
	return page{Section: "setup", Content: setupView{out.Body}}, nil
}
