package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

// Chats is WeCom's native library, as far as the puller needs it.
type Chats interface {
	// GetChatData returns the reply to "at most limit messages after seq", as it
	// came. A refusal by the library itself is a *wecom.Error; one in the reply
	// is the caller's to find.
	GetChatData(ctx context.Context, seq uint64, limit int) ([]byte, error)
}

// Seats tells whose chats WeCom archives.
type Seats interface {
	// Seats returns the userids in the archive's scope.
	Seats(ctx context.Context) ([]string, error)
}

// Journal is where the puller writes what happened.
type Journal interface {
	PutRun(ctx context.Context, r archive.Run) error
	PutGap(ctx context.Context, g archive.Gap) error
}

// Keys are which of our keys opens which publickey_ver: a restored index is told again.
type Keys interface {
	Bind(ctx context.Context, b archive.KeyBinding) error
}

// Config is what a Puller works with. Fields without a default must be set.
type Config struct {
	Corp     string           // corpid
	Objects  store.Objects    // archive bucket
	Lock     store.Lock       // of Objects
	Pages    *catalog.Pages   // whole: cursor, lease and pages are the puller's, it uses twelve methods
	Journal  Journal          //
	Keys     Keys             //
	Holes    Holes            // of the chain of pages
	Findings catalog.Findings //
	Queue    store.Notifier   // of the archiver
	Chats    Chats            //
	Seats    Seats            // optional: without it an empty stream is never proof of health
	Now      func() time.Time //
	Sleep    func(ctx context.Context, d time.Duration) error
	Owner    string        // who holds the lease; one per process
	NewID    func() string // ids of runs, unique
	Log      *slog.Logger

	Program    string // our version, written into pages
	SDKVersion string // of WeCom's library
	SDKSHA256  string // of its file, hex

	Limit          int               // most envelopes per call; default and maximum 1,000
	CallsPerMinute int               // default 600, WeCom's own limit
	Tries          int               // of one call before a run gives up; default 8
	LeaseTTL       time.Duration     // default 2 min
	Margin         time.Duration     // stop so long before the context's deadline; default 20 s
	RequeueAfter   time.Duration     // queue a page again that waits so long; default 10 min
	MaxRejects     int               // replies kept per run that are no page; default 20
	Seqs           archive.SeqLimits // default archive.DefaultSeqLimits
}

// Puller stores pages. One Run at a time.
type Puller struct {
	config  Config
	limiter *rate.Limiter
}

// New returns a Puller; zero fields of the config get their defaults.
func New(c Config) *Puller {
	setDefault(&c.Limit, 1000)
	setDefault(&c.CallsPerMinute, 600)
	setDefault(&c.Tries, 8)
	setDefault(&c.LeaseTTL, 2*time.Minute)
	setDefault(&c.Margin, 20*time.Second)
	setDefault(&c.RequeueAfter, 10*time.Minute)
	setDefault(&c.MaxRejects, 20)
	setDefault(&c.Seqs, archive.DefaultSeqLimits())
	return &Puller{config: c, limiter: newLimiter(c.CallsPerMinute)}
}

