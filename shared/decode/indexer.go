package decode

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

// Conversations are where their messages lie, who talked on which days, what was recalled.
type Conversations interface {
	IndexPostings(ctx context.Context, key string, rows []archive.Row) error
	NoteRecalls(ctx context.Context, rows []archive.Row) error
	PutActive(ctx context.Context, readings ...archive.Reading) error
}

// Consents is who agreed by a message.
type Consents interface {
	NoteMessages(ctx context.Context, readings []archive.Reading) error
}

// Media is what is known of files.
type Media interface {
	IndexLinks(ctx context.Context, list archive.FetchList, links *archive.PageLinks) (open bool, err error)
}

// Pages is how far pages are, and what of their messages could be parsed.
type Pages interface {
	NoteParsed(ctx context.Context, p catalog.ParsedPart) error
	CountParsed(ctx context.Context, day string) error
	Page(ctx context.Context, asked uint64) (catalog.PageState, error)
	PageBefore(ctx context.Context, seq uint64) (catalog.PageState, error)
	FinishPage(ctx context.Context, s catalog.PageState) error
	ReopenPage(ctx context.Context, h archive.PageHeader) error
}

// Holes are what the chain of pages does not have.
type Holes interface {
	Hole(ctx context.Context, from, to uint64) (h catalog.Hole, found bool, err error)
	HoleAround(ctx context.Context, seq uint64) (from uint64, err error)
	Holes(ctx context.Context, from uint64, limit int) ([]catalog.Hole, error)
	OpenHoles(ctx context.Context, limit int) ([]catalog.Hole, error)
	PutHole(ctx context.Context, h archive.ChainHole) error
	NoteExamined(ctx context.Context, from, to uint64, ask []catalog.Ask, first, last time.Time) error
}

// Indexer brings the index up to the segments that are stored. It opens no
// envelope, so it needs no keys.
type Indexer struct {
	Corp          string // corpid
	Objects       store.Objects
	Derived       store.Derived // for job lists of the media stage; nil: none are written
	Conversations Conversations
	Consents      Consents
	Media         Media
	Pages         Pages
	Holes         Holes
	Findings      catalog.Findings
	Now           func() time.Time
	Log           *slog.Logger
}

func (x *Indexer) now() time.Time { return x.Now().UTC().Truncate(time.Millisecond) }

// Index indexes what is stored of the segment of a page and its alternates, of which
// pages are those that can be read, the page itself first, and marks it as done, like the
// archiver that stored it. If a segment lacks rows, or there is none, the page is marked
// as waiting for the archiver, and complete is false. media says whether files of its
// messages are still to be fetched, for which the archiver writes the job lists.
func (x *Indexer) Index(ctx context.Context, pages []archive.PageHeader, unread []string) (complete, media bool, err error) {
	complete = true
	for _, headers := range byStem(pages) {
		seg := newSegment(headers)
		seg.unread = unread
		if _, err := seg.reload(ctx, x.Objects, x.Log); err != nil {
			return false, false, err
		}
		whole := !slices.ContainsFunc(headers, func(h archive.PageHeader) bool { return !seg.complete(h) })
		var more bool
		if whole {
			more, err = x.finish(ctx, seg)
		} else {
			more, err = x.reopen(ctx, seg)
		}
		if err != nil {
			return false, false, err
		}
		complete, media = complete && whole, media || more
	}
	return complete, media, nil
}

// reopen indexes what can be read meanwhile of a segment that lacks rows.
func (x *Indexer) reopen(ctx context.Context, seg *pageSegment) (media bool, err error) {
	for _, p := range seg.parts {
		if err := IndexConversationsPeopleRecallsConsents(ctx, x.Conversations, x.Consents, p.key, p.rows); err != nil {
			return false, err
		}
	}
	if err := x.parsed(ctx, seg); err != nil {
		return false, err
	}
	if media, err = x.media(ctx, seg); err != nil {
		return false, err
	}
	return media, x.Pages.ReopenPage(ctx, seg.page)
}

// indexLost indexes what is stored of the segment of a page that is missing or cannot be
// read, and lists the page in the quarantine. media says whether files are to be fetched.
func (x *Indexer) indexLost(ctx context.Context, seg *pageSegment) (media bool, err error) {
	if key := archive.PageKey(seg.page.SeqAsked); !slices.Contains(seg.unread, key) {
		seg.unread = append(seg.unread, key)
	}
	return x.finish(ctx, seg)
}

// finish indexes all parts and then, last, marks the page as done. It looks
// again afterwards: an archiver that stored one more part meanwhile may have
// marked the page before, and the last to mark it must know all parts.
//
// What the index says of a page follows from objects alone, so that it can be
// made again, word for word.
func (x *Indexer) finish(ctx context.Context, seg *pageSegment) (media bool, err error) {
	for more := true; more; {
		for _, p := range seg.parts {
			if err := IndexConversationsPeopleRecallsConsents(ctx, x.Conversations, x.Consents, p.key, p.rows); err != nil {
				return false, err
			}
		}
		if err := x.parsed(ctx, seg); err != nil {
			return false, err
		}
		if media, err = x.media(ctx, seg); err != nil {
			return false, err
		}
		h := seg.page
		state := catalog.PageState{
			Key: h.Key(), SeqAsked: h.SeqAsked, LastSeq: h.End(),
			PulledAt: h.PulledAt, ArchivedAt: seg.writtenAt().UTC(), Parts: len(seg.parts) + len(seg.damaged), Damaged: seg.damagedKeys(),
		}
		state.OK, state.Unreadable = seg.count()
		state.Count = state.OK
		for _, n := range state.Unreadable {
			state.Count += n
		}
		state.Types = seg.types()
		if err := x.Pages.FinishPage(ctx, state); err != nil {
			return false, err
		}
		x.Log.Info("archived a page", "page", h.SeqAsked, "envelopes", state.Count, "ok", state.OK, "unreadable", state.Unreadable)
		if more, err = seg.reload(ctx, x.Objects, x.Log); err != nil {
			return false, err
		}
	}
	return media, nil
}

// parsed counts what could be parsed of the messages of the parts.
func (x *Indexer) parsed(ctx context.Context, seg *pageSegment) error {
	parts := seg.parsed()
	if len(parts) == 0 {
		return nil
	}
	for _, p := range parts {
		if err := x.Pages.NoteParsed(ctx, p); err != nil {
			return err
		}
	}
	return x.Pages.CountParsed(ctx, archive.Day(seg.page.PulledAt))
}

// IndexConversationsPeopleRecallsConsents writes what the index says of a part of a
// segment: where its messages lie, who talked on which days, which messages it recalls, and
// who agreed. rows are all its rows in the order that they have in the object. Writing them
// again changes nothing.
func IndexConversationsPeopleRecallsConsents(ctx context.Context, conversations Conversations, consents Consents, key string, rows []archive.Row) error {
	if err := conversations.IndexPostings(ctx, key, rows); err != nil {
		return err
	}
	if err := conversations.NoteRecalls(ctx, rows); err != nil {
		return fmt.Errorf("indexing %s: %w", key, err)
	}
	var readings []archive.Reading
	for _, r := range rows {
		if r.Readable() {
			readings = append(readings, r.Reading)
		}
	}
	if err := conversations.PutActive(ctx, readings...); err != nil {
		return fmt.Errorf("indexing %s: %w", key, err)
	}
	if err := consents.NoteMessages(ctx, readings); err != nil {
		return fmt.Errorf("indexing %s: %w", key, err)
	}
	return nil
}
