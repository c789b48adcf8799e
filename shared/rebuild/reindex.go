package rebuild

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/reparse"
	"wecom-archive/shared/store"
)

// Config is what a Reindexer works with. Fields without a default must be set.
type Config struct {
	Corp     string // corpid
	Objects  store.Objects
	Versions store.Versions   // of the same bucket
	Catalog  *catalog.Catalog // whole: every subject is emptied and made again
	Dropper  store.Dropper    // of the catalog's index
	Queue    store.Notifier
	Now      func() time.Time
	Log      *slog.Logger

	Owner    string        // of the puller's lease while it runs; default "reindex"
	LeaseTTL time.Duration // default 2 min
	Parallel int           // pages read at a time; default 4

	// Stop is asked between two steps; Run then ends with ErrUnfinished, and leaves the
	// lease to expire, for the next Run by the same owner. Nil: never.
	Stop func() bool
}

// ErrUnfinished ends a Run that was told to stop. The next one goes on.
var ErrUnfinished = errors.New("not all is done yet; the same again goes on")

// Reindexer makes the index from the archive bucket alone: pages and cursor,
// postings, quarantine, what stands in events only, and names. One at a time.
type Reindexer struct{ Config }

// NewReindexer returns a Reindexer.
func NewReindexer(c Config) *Reindexer {
	if c.Owner == "" {
		c.Owner = "reindex"
	}
	if c.LeaseTTL == 0 {
		c.LeaseTTL = 2 * time.Minute
	}
	if c.Parallel == 0 {
		c.Parallel = 4
	}
	return &Reindexer{c}
}

// Report is what a reindex found. After an interruption it counts what the
// interrupted one found, too.
type Report struct {
	Pages         int64 `json:"pages"`
	Envelopes     int64 `json:"envelopes"`
	Waiting       int64 `json:"waiting"`        // pages without a complete segment, queued for the archiver
	Media         int64 `json:"media"`          // pages with files to fetch, queued for the archiver, which writes their job lists
	DamagedPages  int64 `json:"damaged_pages"`  // whose header cannot be read
	Holes         int64 `json:"holes"`          // places where pages are missing
	Events        int64 `json:"events"`         //
	DamagedEvents int64 `json:"damaged_events"` // passed over
	Names         int64 `json:"names"`          // parts of the directory
	DamagedNames  int64 `json:"damaged_names"`  // passed over
	Incidents     int64 `json:"incidents"`      // delete markers and later versions in the bucket
	Resumed       bool  `json:"resumed"`        // it went on where an interrupted one had stopped
}

// phase is a step of a reindex. Names are stored.
type phase string

const (
	phaseDrop      phase = "drop"
	phasePages     phase = "pages"
	phaseCursor    phase = "cursor"
	phaseEvents    phase = "events"
	phaseHoles     phase = "holes"
	phaseEnd       phase = "end"
	phaseDirectory phase = "directory"
	phaseConsents  phase = "consents"
	phaseIncidents phase = "incidents"
	phaseState     phase = "state"
)

// progress is how far a reindex is. What it says is in the index already.
type progress struct {
	Phase   phase          `json:"phase"`
	Dropped bool           `json:"dropped"`         // the index was emptied first
	After   string         `json:"after,omitempty"` // last object of the phase that is done
	Cursor  catalog.Cursor `json:"cursor"`          // after the pages so far
	Next    uint64         `json:"next"`            // seq asked that continues the chain
	Over    string         `json:"over,omitempty"`  // key of the page that ends there
	Unread  uint64         `json:"unread"`          // seq asked of the last page that cannot be read
	Day     time.Time      `json:"day,omitzero"`    // pull time of the last page
	Since   time.Time      `json:"since,omitzero"`  // and of the last that had all that WeCom had

	Regions []decode.Region `json:"regions,omitempty"` // without pages, not yet looked at
	Learned learned         `json:"learned"`           // from events
	Report  Report          `json:"report"`
}

const progressName = "reindex"

// run is the state of one Run.
type run struct {
	*Reindexer
	progress
	indexer decode.Indexer
	lease   catalog.Lease
	damage  *damage.Book
}

// Run makes the index again, over what is there, or, with drop, after emptying
// it: without, items that no object accounts for stay. It holds the puller's
// lease, so that nobody pulls by half an index; archivers may be at work. If an
// earlier Run was interrupted it goes on from there, unless drop is asked for and
// that one had not dropped. A reparse that was under way begins anew.
//
// A page, segment, event or part of the directory that cannot be read is counted and passed over. Other
// errors end it: the store does not answer (run it again), the lease is held
// (*catalog.LeaseHeldError), or the index knows of pages that are not stored
// (*catalog.CursorAheadError).
func (x *Reindexer) Run(ctx context.Context, drop bool) (Report, error) {
	book := damage.New(x.Objects, x.Catalog.Table, x.Corp, x.Now)
	r := &run{Reindexer: x, damage: book, indexer: decode.Indexer{
		Corp: x.Corp, Objects: x.Objects, Now: x.Now, Log: x.Log,
		Conversations: x.Catalog.Conversations, Consents: x.Catalog.Consents, Media: x.Catalog.Media, Pages: x.Catalog.Pages,
		Holes: x.Catalog.Journal, Findings: book,
	}}
	var err error
	if r.lease, err = x.Catalog.Pages.AcquireLease(ctx, x.Owner, x.Now(), x.LeaseTTL); err != nil {
		return Report{}, fmt.Errorf("starting to reindex: %w", err)
	}
	err = r.work(ctx, drop)
	if errors.Is(err, ErrUnfinished) { // nobody is to pull before the next one has begun
		return r.Report, fmt.Errorf("reindexing: %w", err)
	}
	// With a context of its own: an interrupted reindex must not hold up the puller.
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err = errors.Join(err, x.Catalog.Pages.ReleaseLease(release, r.lease))
	if err != nil {
		return r.Report, fmt.Errorf("reindexing: %w", err)
	}
	return r.Report, nil
}

