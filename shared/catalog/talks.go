package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// ActiveConversations returns at most limit ids of conversations with a message
// on that UTC day (2026-11-23), in order, greater than after.
func (c *Conversations) ActiveConversations(ctx context.Context, day, after string, limit int) ([]string, error) {
	ids, err := c.table.Sharded(ctx, dayShards, func(shard int) string { return dayShard(day, shard) }, after, "", limit)
	if err != nil {
		return nil, fmt.Errorf("listing the conversations of %s: %w", day, err)
	}
	return ids, nil
}

// People returns at most limit ids of people who were seen and whose ids begin
// with prefix, in order, greater than after.
func (c *People) Seen(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	ids, err := c.table.Sharded(ctx, peopleShards, func(shard int) string { return partitionPeople + fmt.Sprint(shard) }, after, prefix, limit)
	if err != nil {
		return nil, fmt.Errorf("listing people: %w", err)
	}
	return ids, nil
}

// Knows says whether somebody was seen in the archive, or WeCom was asked for them.
func (c *People) Knows(ctx context.Context, person string) (bool, error) {
	seen, err := c.Seen(ctx, person, "", 1)
	if err != nil || len(seen) == 1 && seen[0] == person {
		return err == nil, err
	}
	entries, err := c.PersonEntries(ctx, person)
	return len(entries) > 0, err
}

// Talk is a conversation, and the last UTC day on which it had a message.
type Talk struct {
	Day          string // 2026-11-23
	Conversation string
}

// compare orders talks as they are listed: the last active first.
func (t Talk) compare(u Talk) int {
	return cmp.Or(cmp.Compare(u.Day, t.Day), cmp.Compare(u.Conversation, t.Conversation))
}

// lastLookups is how many conversations are asked for their last day at a time.
const lastLookups = 16

// Talks returns at most limit conversations that a person took part in, the last
// active first; with after, only what comes after it in that order. A conversation
// that is active again meanwhile moves to the front; none of the others is skipped
// or comes twice.
func (c *People) Talks(ctx context.Context, person string, after *Talk, limit int) ([]Talk, error) {
	if limit < 1 {
		return nil, fmt.Errorf("listing the conversations of a person: limit %d is not at least 1", limit)
	}
	talks, err := c.roomTalks(ctx, person, after)
	if err == nil {
		talks, err = c.addPairTalks(ctx, person, after, limit, talks)
	}
	if err != nil {
		return nil, fmt.Errorf("listing the conversations of a person: %w", err)
	}
	slices.SortFunc(talks, Talk.compare)
	return talks[:min(limit, len(talks))], nil
}

// roomTalks are the rooms in which a person was seen.
func (c *People) roomTalks(ctx context.Context, person string, after *Talk) ([]Talk, error) {
	rooms, err := c.roomsOf(ctx, person)
	if err != nil {
		return nil, err
	}
	days, err := c.lastDays(ctx, rooms)
	if err != nil {
		return nil, err
	}
	var talks []Talk
	for i, room := range rooms {
		if t := (Talk{days[i], room}); t.Day != "" && (after == nil || after.compare(t) < 0) {
			talks = append(talks, t)
		}
	}
	return talks, nil
}

// roomsOf are the conversations of rooms in which a person was seen.
func (c *People) roomsOf(ctx context.Context, person string) (rooms []string, err error) {
	q := store.IndexQuery{Partition: partitionPerson + person, From: "r#", To: "r$", Limit: 1000}
	for {
		items, err := c.table.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			rooms = append(rooms, strings.TrimPrefix(item.Sort, "r#"))
		}
		if len(items) < q.Limit {
			return rooms, nil
		}
		q.From = items[len(items)-1].Sort + "\x00"
	}
}

// addPairTalks adds the conversations outside of rooms, until no later one can be
// among the first limit.
func (c *People) addPairTalks(ctx context.Context, person string, after *Talk, limit int, talks []Talk) ([]Talk, error) {
	q := store.IndexQuery{Partition: partitionPerson + person, From: "d#", To: "d$", Descending: true, Limit: 500}
	if after != nil {
		q.To = "d#" + after.Day + "#" + after.Conversation
	}
	known := map[string]string{} // last days
	for pairs := 0; ; {
		items, err := c.table.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		found := make([]Talk, 0, len(items))
		var ask []string
		for _, item := range items {
			day, conversation, _ := strings.Cut(strings.TrimPrefix(item.Sort, "d#"), "#")
			found = append(found, Talk{day, conversation})
			if _, ok := known[conversation]; !ok {
				known[conversation] = ""
				ask = append(ask, conversation)
			}
		}
		if after == nil {
			// From the newest on, where one first comes is its last day.
			for _, t := range found {
				known[t.Conversation] = max(known[t.Conversation], t.Day)
			}
		} else {
			days, err := c.lastDays(ctx, ask)
			if err != nil {
				return nil, err
			}
			for i, conversation := range ask {
				known[conversation] = days[i]
			}
			if err := c.ownDays(ctx, person, found, known); err != nil {
				return nil, err
			}
		}
		for _, t := range found {
			if known[t.Conversation] == t.Day { // else it stands further in front
				talks = append(talks, t)
				pairs++
			}
		}
		if len(items) < q.Limit || pairs >= limit {
			return talks, nil
		}
		q.To = items[len(items)-1].Sort
	}
}

// ownDays: on the last day of a conversation this person need not have been in it,
// where somebody has a userid of before (Alias). Then the day that was found counts.
func (c *People) ownDays(ctx context.Context, person string, found []Talk, last map[string]string) error {
	p := table.Set{}
	for _, t := range found {
		if last[t.Conversation] != t.Day {
			p.Add(partitionPerson+person, "d#"+last[t.Conversation]+"#"+t.Conversation)
		}
	}
	missing, err := c.table.Missing(ctx, p)
	if err != nil {
		return err
	}
	own := map[string]string{}
	for _, t := range found {
		own[t.Conversation] = max(own[t.Conversation], t.Day)
	}
	for _, item := range missing {
		_, conversation, _ := strings.Cut(strings.TrimPrefix(item.Sort, "d#"), "#")
		last[conversation] = own[conversation]
	}
	return nil
}

// lastDays are the last days on which conversations had a message.
func (c *People) lastDays(ctx context.Context, conversations []string) ([]string, error) {
	days := make([]string, len(conversations))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lastLookups)
	for i, conversation := range conversations {
		group.Go(func() error {
			items, err := c.table.Query(ctx, store.IndexQuery{Partition: partitionConv + conversation, From: "a#", To: "a$", Descending: true, Limit: 1})
			if err == nil && len(items) > 0 {
				days[i] = strings.TrimPrefix(items[0].Sort, "a#")
			}
			return err
		})
	}
	return days, group.Wait()
}
