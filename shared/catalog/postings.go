package catalog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// posting is one index item: the rows that a conversation has in one segment
// within one hour. The hour leads the sort key: who has read all items of an
// hour knows all its messages, in whatever order their pages came.
type posting struct {
	Object  string     `json:"o"`
	Entries [][4]int64 `json:"e"` // row, seq, time in ms, position in the page
}

// maxPostingEntries keeps an item below MaxIndexValue.
const maxPostingEntries = 3500

// maxPlaces bounds what one hour of one conversation may hold for a reader.
const maxPlaces = 1 << 20

const hourLayout = "2006010215"

// hourName is the hour of t in a sort key. Years outside 0 to 9999 count as the
// nearest hour, so that names sort as times.
func hourName(t time.Time) string {
	switch t = t.UTC(); {
	case t.Year() < 0:
		return "0000010100"
	case t.Year() > 9999:
		return "9999123123"
	}
	return t.Format(hourLayout)
}

// IndexPostings writes where the messages of a part of a segment lie. rows are all its
// rows in the order that they have in the object. Writing them again changes nothing. A
// part that is compacted has no postings and gets none.
func (c *Conversations) IndexPostings(ctx context.Context, key string, rows []archive.Row) error {
	items, err := postings(key, rows)
	if err != nil {
		return fmt.Errorf("indexing %s: %w", key, err)
	}
	compacted, err := c.compacted(ctx, key)
	if err != nil {
		return fmt.Errorf("indexing %s: %w", key, err)
	}
	if compacted {
		items = nil
		if err := c.table.Delete(ctx, store.Item{Partition: partitionOpen, Sort: key}); err != nil {
			return fmt.Errorf("indexing %s: %w", key, err)
		}
	} else { // first: a part with postings is open
		items = append([]store.Item{{Partition: partitionOpen, Sort: key, Value: []byte("{}")}}, items...)
	}
	if err := c.table.Put(ctx, items...); err != nil {
		return fmt.Errorf("indexing %s: %w", key, err)
	}
	return nil
}

// postings are the items that IndexPostings writes for the messages of a segment.
func postings(key string, rows []archive.Row) ([]store.Item, error) {
	_, asked, part, ok := archive.ParseSegmentKey(key)
	if !ok {
		return nil, errors.New("not the key of a segment")
	}
	type group struct{ conversation, hour string }
	entries := map[group][][4]int64{}
	for i, r := range rows {
		if !r.Readable() {
			continue
		}
		g := group{r.Conversation, hourName(r.MsgTime)}
		entries[g] = append(entries[g], [4]int64{int64(i), r.Seq, r.MsgTime.UnixMilli(), int64(r.Position)})
	}
	var items []store.Item
	for g, all := range entries {
		for n := 0; len(all) > 0; n++ {
			k := min(len(all), maxPostingEntries)
			sort := fmt.Sprintf("m#%s#%s#%04d#%03d", g.hour, archive.SeqName(asked), part, n)
			item, err := table.NewItem(partitionConv+g.conversation, sort, posting{Object: key, Entries: all[:k]})
			if err != nil {
				return nil, err
			}
			items, all = append(items, item), all[k:]
		}
	}
	return items, nil
}

// PlaceQuery asks for messages of a conversation.
type PlaceQuery struct {
	Conversation string
	From         time.Time         // inclusive; zero: from the first
	To           time.Time         // exclusive; zero: to the last
	After        *archive.Position // only what is read after it (before it, if Descending)
	Descending   bool              // newest first
	Limit        int               // at least 1

	// Without are segments whose postings do not count: damaged ones, whose rows
	// are stored again in a later part.
	Without []string
}

// ErrPosting says that a posting cannot be read: messages may be missing.
var ErrPosting = fmt.Errorf("a posting cannot be read: %w", store.ErrIndexDamaged)

