package transcript

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
)

// Runs and their directories are derived. Where one cannot be read, the segments of its
// month are, one after the other: the answer is the same, and takes much longer. The
// daily compaction makes again what was lost (package compact).

// What an answer may read of segments in place of runs. Which conversations a segment
// has is remembered, so asking again gets further.
const (
	mostSegments = 256
	fallBackTime = 10 * time.Second // and three quarters of the time that there is at most
	keptHoldings = 4096             // of some hundred bytes each
)

// ErrIncomplete says that messages may be missing in an answer: what is compacted cannot
// be read, and not all segments could be read in its place.
var ErrIncomplete = fmt.Errorf("not all segments could be read in place of what is compacted: %w", store.ErrDamaged)

// cannotRead says whether an error tells of the thing that was read, and not of the way
// there: asking again gives the same.
func cannotRead(err error) bool {
	return errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrIndexDamaged) || errors.Is(err, store.ErrNotFound) || errors.Is(err, archive.ErrNewFormat)
}

// fallBack looks for the messages of a unit's month in the segments, if what the unit
// leads to cannot be read.
func (s *search) fallBack(ctx context.Context, u unit, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !cannotRead(cause) || errors.Is(cause, store.ErrNotFound) && !s.call.lastLook {
		return cause
	}
	s.call.report(ctx, s.reader, findingOf(archive.InDerived, u.key(), cause))
	if s.fallen[u.month] {
		return nil
	}
	s.fallen[u.month] = true
	whole, err := s.scan(ctx, u.month)
	if err != nil {
		return fmt.Errorf("reading segments, since what is compacted of %s cannot be read: %w", u.month, err)
	}
	s.arrange()
	if whole {
		s.units = slices.DeleteFunc(s.units, func(other unit) bool { return other.month == u.month })
	} else {
		s.incomplete = true
	}
	return nil
}

// key names what a unit leads to.
func (u unit) key() string {
	switch {
	case u.group != nil:
		return u.group.Object
	case u.walk != nil:
		return compaction.RunPrefix(u.month, u.walk.directory.run.ID)
	}
	return compaction.Prefix + u.month
}

// scan adds what the compacted parts of a month have of the conversation. whole says that
// nothing is missing.
func (s *search) scan(ctx context.Context, month string) (whole bool, err error) {
	keys, whole, err := s.parts(ctx, month)
	if err != nil {
		return false, err
	}
	if s.query.Descending { // what is read first, in case that not all can be
		keys = slices.Clone(keys)
		slices.Reverse(keys)
	}
	if err := s.readAliases(ctx); err != nil {
		return false, err
	}
	limited, stop := context.WithDeadline(ctx, s.call.fallUntil(ctx))
	defer stop()
	group, groupCtx := errgroup.WithContext(limited)
	group.SetLimit(maxReading)
	var mu sync.Mutex // of what follows, and of found
	arranged := len(s.found)
	for _, key := range keys {
		if sums, known := s.reader.holdings.Get(s.holdingsKey(key)); known && !compaction.HasNameSum(sums, s.conversation) {
			continue
		}
		if s.segmentsLeft < 1 || groupCtx.Err() != nil {
			mu.Lock()
			whole = false
			mu.Unlock()
			break
		}
		s.segmentsLeft--
		group.Go(func() (err error) {
			defer func() { // outside of the request's goroutine a panic would end the program
				if p := recover(); p != nil {
					err = fmt.Errorf("reading %s: panic: %v\n%s", key, p, debug.Stack())
				}
			}()
			some, err := s.scanPart(groupCtx, key)
			lost := false
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil && groupCtx.Err() != nil: // the time is over
				lost = true
			case err != nil:
				if lost, err = s.missed(ctx, key, err); err != nil {
					return err
				}
			}
			mu.Lock()
			defer mu.Unlock()
			whole = whole && !lost
			if s.found = append(s.found, some...); len(s.found)-arranged > 4096 {
				s.arrange()
				arranged = len(s.found)
			}
			return nil
		})
	}
	err = group.Wait()
	return whole, err
}

