package reparse

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/upkeep"
)

// Transcript finds messages; *transcript.Reader is one.
type Transcript interface {
	// Any says whether a conversation has a message from from on and before to.
	Any(ctx context.Context, conversation string, from, to time.Time) (bool, error)
}

// Conversations list who talked on which days.
type Conversations interface {
	PutActive(ctx context.Context, readings ...archive.Reading) error
	RemoveActive(ctx context.Context, readings ...archive.Reading) (removed bool, err error)
}

// Pages count what could be parsed.
type Pages interface {
	NoteParsed(ctx context.Context, p catalog.ParsedPart) error
	CountParsed(ctx context.Context, day string) error
}

// People are known by other userids, too.
type People interface {
	Aliases(ctx context.Context) (catalog.Aliases, error)
}

// Consents are the conversations in which somebody may be asked to agree.
type Consents interface {
	ConsentSubjects(ctx context.Context) iter.Seq2[catalog.Subject, error]
	MoveConsent(ctx context.Context, from, to string) error
}

// Journal keeps how far the work is.
type Journal interface {
	Progress(ctx context.Context, name string, progress any) (found bool, err error)
	SaveProgress(ctx context.Context, name string, progress any) error
	ForgetProgress(ctx context.Context, name string) error
}

// Reparser reads every message again with a newer parser, and by what is known now of
// changed userids. Segments are locked and stay as they are: the new readings stand in
// the compacted objects, which readers prefer.
type Reparser struct {
	Objects       store.ObjectReader
	Conversations Conversations
	People        People
	Consents      Consents
	Pages         Pages
	Journal       Journal
	Compactor     *compact.Compactor // that reads with Read
	Transcript    Transcript
	Read          reading.Func
	Parser        int // version of Read
	Log           *slog.Logger
}

// Report is what a reparse did, from its beginning if it was interrupted.
type Report struct {
	compact.Summary
	Moved   int64 `json:"moved"`   // messages that belong to another conversation or day now
	Removed int   `json:"removed"` // conversations of a day that have nothing there any more
	Resumed bool  `json:"resumed"` // it went on where an interrupted one had stopped
}

const reparseName = "reparse"

// reparsing is how far a reparse is.
type reparsing struct {
	months
	Compacted bool   `json:"compacted"`        // all of them
	Listed    string `json:"listed,omitempty"` // last segment that the lists are up to
	Moved     int64  `json:"moved"`
	Removed   int    `json:"removed"`
}

// Standing says in a line how far a reparse is with the lists of conversations; empty:
// it is not there yet, or there is none.
func Standing(ctx context.Context, journal Journal) (string, error) {
	var at reparsing
	if found, err := journal.Progress(ctx, reparseName, &at); err != nil || !found || !at.Compacted {
		return "", err
	}
	return fmt.Sprintf("lists of conversations, up to %s", at.Listed), nil
}

