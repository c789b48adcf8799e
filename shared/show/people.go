package show

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/store"
)

// Lists of people and conversations show who talked to whom, so they are for the
// roles that may read content. They carry no message, so they leave no record of a
// look (docs/invariants.md, 8).

// PeopleInput asks for people.
type PeopleInput struct {
	Prefix string `query:"prefix" maxLength:"256" example:"li." doc:"Only ids that begin with it"`
	Query  string `query:"q" maxLength:"64" example:"王" doc:"Only people one of whose names, of now or before, contains it (full-width forms and case do not matter), and then those whose ids begin with it; each once. Not together with prefix"`
	Kind   string `query:"kind" enum:"employee,external,robot" doc:"Only of this kind. A page may have fewer people then, and still a next_cursor"`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"Most people to look at"`
}

type peopleOutput struct {
	Body struct {
		People     []Person `json:"people" nullable:"false" doc:"In byte order of their ids; with q by what follows it in their names"`
		NextCursor string   `json:"next_cursor,omitempty" doc:"Absent at the end"`
	}
}

// Person is somebody who was seen in messages.
type Person struct {
	ID   string `json:"id" example:"li.na" doc:"Employees' userids in lower case"`
	Kind string `json:"kind" example:"employee" doc:"employee, external or robot, as far as the id shows"`
	DirectoryName
}

// TalksInput asks for somebody's conversations.
type TalksInput struct {
	ID     string `path:"id" example:"li.na" doc:"Id of the person, percent-encoded. Employees' userids in any case"`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"Most conversations to return"`
}

type talksOutput struct {
	Body struct {
		Conversations []Talk `json:"conversations" nullable:"false" doc:"The last active first. One that is active again while you page moves to the front; none of the others is skipped or comes twice"`
		NextCursor    string `json:"next_cursor,omitempty" doc:"Absent at the end"`
	}
}

// Talk is a conversation that somebody took part in.
type Talk struct {
	ID      string `json:"id" example:"pair:li.na,wang.wei" doc:"Percent-encode it where it becomes part of a path"`
	LastDay string `json:"last_day" format:"date" doc:"Last UTC day with a message"`
	Titled
}