// Places returns at most Limit messages in the order of reading. Fewer mean
// that there are no more. A message that two parts of a segment hold, which takes
// a damaged archive, appears once. With ErrPosting it returns those of all others.
func (c *Conversations) Places(ctx context.Context, q PlaceQuery) ([]archive.Place, error) {
	if q.Limit < 1 {
		return nil, fmt.Errorf("listing the messages of a conversation: limit %d is not at least 1", q.Limit)
	}
	lower, upper := q.From, q.To
	if q.After != nil {
		if q.Descending {
			upper = earlier(upper, q.After.Time) // its hour is still read
		} else {
			lower = later(lower, q.After.Time)
		}
	}
	iq := store.IndexQuery{Partition: partitionConv + q.Conversation, From: "m#", To: "m$", Descending: q.Descending, Limit: 100}
	if !lower.IsZero() {
		iq.From = "m#" + hourName(lower)
	}
	if !upper.IsZero() {
		iq.To = "m#" + hourName(upper) + "$"
	}
	var complete, hour []archive.Place
	var garbled error
	lastHour := ""
	for {
		items, err := c.table.Query(ctx, iq)
		if err != nil {
			return nil, fmt.Errorf("listing the messages of a conversation: %w", err)
		}
		for _, item := range items {
			if h := item.Sort[:min(len(item.Sort), len("m#")+len(hourLayout))]; h != lastHour {
				complete, hour, lastHour = append(complete, q.arrange(hour)...), nil, h
				if len(complete) >= q.Limit {
					return complete[:q.Limit], garbled
				}
			}
			var p posting
			err := json.Unmarshal(item.Value, &p)
			var wanted []archive.Place
			if err == nil {
				wanted, err = q.wanted(p)
			}
			if err != nil && garbled == nil {
				garbled = fmt.Errorf("posting %s: %w: %w", item.Sort, ErrPosting, err)
			}
			hour = append(hour, wanted...)
			if len(hour) > maxPlaces {
				return nil, fmt.Errorf("one hour of a conversation holds over %d messages", maxPlaces)
			}
		}
		if len(items) < iq.Limit {
			complete = append(complete, q.arrange(hour)...)
			return complete[:min(q.Limit, len(complete))], garbled
		}
		if last := items[len(items)-1].Sort; q.Descending {
			iq.To = last
		} else {
			iq.From = last + "\x00"
		}
	}
}

// wanted are the entries of a posting within the query's bounds.
func (q PlaceQuery) wanted(p posting) ([]archive.Place, error) {
	_, asked, _, ok := archive.ParseSegmentKey(p.Object)
	if !ok {
		return nil, fmt.Errorf("%q is not the key of a segment: %w", p.Object, store.ErrDamaged)
	}
	if slices.Contains(q.Without, p.Object) {
		return nil, nil
	}
	var out []archive.Place
	for _, e := range p.Entries {
		pos := archive.Position{Time: time.UnixMilli(e[2]).UTC(), Seq: e[1], Page: asked, Envelope: int(e[3])}
		if q.Wants(pos) {
			out = append(out, archive.Place{Object: p.Object, Row: int(e[0]), Position: pos})
		}
	}
	return out, nil
}

// Wants says whether a message at p lies within the query's bounds.
func (q PlaceQuery) Wants(p archive.Position) bool {
	if !q.From.IsZero() && p.Time.Before(q.From) || !q.To.IsZero() && !p.Time.Before(q.To) {
		return false
	}
	if q.After == nil {
		return true
	}
	d := p.Compare(*q.After)
	return d != 0 && d < 0 == q.Descending
}

// arrange sorts the places of one hour and drops doubles.
func (q PlaceQuery) arrange(hour []archive.Place) []archive.Place {
	slices.SortFunc(hour, func(a, b archive.Place) int {
		d := a.Compare(b.Position)
		if q.Descending {
			d = -d
		}
		return cmp.Or(d, cmp.Compare(a.Part(), b.Part()), cmp.Compare(a.Row, b.Row))
	})
	return slices.CompactFunc(hour, func(a, b archive.Place) bool { return a.Compare(b.Position) == 0 })
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.IsZero() || b.After(a) {
		return b
	}
	return a
}
