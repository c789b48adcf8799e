package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"wecom-archive/shared/store"
)

// Who talked where, and when. All of it is presence: an item is there or not, its
// value says nothing about that. So it does not matter in which order, how often, or by how
// many at once it is written, and what is there already need not be written again.
//
//	day#<day>#<shard>      / <conversation>      a message on that day
//	conversation#<id>      / a#<day>             the same, by conversation
//	person#<id>            / d#<day>#<conversation>   the same, by person; not of rooms
//	person#<id>            / r#<conversation>    was seen in that room
//	conversation#<room>    / g#<digest>          this set of members is noted
//	people#<shard>         / <id>                was seen at all
//	rooms#<shard>          / <roomid>            the same, of rooms
//	person#<id>            / s#<day>             wrote on that day; of employees
//	consents#<shard>       / <conversation>      people outside take part (see consent.go)
//
// A message in a room of 500 names them all. Its set of members is noted once, not
// with each message, and the day that the room was last active stands at the room,
// not at each of them.

// Partitions.
const (
	partitionPerson = "person#" // + id
	partitionPeople = "people#" // + shard
)

// Shards spread what would be one partition. Each costs a list of them a request; who
// is seen at all is written once, so that one partition takes it.
const (
	dayShards    = 8
	peopleShards = 1
)

// What ids of conversations begin with (docs/format.md): rooms, and two who talk.
const (
	roomPrefix = "room:"
	pairPrefix = "pair:"
)

// senderEmployee is Reading.SenderKind of the company's own people.
const senderEmployee = "employee"

// People are the ids that a reading names, each once, in byte order: sender and
// receivers.
func (r Reading) People() []string {
	people := slices.DeleteFunc(append([]string{r.FromID}, r.ToIDs...), func(id string) bool {
		return id == "" || len(id) > maxPersonID
	})
	slices.Sort(people)
	return slices.Compact(people)
}

// maxPersonID leaves room for what the index puts before an id. WeCom's have at
// most 64 bytes; whoever has a longer one is found by conversation only.
const maxPersonID = 256 // bytes

// noteActivity notes who talked where according to readings.
func (c *Catalog) noteActivity(ctx context.Context, readings []Reading) error {
	seen := presence{}
	rooms := map[itemKey]presence{} // memberships by their digest
	for _, r := range readings {
		people := r.People()
		seen.addDay(r, people)
		if !strings.HasPrefix(r.Conversation, roomPrefix) {
			continue
		}
		digest := itemKey{partitionConv + r.Conversation, "g#" + digestOf(people)}
		if rooms[digest] == nil {
			rooms[digest] = presence{}
			for _, id := range people {
				rooms[digest].add(partitionPerson+id, "r#"+r.Conversation)
			}
		}
	}
	if err := c.putMissing(ctx, seen); err != nil {
		return fmt.Errorf("noting activity: %w", err)
	}
	digests := presence{}
	for digest := range rooms {
		digests[digest] = struct{}{}
	}
	unknown, err := c.missing(ctx, digests)
	if err != nil {
		return fmt.Errorf("noting members of rooms: %w", err)
	}
	members := presence{}
	for _, digest := range unknown {
		for item := range rooms[keyOf(digest)] {
			members[item] = struct{}{}
		}
	}
	if err := c.putMissing(ctx, members); err != nil {
		return fmt.Errorf("noting members of rooms: %w", err)
	}
	// Last: it says that the members are noted.
	if err := c.index.Put(ctx, unknown...); err != nil {
		return fmt.Errorf("noting members of rooms: %w", err)
	}
	return nil
}

func digestOf(people []string) string {
	sum := sha256.Sum256([]byte(strings.Join(people, "\n")))
	return hex.EncodeToString(sum[:16])
}

// itemKey names an item.
type itemKey struct{ partition, sort string }

func keyOf(i store.Item) itemKey { return itemKey{i.Partition, i.Sort} }

// presence is a set of items without content.
type presence map[itemKey]struct{}

func (p presence) add(partition, sort string) { p[itemKey{partition, sort}] = struct{}{} }

// addDay adds what a message means for its day.
func (p presence) addDay(r Reading, people []string) {
	day := Day(r.MsgTime)
	p.add(dayPartition(day, r.Conversation), r.Conversation)
	p.add(partitionConv+r.Conversation, "a#"+day)
	p.addConsent(r)
	if r.SenderKind == senderEmployee && r.FromID != "" && len(r.FromID) <= maxPersonID {
		p.add(partitionPerson+r.FromID, "s#"+day)
	}
	if room, ok := strings.CutPrefix(r.Conversation, roomPrefix); ok && len(room) <= maxPersonID {
		p.add(seenPartition(true, int(shardOf(room, peopleShards))), room)
	}
	for _, id := range people {
		p.add(partitionPeople+fmt.Sprint(shardOf(id, peopleShards)), id)
		if !strings.HasPrefix(r.Conversation, roomPrefix) {
			p.add(partitionPerson+id, "d#"+day+"#"+r.Conversation)
		}
	}
}

func (p presence) items() []store.Item {
	items := make([]store.Item, 0, len(p))
	for k := range p {
		items = append(items, store.Item{Partition: k.partition, Sort: k.sort, Value: []byte("{}")})
	}
	return items
}

// missing are the items of a set that the index does not have.
func (c *Catalog) missing(ctx context.Context, p presence) ([]store.Item, error) {
	if len(p) == 0 {
		return nil, nil
	}
	items := p.items()
	found, err := c.index.GetMany(ctx, items...)
	if err != nil {
		return nil, err
	}
	known := presence{}
	for _, item := range found {
		known[keyOf(item)] = struct{}{}
	}
	return slices.DeleteFunc(items, func(item store.Item) bool { _, ok := known[keyOf(item)]; return ok }), nil
}

// putMissing writes the items of a set that are not there: reading is cheaper than
// writing.
func (c *Catalog) putMissing(ctx context.Context, p presence) error {
	missing, err := c.missing(ctx, p)
	if err != nil || len(missing) == 0 {
		return err
	}
	return c.index.Put(ctx, missing...)
}

// PutActive notes what messages with these readings mean for their days.
func (c *Catalog) PutActive(ctx context.Context, readings ...Reading) error {
	return c.noteActivity(ctx, readings)
}

// RemoveActive takes conversations that have no message on a day any more off the
// lists of that day: its own, and those of the people that the readings name. It
// says whether any was on them. Who was seen, and in which rooms, stays.
func (c *Catalog) RemoveActive(ctx context.Context, readings ...Reading) (removed bool, err error) {
	gone := presence{}
	for _, r := range readings {
		gone.addDay(r, r.People())
	}
	for k := range gone {
		if !strings.HasPrefix(k.partition, partitionDay) && !strings.HasPrefix(k.sort, "a#") && !strings.HasPrefix(k.sort, "d#") {
			delete(gone, k)
		}
	}
	found, err := c.index.GetMany(ctx, gone.items()...)
	if err == nil && len(found) > 0 {
		err = c.index.Delete(ctx, found...)
	}
	if err != nil {
		return false, fmt.Errorf("removing conversations from the lists of a day: %w", err)
	}
	return len(found) > 0, nil
}

func shardOf(id string, shards uint32) uint32 {
	h := fnv.New32a()
	h.Write([]byte(id))
	return h.Sum32() % shards
}

func dayPartition(day, conversation string) string {
	return dayShard(day, int(shardOf(conversation, dayShards)))
}

func dayShard(day string, shard int) string { return fmt.Sprintf("%s%s#%d", partitionDay, day, shard) }