func (r *run) work(ctx context.Context, drop bool) error {
	found, err := r.Catalog.Journal.Progress(ctx, progressName, &r.progress)
	if err != nil {
		return err
	}
	if found && (r.Dropped || !drop) {
		r.Report.Resumed = true
	} else {
		r.progress = progress{Phase: phasePages, Dropped: drop}
		if drop {
			r.Phase = phaseDrop
		}
		if err := r.begin(ctx); err != nil {
			return err
		}
	}
	for _, step := range []struct {
		phase phase
		do    func(context.Context) error
		next  phase
	}{
		{phaseDrop, r.drop, phasePages},
		{phasePages, r.pages, phaseEvents},
		{phaseCursor, r.restoreCursor, phaseEvents}, // where a program of before stopped
		{phaseEvents, r.events, phaseHoles},
		{phaseHoles, r.holes, phaseEnd},
		{phaseEnd, r.end, phaseDirectory},
		{phaseDirectory, r.directory, phaseConsents},
		{phaseConsents, r.consents, phaseIncidents},
		{phaseIncidents, r.incidents, phaseState},
		{phaseState, r.restoreState, ""},
	} {
		if step.phase != r.Phase {
			continue
		}
		if err := step.do(ctx); errors.Is(err, ErrUnfinished) {
			return errors.Join(err, r.save(ctx))
		} else if err != nil {
			return err
		}
		if r.Phase, r.After = step.next, ""; r.Phase == "" {
			break
		}
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	if err := r.indexMended(ctx); err != nil {
		return err
	}
	return r.Catalog.Journal.ForgetProgress(ctx, progressName)
}

// indexMended ends what was found wrong with the index: it is another one now.
func (r *run) indexMended(ctx context.Context) error {
	for _, as := range []archive.ClosedAs{"", archive.Acknowledged} {
		for after := ""; ; {
			entries, next, err := r.damage.List(ctx, as, after, 1000)
			if err != nil {
				return err
			}
			for _, e := range entries {
				if e.Finding.Where != archive.InIndex {
					continue
				}
				if err := r.damage.Mended(ctx, e.Finding, "reindex"); err != nil {
					return err
				}
			}
			if after = next; next == "" {
				break
			}
		}
	}
	return nil
}

// begin saves that nothing is done yet. What was made of the readings that the index
// had is not true of the new one.
func (r *run) begin(ctx context.Context) error {
	if err := reparse.Forget(ctx, r.Catalog.Journal); err != nil {
		return err
	}
	return r.save(ctx)
}

// save says that everything up to here is in the index.
func (r *run) save(ctx context.Context) error {
	return r.Catalog.Journal.SaveProgress(ctx, progressName, r.progress)
}

// keep renews the lease when it is due, and says whether to go on.
func (r *run) keep(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.Stop != nil && r.Stop() {
		return ErrUnfinished
	}
	now := r.Now()
	if r.lease.Expires.Sub(now) > r.LeaseTTL/2 {
		return nil
	}
	lease, err := r.Catalog.Pages.RenewLease(ctx, r.lease, now, r.LeaseTTL)
	if err != nil {
		return fmt.Errorf("renewing the lease: %w", err)
	}
	r.lease = lease
	return nil
}

func (r *run) drop(ctx context.Context) error { return r.Catalog.Drop(ctx, dropping{r}) }

// dropping keeps the lease while a large index is emptied.
type dropping struct{ *run }

func (d dropping) Drop(ctx context.Context, keep ...string) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	done := make(chan error, 1)
	go func() { done <- d.Dropper.Drop(ctx, keep...) }()
	ticker := time.NewTicker(d.LeaseTTL / 4)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			if cause := context.Cause(ctx); err != nil && cause != nil {
				err = errors.Join(cause, err)
			}
			return err
		case <-ticker.C:
			if err := d.keep(ctx); err != nil {
				stop(err)
				return errors.Join(err, <-done)
			}
		}
	}
}

// altered reports an object that cannot be read. One that a newer program wrote is as it
// was written.
func (r *run) altered(ctx context.Context, key string, why error) error {
	if errors.Is(why, archive.ErrNewFormat) {
		return nil
	}
	return r.damage.Report(ctx, archive.Finding{Where: archive.InArchive, Kind: archive.Altered, Key: key, By: "reindex", Detail: why.Error()})
}

// restoreCursor puts the cursor behind the last page.
func (r *run) restoreCursor(ctx context.Context) error {
	return r.Catalog.Pages.RestoreCursor(ctx, r.Cursor)
}

// incidents finds what lies on top of the truth. Those that are new are recorded.
func (r *run) incidents(ctx context.Context) error {
	count, err := catalog.RecordIncidents(ctx, leased{r}, r.Objects, r.Catalog.Journal, r.Corp, "")
	r.Report.Incidents += int64(count.Found)
	return err
}
