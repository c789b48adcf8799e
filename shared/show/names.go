package show

import (
	"context"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
)

// Names come from the directory. Who has none there is shown by id, and the answer
// says so. A name is that of its day: what the person or room was called then, with
// the name now beside it where it is another.

// Naming is how a person or a room is called in an answer.
type Naming struct {
	Name    string `json:"name,omitempty" example:"李娜" doc:"What WeCom called it on that day; before it was first asked for, what it was called then. Hostile input: never take it for markup"`
	NameNow string `json:"name_now,omitempty" doc:"The name that was seen last, if it is another"`
	IDOnly  bool   `json:"id_only,omitempty" doc:"true: no name is known, only the id"`
}

// Participant is one of two who talk.
type Participant struct {
	ID   string `json:"id" example:"li.na"`
	Kind string `json:"kind" example:"employee" doc:"employee, external or robot"`
	Naming
}

// DirectoryName is a person or room and the names it had.
type DirectoryName struct {
	Naming
	Names    []catalog.NamePeriod `json:"names,omitempty" doc:"Each name, with the first and the last time that WeCom was seen to say it"`
	Answer   archive.Answer       `json:"answer,omitempty" example:"named" doc:"named; unknown: WeCom does not know the id (any more); hidden: the app may not see it; no_app: only the company's own app could, and its secret is missing. Absent: not asked yet"`
	AskedAt  *time.Time           `json:"asked_at,omitempty" doc:"When WeCom was asked last"`
	UserID   string               `json:"userid,omitempty" doc:"An employee's, in WeCom's spelling"`
	Position string               `json:"position,omitempty"`
	CorpName string               `json:"corp_name,omitempty" doc:"Company of a customer"`
	Status   int                  `json:"status,omitempty" doc:"Of an employee: 1 active, 2 disabled, 4 not activated, 5 left"`
}

// Names finds how people and rooms were called.
type Names struct {
	People, Rooms map[string]catalog.DirectoryEntry
}

// NamesOf reads the names of people and rooms from the index. What a page has read
// once it does not read again: who has no name is in its memory, too.
func (s *People) NamesOf(ctx context.Context, people, rooms []string) (n Names, err error) {
	memory, ok := ctx.Value(namesKey{}).(*Names)
	if !ok {
		memory = &Names{}
	}
	if err = remember(ctx, &memory.People, people, s.config.Catalog.People.PersonEntries); err == nil {
		err = remember(ctx, &memory.Rooms, rooms, s.config.Catalog.People.RoomEntries)
	}
	return *memory, err
}

// learn remembers what was read of people and rooms: of some perhaps nothing.
func (n *Names) learn(people []string, ofPeople map[string]catalog.DirectoryEntry, rooms []string, ofRooms map[string]catalog.DirectoryEntry) {
	add := func(known *map[string]catalog.DirectoryEntry, ids []string, found map[string]catalog.DirectoryEntry) {
		if *known == nil {
			*known = map[string]catalog.DirectoryEntry{}
		}
		for _, id := range ids {
			(*known)[id] = found[id]
		}
	}
	add(&n.People, people, ofPeople)
	add(&n.Rooms, rooms, ofRooms)
}

// NamesBeside are the names that stand beside messages.
func NamesBeside(a catalog.Asides) Names { return Names{a.People, a.Rooms} }

// Remembering has what is shown in a context read each name once.
func Remembering(ctx context.Context) context.Context {
	return context.WithValue(ctx, namesKey{}, &Names{})
}

// namesKey is where a page keeps the names that it has read, as *names.
type namesKey struct{}

// remember adds the entries of those ids that known does not have.
func remember(ctx context.Context, known *map[string]catalog.DirectoryEntry, ids []string, read func(context.Context, ...string) (map[string]catalog.DirectoryEntry, error)) error {
	if *known == nil {
		*known = map[string]catalog.DirectoryEntry{}
	}
	missing := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { _, ok := (*known)[id]; return ok })
	if len(missing) == 0 {
		return nil
	}
	found, err := read(ctx, missing...)
	for _, id := range missing {
		(*known)[id] = found[id]
	}
	return err
}

// Called is an entry's name at a time; at zero: now.
func Called(e catalog.DirectoryEntry, at time.Time) Naming {
	now := e.Now()
	n := Naming{Name: now, IDOnly: now == ""}
	if !at.IsZero() {
		n.Name = e.At(at)
	}
	if n.Name != now {
		n.NameNow = now
	}
	return n
}

