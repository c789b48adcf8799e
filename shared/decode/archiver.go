package decode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
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
	asked, ok := archive.ParsePageKey(pageKey)
	if !ok {
		return errors.New("not the key of a page")
	}
	stored, err := store.ReadObject(ctx, a.Objects, pageKey)
	if err != nil {
		return err
	}
	page, err := archive.DecodePage(stored)
	if err != nil {
		return err
	}
	if h := page.Header; h.SeqAsked != asked || h.Corp != a.Corp {
		return fmt.Errorf("its header says page %d of corp %s, not of %s: %w", h.SeqAsked, h.Corp, a.Corp, store.ErrDamaged)
	}
	envelopes, err := archive.ParseStored(page)
	if err != nil {
		return err
	}
	seg := &pageSegment{page: page.Header}
	if _, err := seg.reload(ctx, a.Objects, a.Log); err != nil {
		return err
	}
	redriveAt, err := a.redriveAt(ctx, seg)
	if err != nil {
		return err
	}
	rows, err := a.open(ctx, page.Header, seg.unresolved(envelopes, redriveAt))
	if err != nil {
		return err
	}
	aliases, err := a.People.Aliases(ctx)
	if err != nil {
		return err
	}
	for i := range rows {
		if rows[i].Readable() {
			rows[i].Reading = reading.Apply(aliases, rows[i].Reading)
		}
	}
	if err := a.complete(ctx, seg, rows); err != nil {
		return err
	}
	return a.finish(ctx, seg, len(envelopes))
}

// complete stores rows that are not stored yet. When another archiver is
// quicker, only the difference to what it stored is left to do.
func (a *Archiver) complete(ctx context.Context, seg *pageSegment, rows []archive.Row) error {
	for {
		missing := seg.missing(rows)
		if len(missing) == 0 {
			return nil
		}
		err := a.putPart(ctx, seg, missing)
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

// putPart stores rows as the next part. A part is locked for years, so it is read
// back before it is stored; and what was read back is what will be indexed.
func (a *Archiver) putPart(ctx context.Context, seg *pageSegment, rows []archive.Row) error {
	number := seg.nextPart()
	key := archive.SegmentKey(seg.page.PulledAt, seg.page.SeqAsked, number)
	written := a.Now().UTC()
	body, err := a.Encode(segment.Meta{
		Corp: a.Corp, PageKey: archive.PageKey(seg.page.SeqAsked), PageSHA256: seg.page.SHA256,
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
	seg.add(part{key: key, number: number, written: written, rows: stored})
	if a.Stored != nil {
		p := Part{Age: written.Sub(seg.page.PulledAt)}
		for _, row := range stored {
			if row.Readable() {
				p.Readable++
			} else {
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

func (a *Archiver) finish(ctx context.Context, seg *pageSegment, envelopes int) error {
	x := Indexer{
		Objects: a.Objects, Derived: a.Derived, Log: a.Log,
		Conversations: a.Conversations, Consents: a.Consents, Media: a.Media, Pages: a.Pages,
	}
	if _, err := x.finish(ctx, seg, envelopes); err != nil {
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