// Forget says that nothing of it is done: the index that it was done in is gone.
func Forget(ctx context.Context, journal Journal) error {
	for _, name := range []string{reparseName, recompactName} {
		if err := journal.ForgetProgress(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// listsSaved is after how many segments progress is saved. Looking at one again
// changes nothing.
const listsSaved = 20

// Run compacts all messages again with the new readings, and then brings the lists
// of the conversations of a day up to them. If the deadline of ctx comes near it stops,
// with More; the next Run goes on, also after one that broke off. After
// the index was made again from the objects it is needed again, since the index
// then has the readings that segments have. A page that the queue delivers once more
// lists the conversations of its old readings again, empty, until the next Run.
func (r *Reparser) Run(ctx context.Context, now time.Time) (Report, error) {
	aliases, err := r.People.Aliases(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("reparsing: %w", err)
	}
	var at reparsing
	resumed, err := r.Journal.Progress(ctx, reparseName, &at)
	if err != nil {
		return Report{}, fmt.Errorf("reparsing: %w", err)
	}
	if resumed = resumed && at.goesOn(r.Parser, aliases); !resumed {
		at = reparsing{months: months{Parser: r.Parser, Aliases: len(aliases)}}
	}
	done, err := r.goOn(ctx, now, &at, aliases)
	if err == nil && done {
		err = r.Journal.ForgetProgress(ctx, reparseName)
	}
	report := Report{Summary: at.Summary, Moved: at.Moved, Removed: at.Removed, Resumed: resumed}
	report.More = !done
	if err != nil {
		return report, fmt.Errorf("reparsing: %w", err)
	}
	return report, nil
}

// goOn works until all is done, or the deadline is near.
func (r *Reparser) goOn(ctx context.Context, now time.Time, at *reparsing, aliases catalog.Aliases) (done bool, err error) {
	save := func(ctx context.Context) error { return r.Journal.SaveProgress(ctx, reparseName, at) }
	if !at.Compacted {
		if at.Compacted, err = at.again(ctx, r.Compactor, now, save); err != nil || !at.Compacted {
			return false, err
		}
		if err := save(ctx); err != nil {
			return false, err
		}
	}
	since, counts := 0, parsedDays{Pages: r.Pages}
	saveLists := func() error {
		if err := counts.sum(ctx); err != nil {
			return err
		}
		return save(ctx)
	}
	for info, err := range r.Objects.List(ctx, archive.SegmentsPrefix, at.Listed) {
		if err != nil {
			return false, fmt.Errorf("listing the segments: %w", err)
		}
		if upkeep.DeadlineNear(ctx) {
			return false, saveLists()
		}
		count, err := r.segment(ctx, info.Key, aliases, at)
		if err == nil {
			err = counts.note(ctx, count)
		}
		if err != nil {
			return false, fmt.Errorf("%s: %w", info.Key, err)
		}
		at.Listed = info.Key
		if since++; since%listsSaved == 0 {
			if err := saveLists(); err != nil {
				return false, err
			}
		}
	}
	if err := counts.sum(ctx); err != nil {
		return false, err
	}
	return true, FoldConsents(ctx, r.Consents, aliases)
}

// FoldConsents brings together what is known of consent in conversations that are one
// since a userid changed.
func FoldConsents(ctx context.Context, consents Consents, aliases catalog.Aliases) error {
	if len(aliases) == 0 {
		return nil
	}
	var apart []string // the list does not change under the walk
	for c, err := range consents.ConsentSubjects(ctx) {
		if err != nil {
			return err
		}
		if chat.Renamed(c.ID, aliases.First) != c.ID {
			apart = append(apart, c.ID)
		}
	}
	for _, id := range apart {
		if err := consents.MoveConsent(ctx, id, chat.Renamed(id, aliases.First)); err != nil {
			return err
		}
	}
	return nil
}

// active is a conversation on a UTC day.
type active struct {
	day          time.Time
	conversation string
}

func activeIn(r archive.Reading) active {
	return active{r.MsgTime.UTC().Truncate(24 * time.Hour), r.Conversation}
}

// segment brings the lists up to the new readings of one segment, and counts these.
func (r *Reparser) segment(ctx context.Context, key string, aliases catalog.Aliases, at *reparsing) (count catalog.ParsedPart, err error) {
	_, rows, err := segment.Read(ctx, r.Objects, key)
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, archive.ErrNewFormat) {
		r.Log.Error("a segment cannot be read and is passed over", "key", key, "error", err)
		return count, nil
	}
	if err != nil {
		return count, err
	}
	count.Day, count.SeqAsked, count.Part, _ = archive.ParseSegmentKey(key)
	left, joined := map[active][]archive.Reading{}, []archive.Reading{}
	for _, row := range rows {
		if !row.Readable() {
			continue
		}
		newest := row.Reading
		if row.ParserVersion < r.Parser {
			newest = r.Read(row.Raw, row.MsgID, row.PulledAt)
		}
		newest = reading.Apply(aliases, newest)
		if version := max(row.ParserVersion, r.Parser); count.Messages == 0 || version < count.Parser {
			count.Parser = version
		}
		reading.Count(&count.ParseCount, newest)
		before, after := activeIn(row.Reading), activeIn(newest)
		if before == after && slices.Equal(row.People(), newest.People()) {
			continue
		}
		joined = append(joined, newest)
		if before != after {
			left[before] = append(left[before], row.Reading)
			at.Moved++
		}
	}
	if err := r.Conversations.PutActive(ctx, joined...); err != nil {
		return count, err
	}
	for a, readings := range left {
		removed, err := r.leave(ctx, a, readings)
		if err != nil {
			return count, err
		}
		if removed {
			at.Removed++
		}
	}
	return count, nil
}

// parsedDays notes what could be parsed, segment by segment, and sums up each day once
// its segments are noted: they are listed day by day.
type parsedDays struct {
	Pages
	day string // noted and not summed up; empty: none
}

func (d *parsedDays) note(ctx context.Context, p catalog.ParsedPart) error {
	if p.Messages == 0 {
		return nil
	}
	if p.Day != d.day {
		if err := d.sum(ctx); err != nil {
			return err
		}
	}
	d.day = p.Day
	return d.NoteParsed(ctx, p)
}

func (d *parsedDays) sum(ctx context.Context) error {
	if d.day == "" {
		return nil
	}
	return d.CountParsed(ctx, d.day)
}

// leave takes a conversation off the lists of a day on which it has no message.
// readings are the old ones that put it there.
func (r *Reparser) leave(ctx context.Context, a active, readings []archive.Reading) (removed bool, err error) {
	any, err := r.any(ctx, a)
	if err != nil || any {
		return false, err
	}
	if removed, err = r.Conversations.RemoveActive(ctx, readings...); err != nil {
		return false, err
	}
	// A message may have come meanwhile, whose archiver listed the conversation.
	if any, err = r.any(ctx, a); err != nil || !any {
		return removed, err
	}
	return false, r.Conversations.PutActive(ctx, readings...)
}

func (r *Reparser) any(ctx context.Context, a active) (bool, error) {
	return r.Transcript.Any(ctx, a.conversation, a.day, a.day.AddDate(0, 0, 1))
}