// newLimiter keeps below so many calls in any minute: a full bucket and a
// minute's refill together are no more.
func newLimiter(callsPerMinute int) *rate.Limiter {
	burst := min(10, callsPerMinute/10)
	if burst < 2 {
		return rate.NewLimiter(rate.Limit(float64(callsPerMinute)/60), 1)
	}
	return rate.NewLimiter(rate.Limit(float64(callsPerMinute-burst)/60), burst)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// run is the state of one Run.
type run struct {
	config  Config        // of the puller
	limiter *rate.Limiter // of the puller
	did     archive.Run   // its record

	cursor  catalog.Cursor
	lease   catalog.Lease
	limit   int          // most envelopes of the next call
	asked   int          // most envelopes of the last one
	marked  bool         // a page was stored behind a gap, and says so
	again   *place       // what cannot be read at the cursor; nil: nothing is there
	kept    int          // rejects stored
	refused map[int]bool // errcodes of rejects stored

	caughtUp   bool               // the index holds what the events say
	behind     bool               // it did not before: it was restored from a backup, or a key was bound
	unreadable catalog.Unreadable // events found so
}

// Run pulls until the end of the stream, the context's deadline less Margin, or
// an error, and returns what it did. The returned error is also in the record;
// it wraps a *wecom.Error if WeCom refused, and a *catalog.LeaseHeldError if
// another puller is at work.
func (p *Puller) Run(ctx context.Context) (archive.Run, error) {
	r := &run{config: p.config, limiter: p.limiter, limit: min(p.config.Limit, 1000), refused: map[int]bool{}}
	r.did = archive.Run{ID: p.config.NewID(), Stage: stage, StartedAt: p.config.Now().UTC()}

	if err := p.config.Lock.CheckLock(ctx); err != nil {
		err = own(fmt.Errorf("refusing to pull: archive bucket: %w", err))
		r.describe(err)
		err = errors.Join(err, r.noteInIndex(ctx, nil))
		return r.did, err
	}
	var err error
	if r.lease, err = p.config.Pages.AcquireLease(ctx, p.config.Owner, p.config.Now(), p.config.LeaseTTL); err != nil {
		err = own(fmt.Errorf("starting a pull: %w", err))
		r.describe(err)
		return r.did, err
	}
	err = r.work(ctx)
	return r.did, err
}

// stage is the name of this stage in records of runs.
const stage = "puller"

// work is Run under the lease. What went wrong does not keep it from queueing
// what waits and from recording what it did.
func (r *run) work(ctx context.Context) error {
	state, err := r.prepare(ctx)
	if err == nil {
		// What is missing is older than what comes next, and WeCom forgets it first. It
		// keeps nothing else from being pulled.
		holes := r.fill(ctx)
		if err = r.pull(ctx); holes != nil && !errors.Is(holes, errDeadline) {
			err = errors.Join(err, holes)
		}
		if !r.did.EndReachedAt.IsZero() {
			err = errors.Join(err, r.recordGap(ctx, state, r.config.Now().UTC()))
		}
	}
	r.did.SeqTo = r.cursor.Seq
	r.describe(err)
	if r.did.Stopped != StoppedError && r.did.Stopped != StoppedLease {
		err = nil
	}
	if r.did.Stopped != StoppedLease { // who has the lease now queues, too
		err = errors.Join(err, r.alsoFailed(r.requeue(ctx)))
	}
	return errors.Join(err, r.alsoFailed(r.record(ctx, state)), r.config.Pages.ReleaseLease(ctx, r.lease))
}

// prepare finds out where things stand, and records a gap if there is one.
func (r *run) prepare(ctx context.Context) (catalog.PullState, error) {
	state, err := r.catchUp(ctx)
	if err != nil {
		return state, err
	}
	if r.cursor, err = r.config.Pages.Cursor(ctx); err != nil {
		return state, own(err)
	}
	if err := r.checkCursor(ctx); err != nil {
		return state, err
	}
	r.did.SeqFrom = r.cursor.Seq
	// First to the true end of what is stored: a gap's record names it.
	adoptErr := r.adopt(ctx)
	if errors.Is(adoptErr, errDeadline) {
		return state, adoptErr
	}
	return state, errors.Join(adoptErr, r.recordGap(ctx, state, r.did.StartedAt))
}

// pull stores pages until the stream is at its end.
func (r *run) pull(ctx context.Context) error {
	for {
		asked := r.config.Now().UTC()
		got, err := r.ask(ctx)
		if err != nil {
			return err
		}
		if len(got.parsed.Envelopes) == 0 {
			if got.parsed.ProvesEnd {
				r.did.EndReachedAt = asked
			} else {
				r.config.Log.Warn("reply has no list of messages: nothing more now, but no proof of the end", "seq", r.cursor.Seq)
			}
			return nil
		}
		if err := r.store(ctx, got); err != nil {
			return err
		}
	}
}

// store puts a page and moves the cursor over what is stored then. If what stands there
// cannot be read, the page is an alternate.
func (r *run) store(ctx context.Context, got answer) error {
	h := r.header(got)
	h.Gap = r.did.Gap && !r.marked
	if r.again != nil {
		h.Alternate, h.Until, h.Stem = r.again.next, h.LastSeq, r.again.stem(h)
	}
	switch err := r.put(ctx, h, got.reply); {
	case errors.Is(err, store.ErrExists):
		// Another run stored it, or a lost reply hid that we did. What is stored wins.
		if err := r.adopt(ctx); err != nil {
			return err
		}
		if r.cursor.Seq == h.SeqAsked && (r.again == nil || r.again.next <= h.Alternate) {
			return own(fmt.Errorf("%s is stored, but cannot be found: %w", h.Key(), store.ErrDamaged))
		}
		return nil
	case err != nil:
		return err
	}
	r.marked = true
	if h.Alternate > 0 {
		if err := r.foundAgain(ctx, h); err != nil {
			return err
		}
	}
	if ours, err := r.advance(ctx, h); err != nil || ours {
		return err
	}
	return r.adopt(ctx)
}

// header is what is known of a reply.
func (r *run) header(got answer) archive.PageHeader {
	return archive.PageHeader{
		Corp: r.config.Corp, SeqAsked: got.at, Limit: got.limit,
		FirstSeq: got.parsed.FirstSeq, LastSeq: got.parsed.LastSeq, Count: len(got.parsed.Envelopes),
		Size: int64(len(got.reply)), PulledAt: r.config.Now().UTC().Truncate(time.Millisecond), Run: r.did.ID,
		Program: r.config.Program, SDKVersion: r.config.SDKVersion, SDKSHA256: r.config.SDKSHA256,
	}
}

// put stores a reply.
func (r *run) put(ctx context.Context, h archive.PageHeader, reply []byte) error {
	stored, err := archive.EncodePage(h, reply)
	if err != nil {
		return fmt.Errorf("packing page %d: %w", h.SeqAsked, err)
	}
	if err := putBytes(ctx, r.config.Objects, h.Key(), stored); err != nil {
		return own(err)
	}
	r.did.Pages++
	r.did.Envelopes += h.Count
	return nil
}

// advance notes a stored page and moves the cursor over it. If another run has
// moved it, the cursor is read again and ours is false.
func (r *run) advance(ctx context.Context, h archive.PageHeader) (ours bool, err error) {
	note := r.config.Pages.NotePage
	if h.Alternate > 0 { // what the index knows is of the page that cannot be read
		note = r.config.Pages.ReopenPage
	}
	if err := note(ctx, h); err != nil {
		return false, own(err)
	}
	next, err := r.config.Pages.AdvanceCursor(ctx, r.cursor, h)
	if errors.Is(err, store.ErrConflict) {
		r.again = nil
		r.cursor, err = r.config.Pages.Cursor(ctx)
		return false, own(err)
	}
	if err != nil {
		return false, own(err)
	}
	r.cursor, r.again = next, nil
	return true, nil
}

// mayGoOn renews the lease when it is due, and ends a run that is out of time.
func (r *run) mayGoOn(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := r.config.Now()
	if deadline, ok := ctx.Deadline(); ok && deadline.Sub(now) < r.config.Margin {
		return errDeadline
	}
	if r.lease.Expires.Sub(now) > r.config.LeaseTTL/2 {
		return nil
	}
	lease, err := r.config.Pages.RenewLease(ctx, r.lease, now, r.config.LeaseTTL)
	if err != nil {
		return own(fmt.Errorf("renewing the lease: %w", err))
	}
	r.lease = lease
	return nil
}
