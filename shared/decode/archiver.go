package decode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/keyring"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/wecom"
)

// Library is WeCom's native library, as far as the archiver needs it. It is safe
// for concurrent use.
type Library interface {
	// DecryptData decrypts a batch, one result for each item in its order. The
	// error is about the library itself; what is wrong with an item is in its
	// result.
	DecryptData(ctx context.Context, batch []wecom.Sealed) ([]wecom.Opened, error)
}

// Keys opens random keys; *keyring.Ring is one.
type Keys interface {
	Candidates(ctx context.Context, version int64) (keys []*keyring.Key, bound bool, err error)
	Bind(ctx context.Context, version int64, key *keyring.Key, msgid string) error
}

// People are known by other userids, too.
type People interface {
	Aliases(ctx context.Context) (catalog.Aliases, error)
}

// Config is what an Archiver works with.
type Config struct {
	Corp          string // corpid
	Program       string // our version
	Objects       store.Objects
	Lock          store.Lock    // of Objects
	Derived       store.Derived // for job lists of the media stage; nil: none are written
	Conversations Conversations
	People        People
	Consents      Consents
	Media         Media
	Pages         Pages
	Holes         Holes
	Findings      catalog.Findings
	Keys          Keys
	Library       Library
	Read          reading.Func // default reading.Read
	Encode        EncodeFunc   // default segment.Encode; what it writes is read back
	Now           func() time.Time
	Log           *slog.Logger
	Workers       int // goroutines that open envelopes; default one for each core

	// Stored is told of each part of a segment that was stored; may be nil.
	Stored func(Part)

	// Indexed is told what the parser made of the messages of a page, once the index
	// knows it; may be nil.
	Indexed func(context.Context, catalog.ParseCount)
}

// EncodeFunc makes the bytes of a segment.
type EncodeFunc func(segment.Meta, []archive.Row) ([]byte, error)

// Part is a part of a segment that was stored.
type Part struct {
	Readable   int           // messages
	Unreadable int           // envelopes that could not be read
	Age        time.Duration // of its page then
}

// Archiver makes segments of pages. It is safe for concurrent use, also by
// archivers in other processes.
type Archiver struct{ Config }

