package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// Partitions of what the parser made of messages.
const (
	partitionParsed     = "parsed#" // + pull day; an item for each part of a segment
	partitionParsedDays = "parsed"  // by pull day
)

// ParseCount counts messages by what the parser made of them.
type ParseCount struct {
	Messages    int `json:"messages"`               // all that are readable
	Unparsed    int `json:"unparsed,omitempty"`     // of the conversation unparsed
	UnknownType int `json:"unknown_type,omitempty"` // of the others, those of a type that it does not know
}

// Add adds another count.
func (c *ParseCount) Add(o ParseCount) {
	c.Messages += o.Messages
	c.Unparsed += o.Unparsed
	c.UnknownType += o.UnknownType
}

// ParsedPart is what a parser made of the messages of a part of a segment.
type ParsedPart struct {
	Day      string `json:"-"`      // that it was pulled on (UTC), yyyy-mm-dd
	SeqAsked uint64 `json:"-"`      // of its page
	Part     int    `json:"-"`      //
	Parser   int    `json:"parser"` // version of the oldest that read one of them
	ParseCount
}

func (p ParsedPart) name() string {
	return fmt.Sprintf("%s#%04d", archive.SeqName(p.SeqAsked), p.Part)
}

// NoteParsed notes what a parser made of a part. What a newer one made of it stays:
// a segment has the readings of the parser that archived it for ever, and is indexed
// again whenever the queue delivers its page once more. CountParsed has to follow.
func (c *Pages) NoteParsed(ctx context.Context, p ParsedPart) error {
	err := table.Change(ctx, c.table, partitionParsed+p.Day, p.name(), func(known ParsedPart, found bool) (ParsedPart, bool) {
		same := known.Parser == p.Parser && known.ParseCount == p.ParseCount
		return p, !found || known.Parser <= p.Parser && !same
	})
	if err != nil {
		return fmt.Errorf("noting what of page %d could be parsed: %w", p.SeqAsked, err)
	}
	return nil
}

// ParsedDay sums up the messages that were pulled on a day (UTC).
type ParsedDay struct {
	Day string `json:"day"`
	ParseCount
}

// CountParsed sums up the parts of a day that are noted.
//
// Who is overtaken twice may leave it at that. The second one to overtake read the sum
// that the first one wrote, so it listed the parts after this call had begun: it
// counts all that the caller noted before.
func (c *Pages) CountParsed(ctx context.Context, day string) error {
	for range 2 {
		var known ParsedDay
		revision, err := c.table.Read(ctx, partitionParsedDays, day, &known)
		if err != nil {
			return err
		}
		sum := ParsedDay{Day: day}
		for item, err := range c.table.Walk(ctx, partitionParsed+day) {
			if err != nil {
				return fmt.Errorf("counting what of %s could be parsed: %w", day, err)
			}
			parts, err := table.Decode[ParsedPart]([]store.Item{item})
			if err != nil {
				return err
			}
			sum.Add(parts[0].ParseCount)
		}
		// Also when nothing changed: else one that read earlier could still write.
		err = c.table.WriteIf(ctx, partitionParsedDays, day, revision, sum)
		if err == nil || !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return nil
}

// maxParsedDays bounds what is read, also if clocks were years ahead.
const maxParsedDays = 400

// ParsedDays are the sums of the days from that of a time on, in order. Days on which
// nothing was pulled, or that an earlier version archived, are missing.
func (c *Pages) ParsedDays(ctx context.Context, from time.Time) ([]ParsedDay, error) {
	return table.List[ParsedDay](ctx, c.table, store.IndexQuery{Partition: partitionParsedDays, From: archive.Day(from), Limit: maxParsedDays})
}