// List lists people, all or those that are called so.
func (s *People) List(ctx context.Context, in *PeopleInput) (*peopleOutput, error) {
	if !utf8.ValidString(in.Prefix) {
		return nil, BadParameter("query.prefix", "prefix must be UTF-8.")
	}
	if in.Query != "" {
		return s.peopleCalled(ctx, in)
	}
	sum := querySum("people", in.Prefix, in.Kind)
	after := ""
	if in.Cursor != "" {
		place, err := decodeCursor(in.Cursor, sum)
		if err == nil && (len(place) == 0 || !utf8.Valid(place) || len(place) > store.MaxIndexKey/2) {
			err = errBadCursor
		}
		if err != nil {
			return nil, refusedCursor(err, "prefix and kind")
		}
		after = string(place)
	}
	ids, err := s.config.Catalog.People.Seen(ctx, in.Prefix, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := new(peopleOutput)
	out.Body.People = []Person{}
	n, err := s.NamesOf(ctx, ids, nil)
	if err != nil {
		return nil, err
	}
	out.add(n, in.Kind, ids[:min(in.Limit, len(ids))]...)
	if len(ids) > in.Limit {
		out.Body.NextCursor = encodeCursor(sum, []byte(ids[in.Limit-1]))
	}
	return out, nil
}

// add adds those of a kind.
func (o *peopleOutput) add(n Names, kind string, ids ...string) {
	for _, id := range ids {
		if is := string(chat.ParticipantOf(id).Kind); kind == "" || is == kind {
			o.Body.People = append(o.Body.People, Person{ID: id, Kind: is, DirectoryName: Detailed(n.People[id])})
		}
	}
}

// What a cursor of peopleCalled goes on in.
const (
	inNames = 'n'
	inIDs   = 'i'
)

// peopleCalled lists people by what they are called, and then by their ids.
func (s *People) peopleCalled(ctx context.Context, in *PeopleInput) (*peopleOutput, error) {
	if !utf8.ValidString(in.Query) || in.Prefix != "" {
		return nil, BadParameter("query.q", "q must be UTF-8, and stand without prefix.")
	}
	sum := querySum("people", "q", in.Query, in.Kind)
	part, after, err := calledCursor(in.Cursor, sum, "q and kind")
	if err != nil {
		return nil, err
	}
	out := new(peopleOutput)
	out.Body.People = []Person{}
	looked := 0
	if part == inNames {
		ids, next, err := s.config.Catalog.People.CalledPeople(ctx, in.Query, after, in.Limit)
		if err != nil {
			return nil, err
		}
		n, err := s.NamesOf(ctx, ids, nil)
		if err != nil {
			return nil, err
		}
		out.add(n, in.Kind, ids...)
		if next != "" {
			out.Body.NextCursor = encodeCursor(sum, []byte(string(inNames)+next))
			return out, nil
		}
		looked, after = len(ids), ""
	}
	if looked == in.Limit {
		out.Body.NextCursor = encodeCursor(sum, []byte{inIDs})
		return out, nil
	}
	ids, err := s.config.Catalog.People.Seen(ctx, idPrefix(in.Query), after, in.Limit-looked+1)
	if err != nil {
		return nil, err
	}
	n, err := s.NamesOf(ctx, ids, nil)
	if err != nil {
		return nil, err
	}
	shown := ids[:min(in.Limit-looked, len(ids))]
	out.add(n, in.Kind, slices.DeleteFunc(slices.Clone(shown), func(id string) bool { return n.People[id].IsCalled(in.Query) })...)
	if len(shown) < len(ids) {
		out.Body.NextCursor = encodeCursor(sum, []byte(string(inIDs)+shown[len(shown)-1]))
	}
	return out, nil
}

// idPrefix is how an id begins that somebody begins to type: userids in lower case,
// WeCom's own ids as they are.
func idPrefix(typed string) string {
	for _, own := range []string{"wm", "wo", "wb"} {
		if strings.HasPrefix(typed, own) {
			return typed
		}
	}
	return strings.ToLower(typed)
}

// calledCursor reads where a list by names goes on.
func calledCursor(cursor string, sum [querySumSize]byte, of string) (part rune, after string, err error) {
	if cursor == "" {
		return inNames, "", nil
	}
	place, err := decodeCursor(cursor, sum)
	if err == nil && (len(place) == 0 || place[0] != inNames && place[0] != inIDs || !utf8.Valid(place) || len(place) > store.MaxIndexKey) {
		err = errBadCursor
	}
	if err != nil {
		return 0, "", refusedCursor(err, of)
	}
	return rune(place[0]), string(place[1:]), nil
}

// Talks lists somebody's conversations, the last active first.
func (s *People) Talks(ctx context.Context, in *TalksInput) (*talksOutput, error) {
	if !utf8.ValidString(in.ID) || in.ID == "" || len(in.ID) > store.MaxIndexKey/2 {
		return nil, BadParameter("path.id", "The person's id must be UTF-8, percent-encoded, of 1 to 512 bytes.")
	}
	id := chat.ParticipantOf(in.ID).ID
	sum := querySum("talks", id)
	var after *catalog.Talk
	if in.Cursor != "" {
		place, err := decodeCursor(in.Cursor, sum)
		if err == nil {
			after, err = decodeTalk(place)
		}
		if err != nil {
			return nil, refusedCursor(err, "id")
		}
	}
	found, err := s.config.Catalog.People.Talks(ctx, id, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := new(talksOutput)
	out.Body.Conversations = []Talk{}
	shown := found[:min(in.Limit, len(found))]
	conversations := make([]string, len(shown))
	for i, t := range shown {
		conversations[i] = t.Conversation
	}
	titles, err := s.Titles(ctx, conversations, func(i int) time.Time { return endOfDay(shown[i].Day) })
	if err != nil {
		return nil, err
	}
	for i, t := range shown {
		out.Body.Conversations = append(out.Body.Conversations, Talk{ID: t.Conversation, LastDay: t.Day, Titled: titles[i]})
	}
	if len(found) > in.Limit {
		last := found[in.Limit-1]
		out.Body.NextCursor = encodeCursor(sum, []byte(last.Day+last.Conversation))
	}
	return out, nil
}

func decodeTalk(place []byte) (*catalog.Talk, error) {
	const day = len("2026-11-23")
	if len(place) <= day || !IsDay(string(place[:day])) || !conversationID(string(place[day:])) {
		return nil, errBadCursor
	}
	return &catalog.Talk{Day: string(place[:day]), Conversation: string(place[day:])}, nil
}

// KindOf says what a conversation is, by its id.
func (t Talk) KindOf() string { return strings.SplitN(t.ID, ":", 2)[0] }

// Beside is how a conversation is called in the list of one person's: a pair by the
// other one.
func (t Talk) Beside(person string) string {
	for _, p := range t.Participants {
		if person != "" && p.ID != person {
			return OrID(p.Name, p.ID)
		}
	}
	return OrID(t.Name, t.ID)
}
