// Package transcript reads the messages of a conversation in their order, wherever
// they lie: in the runs of the compactor (package compact), and in the segments
// that are not compacted yet, which postings in the index point to.
//
// An answer is the same before, during and after a compaction. The postings are
// read first and the switch after them: a message whose posting was deleted is in
// a run by then. One that is found twice appears once.
//
// Nor does damage of what is derived change an answer: segments are read in its place
// (fallBack). Where not all could be, the answer says so.
package transcript

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/store"
)

// Message is a message and where its truth lies.
type Message struct {
	archive.Row
	Place archive.Place
}

// Page is the key of the page that holds the message as WeCom returned it.
func (m Message) Page() string { return archive.PageKey(m.Place.Page) }

// Conversations are where the messages lie that are not compacted, and in which months
// the others are.
type Conversations interface {
	Places(ctx context.Context, q catalog.PlaceQuery) ([]archive.Place, error)
	ConversationMonths(ctx context.Context, conversation string) ([]catalog.MonthSpan, error)
	CompactedParts(ctx context.Context, month string) (catalog.CompactedParts, error)
}

// People are known by other userids, too.
type People interface {
	Aliases(ctx context.Context) (catalog.Aliases, error)
}

// Pages know which parts of segments are damaged, and which were stored again.
type Pages interface {
	Page(ctx context.Context, asked uint64) (catalog.PageState, error)
}

// Compactions are the runs of months and their directories.
type Compactions interface {
	Month(ctx context.Context, month string) (compaction.State, error)
	RowGroupsFrom(ctx context.Context, run, conversation string, ms int64, limit int) ([]compaction.RowGroup, error)
	RowGroupsBefore(ctx context.Context, run string, before *compaction.RowGroup, limit int) ([]compaction.RowGroup, error)
	AllRowGroups(ctx context.Context, run string, after *compaction.RowGroup, limit int) ([]compaction.RowGroup, error)
}

// Config is what a Reader works with.
type Config struct {
	Objects       store.ObjectReader // archive bucket
	Derived       store.ObjectReader // nil: what is compacted cannot be read
	Conversations Conversations
	Pages         Pages
	Compactions   Compactions

	// How messages of segments are read in place of runs: as the compactor does.
	People People       // nil: nobody's userid changed
	Read   reading.Func // nil: as the segments have them

	Damage Damage       // is told what cannot be read; nil: nobody
	Log    *slog.Logger // nil: no log
}

// Reader reads messages. It is safe for concurrent use.
type Reader struct {
	Config

	footers  *lru.Cache[string, []byte] // by key and SHA-256
	holdings *lru.Cache[string, []byte] // of parts of segments: sums of their conversations
	parser   atomic.Int64               // version of Read, once it is known
	// slots are for what may be in memory at a time, over all calls: one segment
	// or one row group each.
	slots chan struct{}
}

const (
	maxReading  = 4  // slots; a segment or row group takes a few MB
	keptFooters = 64 // of about 100 KB
)

// New returns a Reader.
func New(c Config) *Reader {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	footers, _ := lru.New[string, []byte](keptFooters) // fails for a size below one
	holdings, _ := lru.New[string, []byte](keptHoldings)
	return &Reader{Config: c, footers: footers, holdings: holdings, slots: make(chan struct{}, maxReading)}
}

// entry is a message that was found, and its row if that was read already.
type entry struct {
	place archive.Place
	row   *archive.Row
}

// Part is some messages of a conversation that follow each other.
type Part struct {
	Messages   []Message
	More       bool // there are others behind them
	Incomplete bool // others may be missing, also between them: see ErrIncomplete
}

// Messages returns at most q.Limit messages in the order of reading. Fewer mean
// that there are no more. With ErrIncomplete it returns those that could be read.
func (r *Reader) Messages(ctx context.Context, q catalog.PlaceQuery) ([]Message, error) {
	found, err := r.Some(ctx, q)
	if err == nil && found.Incomplete {
		err = ErrIncomplete
	}
	return found.Messages, err
}

