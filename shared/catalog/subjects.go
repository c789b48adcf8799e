package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// asked is the value of an item of people# and rooms#.
type asked struct {
	At     time.Time      `json:"at,omitzero"`
	Answer archive.Answer `json:"answer,omitempty"`
}

// Subject is an id that occurs in the archive, and when it was last asked for.
type Subject struct {
	ID      string
	Room    bool
	AskedAt time.Time // zero: never
	Answer  archive.Answer
}

// Subjects are all people and rooms that occur in the archive, in no order that
// matters. What appears meanwhile may be missing. The first error ends the sequence.
func (c *People) Subjects(ctx context.Context) iter.Seq2[Subject, error] {
	return func(yield func(Subject, error) bool) {
		for _, room := range []bool{false, true} {
			for shard := range peopleShards {
				for s, err := range c.askable(ctx, seenPartition(room, shard)) {
					if s.Room = room; !yield(s, err) || err != nil {
						return
					}
				}
			}
		}
	}
}

// ConsentSubjects are all conversations, by their ids, in which people outside take
// part whom WeCom can be asked about. The first error ends the sequence.
func (c *Consents) ConsentSubjects(ctx context.Context) iter.Seq2[Subject, error] {
	return func(yield func(Subject, error) bool) {
		for shard := range consentShards {
			for s, err := range (&People{c.table}).askable(ctx, partitionConsents+strconv.Itoa(shard)) {
				if !yield(s, err) || err != nil {
					return
				}
			}
		}
	}
}

// askable yields the ids of a partition whose values say when WeCom was asked.
func (c *People) askable(ctx context.Context, partition string) iter.Seq2[Subject, error] {
	return func(yield func(Subject, error) bool) {
		for item, err := range c.table.Walk(ctx, partition) {
			var a asked
			if err == nil {
				if err = json.Unmarshal(item.Value, &a); err != nil {
					err = fmt.Errorf("%w: %w", store.ErrIndexDamaged, err)
				}
			}
			if err != nil {
				yield(Subject{}, fmt.Errorf("listing whom to ask for: %w", err))
				return
			}
			if !yield(Subject{ID: item.Sort, AskedAt: a.At, Answer: a.Answer}, nil) {
				return
			}
		}
	}
}

func seenPartition(room bool, shard int) string {
	if room {
		return partitionRooms + strconv.Itoa(shard)
	}
	return partitionPeople + strconv.Itoa(shard)
}

// Rooms returns at most limit ids of rooms that occur in the archive, in order,
// greater than after.
func (c *People) Rooms(ctx context.Context, after string, limit int) ([]string, error) {
	ids, err := c.table.Sharded(ctx, peopleShards, func(shard int) string { return seenPartition(true, shard) }, after, "", limit)
	if err != nil {
		return nil, fmt.Errorf("listing rooms: %w", err)
	}
	return ids, nil
}