// parts are the keys of the parts of a month that are in runs. known is false if more may
// be.
func (s *sources) parts(ctx context.Context, month string) (keys []string, known bool, err error) {
	if keys, ok := s.partsOf[month]; ok {
		return keys, len(keys) > 0 || !s.hasRows(month), nil
	}
	parts, err := s.reader.Conversations.CompactedParts(ctx, month)
	if err != nil && !cannotRead(err) {
		return nil, false, err
	}
	if err == nil {
		keys = parts.Keys()
		s.partsOf[month] = keys
	}
	known = err == nil && (len(keys) > 0 || !s.hasRows(month))
	if !known {
		f := archive.Finding{Where: archive.InIndex, Kind: archive.Missing, Key: "compacted#" + month, Detail: "it does not say which segments are compacted: reindex"}
		s.call.report(ctx, s.reader, f)
	}
	return keys, known, nil
}

// hasRows says whether there can be messages in the runs of a month.
func (s *sources) hasRows(month string) bool {
	m, known := s.switches[month]
	return !known || slices.ContainsFunc(m.Runs, func(r compaction.Run) bool { return r.Rows > 0 })
}

// scanPart reads what a part has of the conversation, as a run would have it.
func (s *search) scanPart(ctx context.Context, key string) ([]entry, error) {
	release, err := s.reader.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	stored, err := segment.Fetch(ctx, s.reader.Objects, key)
	if err != nil {
		return nil, err
	}
	rows, err := stored.Rows(0, stored.Len())
	if err != nil {
		return nil, err
	}
	_, asked, _, _ := archive.ParseSegmentKey(key)
	var some []entry
	names := map[string]bool{}
	for i, row := range rows {
		if !row.Readable() {
			continue
		}
		row = s.reader.newest(row, s.aliases)
		names[row.Conversation] = true
		place := archive.Place{Object: key, Row: i, Position: archive.Position{Time: row.MsgTime, Seq: row.Seq, Page: asked, Envelope: row.Position}}
		if row.Conversation == s.conversation && s.wants(place.Position) {
			some = append(some, entry{place, &row})
		}
	}
	s.reader.holdings.Add(s.holdingsKey(key), compaction.NameSums(names))
	return some, nil
}

// missed says whether messages are lost with a part that cannot be read; one whose rows
// are stored again in another part has none.
func (s *search) missed(ctx context.Context, key string, cause error) (lost bool, err error) {
	if !cannotRead(cause) {
		return false, cause
	}
	_, asked, _, _ := archive.ParseSegmentKey(key)
	page, err := s.reader.Pages.Page(ctx, asked)
	if err != nil && !cannotRead(err) {
		return false, err
	}
	if err == nil && slices.Contains(page.Damaged, key) {
		return false, nil
	}
	s.call.report(ctx, s.reader, findingOf(archive.InArchive, key, cause))
	return true, nil
}

// holdingsKey names what is remembered of a part: readings may change, and userids.
func (s *sources) holdingsKey(key string) string {
	return fmt.Sprintf("%s#%d#%d", key, s.reader.parser.Load(), len(s.aliases))
}

func (s *sources) readAliases(ctx context.Context) (err error) {
	if s.aliases != nil || s.reader.People == nil {
		return nil
	}
	if s.aliases, err = s.reader.People.Aliases(ctx); err == nil && s.aliases == nil {
		s.aliases = catalog.Aliases{}
	}
	return err
}

// newest is a row as compacted objects have it. A parser that panics must cost no more
// than its reading.
func (r *Reader) newest(row archive.Row, aliases catalog.Aliases) (newest archive.Row) {
	defer func() {
		if recover() != nil { // the panic's value may quote the message
			r.Log.Error("the parser panicked", "seq", row.Seq)
			newest = reading.Newest(row, nil, 0, aliases)
		}
	}()
	if r.Read != nil && r.parser.Load() == 0 {
		r.parser.Store(int64(r.Read(row.Raw, row.MsgID, row.PulledAt).ParserVersion))
	}
	return reading.Newest(row, r.Read, int(r.parser.Load()), aliases)
}