// Some is Messages for who shows them and says that others may be missing.
func (r *Reader) Some(ctx context.Context, q catalog.PlaceQuery) (Part, error) {
	found, err := r.all(ctx, 0, q)
	if err != nil {
		return Part{}, err
	}
	return found[0], nil
}

// Part returns at most q.Limit messages in the order of reading, for a screen: it
// stops before the limit, but not without a message, where it would take more than so
// many requests to index and buckets.
func (r *Reader) Part(ctx context.Context, q catalog.PlaceQuery, requests int) (Part, error) {
	q.Limit++ // one more tells whether there is more
	found, err := r.all(ctx, requests, q)
	if err != nil {
		return Part{}, err
	}
	return found[0].cut(q.Limit - 1), nil
}

// Around returns the messages of a conversation on both sides of a time, each in its
// order of reading: at most so many before it, the last first, and from it on. It stops
// like Part, the part before first, which may then be empty.
func (r *Reader) Around(ctx context.Context, conversation string, at time.Time, before, after, requests int) (earlier, later Part, err error) {
	found, err := r.all(ctx, requests,
		catalog.PlaceQuery{Conversation: conversation, From: at, Limit: after + 1},
		catalog.PlaceQuery{Conversation: conversation, To: at, Descending: true, Limit: before + 1})
	if err != nil {
		return Part{}, Part{}, err
	}
	return found[1].cut(before), found[0].cut(after), nil
}

// AroundMessage is Around of one message: it is the first of later, however many others
// have its time.
func (r *Reader) AroundMessage(ctx context.Context, conversation string, at archive.Position, before, after, requests int) (earlier, later Part, err error) {
	ahead := at
	ahead.Envelope-- // the message is the first behind it
	found, err := r.all(ctx, requests,
		catalog.PlaceQuery{Conversation: conversation, After: &ahead, Limit: after + 1},
		catalog.PlaceQuery{Conversation: conversation, After: &at, Descending: true, Limit: before + 1})
	if err != nil {
		return Part{}, Part{}, err
	}
	return found[1].cut(before), found[0].cut(after), nil
}

func (p Part) cut(limit int) Part {
	if len(p.Messages) > limit {
		p.Messages, p.More = p.Messages[:limit], true
	}
	return p
}

// all answers queries about one conversation, with about so many requests; 0: with as
// many as it takes.
func (r *Reader) all(ctx context.Context, requests int, queries ...catalog.PlaceQuery) (found []Part, err error) {
	// A run that was replaced is deleted a day later, and is not found by a reader
	// who has slept meanwhile, as a suspended function does. It looks again.
	const looks = 3
	c := newCall()
	for look := range looks {
		c.lastLook = look == looks-1
		if found, err = r.messages(ctx, c, requests, slices.Clone(queries)); !errors.Is(err, store.ErrNotFound) {
			break
		}
	}
	return found, err
}

// messages looks again without the segments that proved damaged and are stored
// again. A message of one that is not stands as a row of OutcomeDamaged.
func (r *Reader) messages(ctx context.Context, c *call, requests int, queries []catalog.PlaceQuery) ([]Part, error) {
	for {
		found, err := r.look(ctx, c, requests, queries)
		if err != nil {
			return nil, err
		}
		again := false
		for i := range queries {
			q := &queries[i]
			replaced, err := r.replaced(ctx, *q, found[i].Messages)
			if err != nil {
				return nil, err
			}
			if len(replaced) > 0 {
				q.Without, again = append(slices.Clone(q.Without), replaced...), true
			}
		}
		if !again {
			return found, nil
		}
	}
}

// replaced are the damaged segments among what was found that are stored again.
func (r *Reader) replaced(ctx context.Context, q catalog.PlaceQuery, found []Message) ([]string, error) {
	var objects []string
	for _, m := range found {
		if m.Outcome != archive.OutcomeDamaged || slices.Contains(objects, m.Place.Object) {
			continue
		}
		page, err := r.Pages.Page(ctx, m.Place.Page)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if slices.Contains(page.Damaged, m.Place.Object) && !slices.Contains(q.Without, m.Place.Object) {
			objects = append(objects, m.Place.Object)
		}
	}
	return objects, nil
}

