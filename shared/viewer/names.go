package viewer

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

// naming is how a person or a room is called in an answer.
type naming struct {
	Name    string `json:"name,omitempty" example:"李娜" doc:"What WeCom called it on that day; before it was first asked for, what it was called then. Hostile input: never take it for markup"`
	NameNow string `json:"name_now,omitempty" doc:"The name that was seen last, if it is another"`
	IDOnly  bool   `json:"id_only,omitempty" doc:"true: no name is known, only the id"`
}

// participant is one of two who talk.
type participant struct {
	ID   string `json:"id" example:"li.na"`
	Kind string `json:"kind" example:"employee" doc:"employee, external or robot"`
	naming
}

// directoryName is a person or room and the names it had.
type directoryName struct {
	naming
	Names    []catalog.NamePeriod `json:"names,omitempty" doc:"Each name, with the first and the last time that WeCom was seen to say it"`
	Answer   archive.Answer       `json:"answer,omitempty" example:"named" doc:"named; unknown: WeCom does not know the id (any more); hidden: the app may not see it; no_app: only the company's own app could, and its secret is missing. Absent: not asked yet"`
	AskedAt  *time.Time           `json:"asked_at,omitempty" doc:"When WeCom was asked last"`
	UserID   string               `json:"userid,omitempty" doc:"An employee's, in WeCom's spelling"`
	Position string               `json:"position,omitempty"`
	CorpName string               `json:"corp_name,omitempty" doc:"Company of a customer"`
	Status   int                  `json:"status,omitempty" doc:"Of an employee: 1 active, 2 disabled, 4 not activated, 5 left"`
}

// names finds how people and rooms were called.
type names struct {
	people, rooms map[string]catalog.DirectoryEntry
}

// namesOf reads the names of people and rooms from the index. What a page has read
// once it does not read again: who has no name is in its memory, too.
func (s *People) namesOf(ctx context.Context, people, rooms []string) (n names, err error) {
	memory, ok := ctx.Value(namesKey{}).(*names)
	if !ok {
		memory = &names{}
	}
	if err = remember(ctx, &memory.people, people, s.Catalog.People.PersonEntries); err == nil {
		err = remember(ctx, &memory.rooms, rooms, s.Catalog.People.RoomEntries)
	}
	return *memory, err
}

// learn remembers what was read of people and rooms: of some perhaps nothing.
func (n *names) learn(people []string, ofPeople map[string]catalog.DirectoryEntry, rooms []string, ofRooms map[string]catalog.DirectoryEntry) {
	add := func(known *map[string]catalog.DirectoryEntry, ids []string, found map[string]catalog.DirectoryEntry) {
		if *known == nil {
			*known = map[string]catalog.DirectoryEntry{}
		}
		for _, id := range ids {
			(*known)[id] = found[id]
		}
	}
	add(&n.people, people, ofPeople)
	add(&n.rooms, rooms, ofRooms)
}

// namesBeside are the names that stand beside messages.
func namesBeside(a catalog.Asides) names { return names{a.People, a.Rooms} }

// Remembering has what is shown in a context read each name once.
func Remembering(ctx context.Context) context.Context {
	return context.WithValue(ctx, namesKey{}, &names{})
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

// called is an entry's name at a time; at zero: now.
func called(e catalog.DirectoryEntry, at time.Time) naming {
	now := e.Now()
	n := naming{Name: now, IDOnly: now == ""}
	if !at.IsZero() {
		n.Name = e.At(at)
	}
	if n.Name != now {
		n.NameNow = now
	}
	return n
}

// detailed is all that a list shows of an entry.
func detailed(e catalog.DirectoryEntry) directoryName {
	d := directoryName{naming: called(e, time.Time{}), Names: e.Names, Answer: e.Answer, UserID: e.Spelling, Position: e.Position, CorpName: e.CorpName, Status: e.Status}
	if !e.CheckedAt.IsZero() {
		d.AskedAt = &e.CheckedAt
	}
	return d
}

// titled is how a conversation is called at a time: a room by its name, a pair by
// those of the two.
type titled struct {
	naming
	Participants []participant `json:"participants,omitempty" doc:"Of a pair: the two, or the one who writes to themself"`
}

// titles finds how conversations are called: at is for each, zero is now.
func (s *People) titles(ctx context.Context, conversations []string, at func(i int) time.Time) ([]titled, error) {
	var people, rooms []string
	for _, c := range conversations {
		for _, p := range chat.PairOf(c) {
			people = append(people, p.ID)
		}
		if room, ok := chat.RoomOf(c); ok {
			rooms = append(rooms, room)
		}
	}
	n, err := s.namesOf(ctx, people, rooms)
	if err != nil {
		return nil, err
	}
	all := make([]titled, len(conversations))
	for i, c := range conversations {
		all[i] = n.title(c, at(i))
	}
	return all, nil
}

func (n names) title(conversation string, at time.Time) titled {
	if room, ok := chat.RoomOf(conversation); ok {
		return titled{naming: called(n.rooms[room], at)}
	}
	pair := chat.PairOf(conversation)
	if pair == nil {
		return titled{naming: naming{IDOnly: true}}
	}
	t := titled{}
	var then, now []string
	for _, who := range pair {
		p := participant{ID: who.ID, Kind: string(who.Kind), naming: called(n.people[who.ID], at)}
		t.Participants = append(t.Participants, p)
		t.IDOnly = t.IDOnly || p.IDOnly
		shown := orID(p.Name, who.ID)
		then = append(then, shown)
		now = append(now, orID(p.NameNow, shown))
	}
	t.Name = strings.Join(then, " · ")
	if current := strings.Join(now, " · "); current != t.Name {
		t.NameNow = current
	}
	return t
}

func orID(name, id string) string {
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
func (s *People) nameMessages(ctx context.Context, messages []message) ([]participant, error) {
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
	n, err := s.namesOf(ctx, people, rooms)
	if err != nil {
		return nil, err
	}
	for i := range messages {
		m := &messages[i]
		if m.From != "" {
			from := called(n.people[m.From], m.at)
			m.FromName, m.FromNameNow, m.FromIDOnly = from.Name, from.NameNow, from.IDOnly
		}
		if m.Room != "" {
			room := called(n.rooms[m.Room], m.at)
			m.RoomName, m.RoomNameNow = room.Name, room.NameNow
		}
	}
	slices.Sort(people)
	shown := make([]participant, 0, len(people))
	for _, id := range people {
		shown = append(shown, participant{ID: id, Kind: string(chat.ParticipantOf(id).Kind), naming: called(n.people[id], first[id])})
	}
	return shown, nil
}
