package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// What the index knows of names. It is made from the parts below directory/ alone,
// in any order:
//
//	name#<kind>#<id>   / entry      DirectoryEntry
//	called#<kind>      / …          see calledindex.go
//	people#<shard>     / <id>       its value says when it was last asked for
//	rooms#<shard>      / <roomid>   likewise
//	seats              / <id>       Seat
//	directory          / state      how far the stage is
//
// Kinds are "person" and "room". An id says what sort of person it is, but an id may
// be read otherwise one day; so the kind is not finer.
const (
	partitionName      = "name#"  // + kind + "#" + id
	partitionRooms     = "rooms#" // + shard
	partitionSeats     = "seats"
	partitionDirectory = "directory"
	sortEntry          = "entry"
)

// maxNames bounds the names that the index keeps of one id: the newest.
const maxNames = 200

// DirectoryEntry is what is known of a person or a room.
type DirectoryEntry struct {
	Kind      string         `json:"kind"` // Subject…
	ID        string         `json:"id"`
	Names     []NamePeriod   `json:"names,omitempty"` // in order of time; the last is the name now
	Answer    archive.Answer `json:"answer"`          // to the last question
	CheckedAt time.Time      `json:"checked_at"`      // when that was
	Object    string         `json:"object"`          // part that holds the last record: members, followers, tags

	Spelling  string `json:"spelling,omitempty"`
	Position  string `json:"position,omitempty"`
	Status    int    `json:"status,omitempty"`
	Type      int    `json:"type,omitempty"`
	CorpName  string `json:"corp_name,omitempty"`
	Customers bool   `json:"customers,omitempty"`
	Owner     string `json:"owner,omitempty"`
}