// New returns an Archiver.
func New(c Config) *Archiver {
	if c.Read == nil {
		c.Read = reading.Read
	}
	if c.Encode == nil {
		c.Encode = segment.Encode
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	return &Archiver{c}
}

// Ready says whether the archiver can work: the bucket locks what is put there.
func (a *Archiver) Ready(ctx context.Context) error {
	if err := a.Lock.CheckLock(ctx); err != nil {
		return fmt.Errorf("refusing to archive: archive bucket: %w", err)
	}
	return nil
}

// Handle makes or completes the segment of a stored page. An error means that it
// should be handled again later; nothing is lost by it.
func (a *Archiver) Handle(ctx context.Context, pageKey string) error {
	if err := a.handle(ctx, pageKey); err != nil {
		return fmt.Errorf("archiving %s: %w", pageKey, err)
	}
	return nil
}

func (a *Archiver) handle(ctx context.Context, pageKey string) error {
	asked, alternate, ok := archive.ParseAnyPageKey(pageKey)
	if !ok {
		return errors.New("not the key of a page")
	}
	u, err := readUnit(ctx, a.Objects, a.Corp, asked, a.Log)
	if err != nil {
		return err
	}
	x := a.indexer()
	if len(u.pages) == 0 {
		return x.missing(ctx, u)
	}
	if inside, err := x.spanned(ctx, u); err != nil || inside {
		return err
	}
	for _, headers := range byStem(u.headers()) {
		if err := a.archive(ctx, &x, u, headers); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(u.unread, func(key string) bool { return key == pageKey }) {
		a.Log.Error("a page cannot be read; its alternates are archived", "key", pageKey, "alternate", alternate)
	}
	return nil
}

// archive makes or completes the segment of pages that share one.
func (a *Archiver) archive(ctx context.Context, x *Indexer, u *unit, headers []archive.PageHeader) error {
	seg := newSegment(headers)
	seg.unread = u.unread
	if _, err := seg.reload(ctx, a.Objects, a.Log); err != nil {
		return err
	}
	if seg.elsewhere() { // what another segment had is to be found there again
		u.broken = true
	}
	redriveAt, err := a.redriveAt(ctx, seg)
	if err != nil {
		return err
	}
	aliases, err := a.People.Aliases(ctx)
	if err != nil {
		return err
	}
	for _, page := range u.pages {
		if !slices.Contains(headers, page.Header) {
			continue
		}
		if err := a.page(ctx, x, u, seg, page, redriveAt, aliases); err != nil {
			return err
		}
	}
	if _, err = x.finish(ctx, seg); err != nil {
		return err
	}
	if a.Indexed != nil {
		var all catalog.ParseCount
		for _, p := range seg.parsed() {
			all.Add(p.ParseCount)
		}
		a.Indexed(ctx, all)
	}
	return nil
}

// page stores the rows of a page that are not stored yet. When another archiver is
// quicker, only the difference to what it stored is left to do.
func (a *Archiver) page(ctx context.Context, x *Indexer, u *unit, seg *pageSegment, page archive.Page, redriveAt time.Time, aliases catalog.Aliases) error {
	envelopes, err := archive.ParseStored(page)
	if err != nil {
		return err
	}
	opened := map[int]archive.Row{}
	for {
		// What other segments hold is read anew before each put, too.
		others, err := x.heldElsewhere(ctx, u, seg)
		if err != nil {
			return err
		}
		open, rows := seg.sort(page.Header, envelopes, seg.unresolved(envelopes, redriveAt), others)
		fresh, err := a.openNew(ctx, page.Header.Filed(seg.stem()), open, opened, aliases)
		if err != nil {
			return err
		}
		if fresh && u.shared() { // opening took its time: others may have been quicker
			if _, err := seg.reload(ctx, a.Objects, a.Log); err != nil {
				return err
			}
			continue
		}
		for _, e := range open {
			rows = append(rows, opened[e.Position])
		}
		missing := seg.missing(rows)
		if len(missing) == 0 {
			return nil
		}
		err = a.putPart(ctx, seg, page.Header, missing)
		if !errors.Is(err, store.ErrExists) {
			return err
		}
		switch more, err := seg.reload(ctx, a.Objects, a.Log); {
		case err != nil:
			return err
		case !more:
			return errors.New("the next part is stored, but the listing does not show it")
		}
	}
}

// openNew opens envelopes that are not opened yet, and says whether there were any.
func (a *Archiver) openNew(ctx context.Context, page archive.PageHeader, envelopes []archive.Envelope, opened map[int]archive.Row, aliases catalog.Aliases) (fresh bool, err error) {
	envelopes = slices.DeleteFunc(slices.Clone(envelopes), func(e archive.Envelope) bool {
		_, done := opened[e.Position]
		return done
	})
	rows, err := a.open(ctx, page, envelopes)
	if err != nil {
		return false, err
	}
	for _, row := range rows {
		if row.Readable() {
			row.Reading = reading.Apply(aliases, row.Reading)
		}
		opened[row.Position] = row
	}
	return len(rows) > 0, nil
}

// putPart stores rows as the next part. A part is locked for years, so it is read
// back before it is stored; and what was read back is what will be indexed.
func (a *Archiver) putPart(ctx context.Context, seg *pageSegment, page archive.PageHeader, rows []archive.Row) error {
	number := seg.nextPart()
	key := archive.SegmentKey(seg.page.PulledAt, seg.page.SeqAsked, number)
	written := a.Now().UTC()
	body, err := a.Encode(segment.Meta{
		Corp: a.Corp, PageKey: page.Key(), PageSHA256: page.SHA256,
		Part: number, Program: a.Program, WrittenAt: written,
	}, rows)
	if err != nil {
		return err
	}
	_, stored, err := segment.Decode(body)
	if err != nil {
		return fmt.Errorf("reading %s back: %w", key, err)
	}
	if err := sameFacts(rows, stored); err != nil {
		return fmt.Errorf("reading %s back: %w", key, err)
	}
	if err := a.Objects.PutIfAbsent(ctx, key, bytes.NewReader(body)); err != nil {
		return fmt.Errorf("storing %s: %w", key, err)
	}
	seg.add(part{key: key, number: number, alternate: page.Alternate, written: written, rows: stored})
	if a.Stored != nil {
		p := Part{Age: written.Sub(page.PulledAt)}
		for _, row := range stored {
			switch {
			case row.Readable():
				p.Readable++
			case row.Outcome != archive.OutcomeElsewhere:
				p.Unreadable++
			}
		}
		a.Stored(p)
	}
	return nil
}

// redriveAt is when somebody asked for the page to be tried again, if that matters.
func (a *Archiver) redriveAt(ctx context.Context, seg *pageSegment) (time.Time, error) {
	if !seg.crashed() {
		return time.Time{}, nil
	}
	state, err := a.Pages.Page(ctx, seg.page.SeqAsked)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return state.RedriveAt, err
}

// indexer is what brings the index up to what the archiver stored.
func (a *Archiver) indexer() Indexer {
	return Indexer{
		Corp: a.Corp, Objects: a.Objects, Derived: a.Derived, Log: a.Log, Now: a.Now,
		Conversations: a.Conversations, Consents: a.Consents, Media: a.Media, Pages: a.Pages, Holes: a.Holes, Findings: a.Findings,
	}
}