// look reads the postings of all queries first, and what they share after that.
func (r *Reader) look(ctx context.Context, c *call, requests int, queries []catalog.PlaceQuery) ([]Part, error) {
	searches := make([]search, len(queries))
	shared := newSources(r, c, queries[0].Conversation)
	shared.keep = len(queries) > 1
	for i, q := range queries {
		tail, err := r.Conversations.Places(ctx, q)
		garbled := errors.Is(err, catalog.ErrPosting)
		if garbled {
			f := archive.Finding{Where: archive.InIndex, Kind: archive.Altered, Key: "conversation#" + q.Conversation, Detail: "a posting cannot be read: reindex"}
			c.report(ctx, r, f)
		} else if err != nil {
			return nil, err
		}
		shared.spent++
		s := search{sources: shared, query: q, found: make([]entry, 0, len(tail)), most: requests, optional: i > 0, fallen: map[string]bool{}, incomplete: garbled}
		if requests > 0 && i == 0 && len(queries) > 1 {
			s.most -= keptForEarlier
		}
		for _, p := range tail {
			s.found = append(s.found, entry{place: p})
		}
		searches[i] = s
	}
	out := make([]Part, len(queries))
	for i := range searches {
		s := &searches[i]
		if err := s.runs(ctx); err != nil {
			return nil, err
		}
		filled, err := r.fill(ctx, c, queries[i].Conversation, s.found)
		if err != nil {
			return nil, err
		}
		shared.spent += s.toFill()
		out[i] = Part{filled, s.more, s.incomplete}
	}
	return out, nil
}

// unread is 1 if the row would have to be read still.
func (e entry) unread() int {
	if e.row == nil {
		return 1
	}
	return 0
}

// fill reads the rows that only a posting points to. Each segment is read once,
// few at a time, and only the rows wanted are kept.
func (r *Reader) fill(ctx context.Context, c *call, conversation string, found []entry) ([]Message, error) {
	bySegment := map[string][]int{} // indexes into found
	out := make([]Message, len(found))
	for i, e := range found {
		out[i].Place = e.place
		if e.row != nil {
			out[i].Row = *e.row
			continue
		}
		bySegment[e.place.Object] = append(bySegment[e.place.Object], i)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxReading)
	for key, wanted := range bySegment {
		group.Go(func() (err error) {
			defer func() { // outside of the request's goroutine a panic would end the program
				if p := recover(); p != nil {
					err = fmt.Errorf("reading %s: panic: %v\n%s", key, p, debug.Stack())
				}
			}()
			rows, err := r.placed(ctx, key, found, wanted)
			if err != nil && ctx.Err() == nil && cannotRead(err) {
				c.report(ctx, r, findingOf(archive.InArchive, key, err))
				for _, i := range wanted { // its neighbours must show all the same
					out[i].Row = damaged(found[i].place, conversation)
				}
				return nil
			}
			if err != nil {
				return err
			}
			for _, i := range wanted {
				if out[i].Row, err = rows.at(found[i].place, conversation); err != nil {
					f := archive.Finding{Where: archive.InIndex, Kind: archive.Altered, Key: key, Detail: "a posting points to a wrong row of it: reindex"}
					c.report(ctx, r, f)
					out[i].Row = damaged(found[i].place, conversation)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// damaged is the row of a message whose segment cannot be read: what the index
// says of it.
func damaged(p archive.Place, conversation string) archive.Row {
	return archive.Row{
		Position: p.Envelope, Seq: p.Seq, HasSeq: true, PublicKeyVer: -1, Outcome: archive.OutcomeDamaged,
		Reading: archive.Reading{Conversation: conversation, MsgTime: p.Time},
	}
}

func (r *Reader) slot(ctx context.Context) (release func(), err error) {
	select {
	case r.slots <- struct{}{}:
		return func() { <-r.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Any says whether a conversation has a message from from on and before to.
func (r *Reader) Any(ctx context.Context, conversation string, from, to time.Time) (bool, error) {
	found, err := r.Messages(ctx, catalog.PlaceQuery{Conversation: conversation, From: from, To: to, Limit: 1})
	if len(found) > 0 && errors.Is(err, ErrIncomplete) {
		err = nil
	}
	return len(found) > 0, err
}