// NamePeriod is a name and the first and last time that WeCom was seen to say it.
type NamePeriod struct {
	Name string    `json:"name"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Now is the name that was seen last; empty if none ever was.
func (e DirectoryEntry) Now() string {
	if len(e.Names) == 0 {
		return ""
	}
	return e.Names[len(e.Names)-1].Name
}

// At is the name at a time: the one that was last seen by then, or, before that, the
// first that was seen.
func (e DirectoryEntry) At(t time.Time) string {
	for _, n := range slices.Backward(e.Names) {
		if !n.From.After(t) {
			return n.Name
		}
	}
	if len(e.Names) == 0 {
		return ""
	}
	return e.Names[0].Name
}

// observe adds that WeCom said a name at a time. The order of calls does not matter
// but where a run asked in the midst of another's.
func (e *DirectoryEntry) observe(name string, at time.Time) {
	i := len(e.Names)
	for i > 0 && e.Names[i-1].From.After(at) {
		i--
	}
	// The periods before i began by then, the others later.
	if i > 0 {
		before := &e.Names[i-1]
		switch {
		case before.Name == name:
			before.To = archive.Latest(before.To, at)
			e.join(i - 1)
			return
		case before.From.Equal(at):
			return // two answers in one millisecond: the first counts
		case before.To.After(at):
			// It was called otherwise before and after.
			after := NamePeriod{before.Name, before.To, before.To}
			before.To = before.From
			e.Names = slices.Insert(e.Names, i, NamePeriod{name, at, at}, after)
			return
		}
	}
	if i < len(e.Names) && e.Names[i].Name == name {
		e.Names[i].From = at
		return
	}
	e.Names = slices.Insert(e.Names, i, NamePeriod{name, at, at})
	if len(e.Names) > maxNames {
		e.Names = slices.Delete(e.Names, 0, len(e.Names)-maxNames)
	}
}

// join makes one of two periods of the same name that follow each other.
func (e *DirectoryEntry) join(i int) {
	if i+1 < len(e.Names) && e.Names[i+1].Name == e.Names[i].Name {
		e.Names[i].To = archive.Latest(e.Names[i].To, e.Names[i+1].To)
		e.Names = slices.Delete(e.Names, i+1, i+2)
	}
}

// add adds a record.
func (e *DirectoryEntry) add(r archive.DirectoryRecord, object string) {
	if r.Answer == archive.Named && r.Name != "" {
		e.observe(r.Name, r.At)
	}
	if r.At.Before(e.CheckedAt) {
		return
	}
	e.Kind, e.ID, e.Answer, e.CheckedAt, e.Object = r.Kind, r.ID, r.Answer, r.At, object
	if r.Answer == archive.Named {
		e.Spelling, e.Position, e.Status = r.Spelling, r.Position, r.Status
		e.Type, e.CorpName, e.Owner = r.Type, r.CorpName, r.Owner
	}
	if r.Answer == archive.Named || r.Answer == archive.NoApp {
		e.Customers = r.Customers
	}
}

// subjectPartition is where the entry of an id lies.
func subjectPartition(kind, id string) string {
	if kind != archive.SubjectRoom {
		kind = "person"
	}
	return partitionName + kind + "#" + id
}

// entriesAtOnce is how many entries are read or written at a time.
const entriesAtOnce = 100

// PersonEntries returns what is known of people, by id; who was never asked for is
// not in it. RoomEntries is the same for rooms.
func (c *People) PersonEntries(ctx context.Context, ids ...string) (map[string]DirectoryEntry, error) {
	return c.entries(ctx, archive.SubjectExternal, ids)
}

// RoomEntries: see PersonEntries.
func (c *People) RoomEntries(ctx context.Context, ids ...string) (map[string]DirectoryEntry, error) {
	return c.entries(ctx, archive.SubjectRoom, ids)
}

func (c *People) entries(ctx context.Context, kind string, ids []string) (map[string]DirectoryEntry, error) {
	g := newGathering()
	found := g.entries(kind, ids)
	if err := g.Read(ctx, c.table); err != nil {
		return nil, fmt.Errorf("reading names from the index: %w", err)
	}
	return found, nil
}

// ApplyDirectoryPart puts into the index what a stored part says. Again, or in
// another order, changes nothing. Two at once may lose what one of them says, until
// it is applied again: the stage holds a lease.
func (c *People) ApplyDirectoryPart(ctx context.Context, key string, p archive.DirectoryPart) error {
	for chunk := range slices.Chunk(p.Records, entriesAtOnce) {
		if err := c.applyRecords(ctx, key, chunk); err != nil {
			return fmt.Errorf("indexing %s: %w", key, err)
		}
	}
	for _, r := range p.Records {
		if r.Kind != archive.SubjectSeats {
			continue
		}
		if err := c.applySeats(ctx, r); err != nil {
			return fmt.Errorf("indexing the seats of %s: %w", key, err)
		}
	}
	if err := (&Consents{c.table}).applyConsents(ctx, p.Records); err != nil {
		return fmt.Errorf("indexing the consents of %s: %w", key, err)
	}
	return nil
}

// named says whether a record is of a person or a room.
func named(r archive.DirectoryRecord) bool {
	return r.Kind != archive.SubjectSeats && r.Kind != archive.SubjectConsent && r.ID != "" && len(r.ID) <= archive.MaxPersonID
}

func (c *People) applyRecords(ctx context.Context, key string, records []archive.DirectoryRecord) error {
	var people, rooms []string
	for _, r := range records {
		switch {
		case !named(r):
		case r.Kind == archive.SubjectRoom:
			rooms = append(rooms, r.ID)
		default:
			people = append(people, r.ID)
		}
	}
	known, err := c.PersonEntries(ctx, people...)
	if err != nil {
		return err
	}
	knownRooms, err := c.RoomEntries(ctx, rooms...)
	if err != nil {
		return err
	}
	var items, called []store.Item
	for _, r := range records {
		known, room := known, r.Kind == archive.SubjectRoom
		if room {
			known = knownRooms
		}
		if !named(r) {
			continue
		}
		e := known[r.ID]
		if r.Answer == archive.Named && !slices.ContainsFunc(e.Names, func(n NamePeriod) bool { return n.Name == r.Name }) {
			more, err := calledItems(room, r.ID, r.Name)
			if err != nil {
				return err
			}
			called = append(called, more...)
		}
		e.add(r, key)
		known[r.ID] = e
	}
	slices.SortFunc(called, func(a, b store.Item) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Sort, b.Sort))
	})
	called = slices.CompactFunc(called, func(a, b store.Item) bool { return table.KeyOf(a) == table.KeyOf(b) })
	// First: an entry says that its names are noted.
	if err := c.table.Put(ctx, called...); err != nil {
		return err
	}
	for _, all := range []map[string]DirectoryEntry{known, knownRooms} {
		for id, e := range all {
			room := e.Kind == archive.SubjectRoom
			entry, err := table.NewItem(subjectPartition(e.Kind, id), sortEntry, e)
			if err != nil {
				return err
			}
			seen, err := table.NewItem(seenPartition(room, int(shardOf(id, peopleShards))), id, asked{e.CheckedAt, e.Answer})
			if err != nil {
				return err
			}
			items = append(items, entry, seen)
		}
	}
	return c.table.Put(ctx, items...)
}

// DirectoryState is how far the directory stage is.
type DirectoryState struct {
	Applied  string    `json:"applied,omitempty"`   // last part that is in the index
	SeatsAt  time.Time `json:"seats_at,omitzero"`   // when WeCom last listed the seats
	DailyAt  time.Time `json:"daily_at,omitzero"`   // when a daily run last came to its end
	BatchDay string    `json:"batch_day,omitempty"` // day whose share of customers was asked for

	AppRefusedAt time.Time `json:"app_refused_at,omitzero"` // when WeCom did not accept the app's secret; zero: it did
}

// DirectoryState reads it.
func (c *People) DirectoryState(ctx context.Context) (s DirectoryState, err error) {
	_, err = c.table.Read(ctx, partitionDirectory, "state", &s)
	return s, err
}

// UpdateDirectoryState changes it.
func (c *People) UpdateDirectoryState(ctx context.Context, change func(*DirectoryState)) error {
	return table.Change(ctx, c.table, partitionDirectory, "state", func(s DirectoryState, _ bool) (DirectoryState, bool) {
		before := s
		change(&s)
		return s, s != before
	})
}

// NoteDirectoryPart says that a part, and all before it, are in the index.
func (c *People) NoteDirectoryPart(ctx context.Context, key string) error {
	return c.UpdateDirectoryState(ctx, func(s *DirectoryState) { s.Applied = max(s.Applied, key) })
}
