package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strings"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/chat"
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

// PutActive notes who talked where and when according to readings: the days of their
// conversations, and of the people in them.
func (c *Conversations) PutActive(ctx context.Context, readings ...archive.Reading) error {
	seen := table.Set{}
	rooms := map[table.Key]table.Set{} // memberships by their digest
	for _, r := range readings {
		people := r.People()
		addDay(seen, r, people)
		if !strings.HasPrefix(r.Conversation, chat.RoomPrefix) {
			continue
		}
		digest := table.Key{Partition: partitionConv + r.Conversation, Sort: "g#" + digestOf(people)}
		if rooms[digest] == nil {
			rooms[digest] = table.Set{}
			for _, id := range people {
				rooms[digest].Add(partitionPerson+id, "r#"+r.Conversation)
			}
		}
	}
	if err := c.table.PutMissing(ctx, seen); err != nil {
		return fmt.Errorf("noting activity: %w", err)
	}
	digests := table.Set{}
	for digest := range rooms {
		digests[digest] = struct{}{}
	}
	unknown, err := c.table.Missing(ctx, digests)
	if err != nil {
		return fmt.Errorf("noting members of rooms: %w", err)
	}
	members := table.Set{}
	for _, digest := range unknown {
		for item := range rooms[table.KeyOf(digest)] {
			members[item] = struct{}{}
		}
	}
	if err := c.table.PutMissing(ctx, members); err != nil {
		return fmt.Errorf("noting members of rooms: %w", err)
	}
	// Last: it says that the members are noted.
	if err := c.table.Put(ctx, unknown...); err != nil {
		return fmt.Errorf("noting members of rooms: %w", err)
	}
	return nil
}

func digestOf(people []string) string {
	sum := sha256.Sum256([]byte(strings.Join(people, "\n")))
	return hex.EncodeToString(sum[:16])
}

// addDay adds what a message means for its day.
func addDay(p table.Set, r archive.Reading, people []string) {
	day := archive.Day(r.MsgTime)
	p.Add(dayPartition(day, r.Conversation), r.Conversation)
	p.Add(partitionConv+r.Conversation, "a#"+day)
	addConsent(p, r)
	if r.SenderKind == string(chat.Employee) && r.FromID != "" && len(r.FromID) <= archive.MaxPersonID {
		p.Add(partitionPerson+r.FromID, "s#"+day)
	}
	if room, ok := strings.CutPrefix(r.Conversation, chat.RoomPrefix); ok && len(room) <= archive.MaxPersonID {
		p.Add(seenPartition(true, int(shardOf(room, peopleShards))), room)
	}
	for _, id := range people {
		p.Add(partitionPeople+fmt.Sprint(shardOf(id, peopleShards)), id)
		if !strings.HasPrefix(r.Conversation, chat.RoomPrefix) {
			p.Add(partitionPerson+id, "d#"+day+"#"+r.Conversation)
		}
	}
}

// RemoveActive takes conversations that have no message on a day any more off the
// lists of that day: its own, and those of the people that the readings name. It
// says whether any was on them. Who was seen, and in which rooms, stays.
func (c *Conversations) RemoveActive(ctx context.Context, readings ...archive.Reading) (removed bool, err error) {
	gone := table.Set{}
	for _, r := range readings {
		addDay(gone, r, r.People())
	}
	for k := range gone {
		if !strings.HasPrefix(k.Partition, partitionDay) && !strings.HasPrefix(k.Sort, "a#") && !strings.HasPrefix(k.Sort, "d#") {
			delete(gone, k)
		}
	}
	found, err := c.table.GetMany(ctx, gone.Items()...)
	if err == nil && len(found) > 0 {
		err = c.table.Delete(ctx, found...)
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