// Detailed is all that a list shows of an entry.
func Detailed(e catalog.DirectoryEntry) DirectoryName {
	d := DirectoryName{Naming: Called(e, time.Time{}), Names: e.Names, Answer: e.Answer, UserID: e.Spelling, Position: e.Position, CorpName: e.CorpName, Status: e.Status}
	if !e.CheckedAt.IsZero() {
		d.AskedAt = &e.CheckedAt
	}
	return d
}

// Titled is how a conversation is called at a time: a room by its name, a pair by
// those of the two.
type Titled struct {
	Naming
	Participants []Participant `json:"participants,omitempty" doc:"Of a pair: the two, or the one who writes to themself"`
}

// Titles finds how conversations are called: at is for each, zero is now.
func (s *People) Titles(ctx context.Context, conversations []string, at func(i int) time.Time) ([]Titled, error) {
	var people, rooms []string
	for _, c := range conversations {
		for _, p := range chat.PairOf(c) {
			people = append(people, p.ID)
		}
		if room, ok := chat.RoomOf(c); ok {
			rooms = append(rooms, room)
		}
	}
	n, err := s.NamesOf(ctx, people, rooms)
	if err != nil {
		return nil, err
	}
	all := make([]Titled, len(conversations))
	for i, c := range conversations {
		all[i] = n.Title(c, at(i))
	}
	return all, nil
}

// Title is how a conversation is called at a time; zero is now.
func (n Names) Title(conversation string, at time.Time) Titled {
	if room, ok := chat.RoomOf(conversation); ok {
		return Titled{Naming: Called(n.Rooms[room], at)}
	}
	pair := chat.PairOf(conversation)
	if pair == nil {
		return Titled{Naming: Naming{IDOnly: true}}
	}
	t := Titled{}
	var then, now []string
	for _, who := range pair {
		p := Participant{ID: who.ID, Kind: string(who.Kind), Naming: Called(n.People[who.ID], at)}
		t.Participants = append(t.Participants, p)
		t.IDOnly = t.IDOnly || p.IDOnly
		shown := OrID(p.Name, who.ID)
		then = append(then, shown)
		now = append(now, OrID(p.NameNow, shown))
	}
	t.Name = strings.Join(then, " · ")
	if current := strings.Join(now, " · "); current != t.Name {
		t.NameNow = current
	}
	return t
}

// OrID is a name, or the id where there is none.
func OrID(name, id string) string {
	if name == "" {
		return id
	}
	return name
}

// endOfDay is the last moment of a UTC day: names are those that the day ended with.
func endOfDay(day string) time.Time {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return time.Time{}
	}
	return t.Add(24*time.Hour - time.Millisecond)
}

// nameMessages says in messages how sender and room were called when they were sent,
// and returns the same of everybody who takes part, at the time of their first message
// here.
func (s *People) nameMessages(ctx context.Context, messages []Message) ([]Participant, error) {
	var people, rooms []string
	first := map[string]time.Time{}
	for i := range messages {
		m := &messages[i]
		for _, id := range append([]string{m.From}, m.To...) {
			if id == "" {
				continue
			}
			if _, ok := first[id]; !ok {
				first[id] = m.at
				people = append(people, id)
			}
		}
		if m.Room != "" && !slices.Contains(rooms, m.Room) {
			rooms = append(rooms, m.Room)
		}
	}
	n, err := s.NamesOf(ctx, people, rooms)
	if err != nil {
		return nil, err
	}
	for i := range messages {
		m := &messages[i]
		if m.From != "" {
			from := Called(n.People[m.From], m.at)
			m.FromName, m.FromNameNow, m.FromIDOnly = from.Name, from.NameNow, from.IDOnly
		}
		if m.Room != "" {
			room := Called(n.Rooms[m.Room], m.at)
			m.RoomName, m.RoomNameNow = room.Name, room.NameNow
		}
	}
	slices.Sort(people)
	shown := make([]Participant, 0, len(people))
	for _, id := range people {
		shown = append(shown, Participant{ID: id, Kind: string(chat.ParticipantOf(id).Kind), Naming: Called(n.People[id], first[id])})
	}
	return shown, nil
}
