package scrub

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/environment"
	"wecom-archive/shared/store"
)

// ErrStray says that no part of the program puts an object there.
var ErrStray = errors.New("no part of the program puts this there")

// ErrUnfinished ends a Run that was told to stop. The next one goes on.
var ErrUnfinished = errors.New("not all of the day's share is read yet; the next run goes on")

// Part is a prefix, and what its objects must be. Check returns nil for one that is
// whole, ErrStray, store.ErrDamaged, archive.ErrNewFormat, or why it could not look.
type Part struct {
	Prefix string
	Check  func(ctx context.Context, key string) error
}

// Expected tells of objects that must be there: it calls must with the key of each. Mine
// says whether an object that it would have to read for that is of the day's share.
type Expected func(ctx context.Context, mine func(key string) bool, must func(key string) error) error

// Journal keeps how far a scrub is (catalog.Journal).
type Journal interface {
	SaveProgress(ctx context.Context, name string, v any) error
	Progress(ctx context.Context, name string, v any) (found bool, err error)
}

// Config is what a Scrubber works with. All but Expected and Stop is required.
type Config struct {
	Name     string // of this scrubber: Archive, Files
	Objects  store.ObjectReader
	Journal  Journal
	Book     *damage.Book
	Parts    []Part
	Expected []Expected
	Shares   int // a full round takes so many runs that end; at least 1
	Now      func() time.Time
	Log      *slog.Logger
	Stop     func() bool // asked between two objects; nil: never
}

// Scrubber reads the archive again.
type Scrubber struct{ Config }

// New returns a Scrubber.
func New(c Config) *Scrubber {
	c.Shares = max(1, c.Shares)
	return &Scrubber{c}
}

// Report is what a run did.
type Report struct {
	Objects int   `json:"objects"` // read and compared
	Damaged int   `json:"damaged"` // that are not as they must be, or are not there
	Known   int   `json:"known"`   // likewise, but somebody took note of it
	Mended  int   `json:"mended"`  // that were damaged and are whole again
	Unread  int   `json:"unread"`  // that could not be read now
	Round   bool  `json:"round"`   // it ended a full round
	Share   int   `json:"share"`   // which one it read, from 1
	Shares  int   `json:"shares"`  //
	Bytes   int64 `json:"bytes"`   // of them, as listed
}

// Standing is how far a scrubber is. It is kept in the index.
type Standing struct {
	Shares  int       `json:"shares"`
	Share   int       `json:"share"`           // under way or next, from 0
	Part    int       `json:"part"`            // of it; len(Parts) and above: of what must be there
	After   string    `json:"after,omitempty"` // last object that was read
	Passed  int       `json:"passed"`          // of what must be there, so many were looked for
	Began   time.Time `json:"began,omitzero"`  // this round
	Unread  int       `json:"unread"`          // in it
	Looked  int       `json:"looked"`          // at so many objects in it
	LastRun time.Time `json:"last_run,omitzero"`

	RoundBegan   time.Time `json:"round_began,omitzero"` // the last full round
	RoundEnded   time.Time `json:"round_ended,omitzero"`
	RoundObjects int       `json:"round_objects"`
}

// DefaultDays is in how many days the archive is read again, where nobody says.
const DefaultDays = 365

// DaysSetting reads in how many days a function reads the archive again.
func DaysSetting(to *int) environment.Number {
	return environment.Number{Name: "WECOM_ARCHIVE_SCRUB_DAYS", To: to, Least: 1, Most: 3650}
}

// Names of scrubbers.
const (
	Archive = "scrub-archive" // all but files
	Files   = "scrub-files"
)

// savedEvery is after how many objects progress is saved. Reading one again changes
// nothing.
const savedEvery = 50

// maxUnread is how many objects in a row may fail to be read before a run gives up: then
// it is the store that does not answer.
const maxUnread = 20

// run is the state of one Run.
type run struct {
	*Scrubber
	Standing
	report Report
	open   map[place]archive.ClosedAs // those with a finding, and whether somebody took note of it
	told   map[string]bool            // in this run
	inARow int
	since  int
}

// place is where something was found.
type place struct {
	where archive.Where
	key   string
}

// Run reads the day's share, or what is left of it.
func (s *Scrubber) Run(ctx context.Context) (Report, error) {
	r := &run{Scrubber: s}
	if _, err := s.Journal.Progress(ctx, s.Name, &r.Standing); err != nil {
		return Report{}, fmt.Errorf("scrubbing: %w", err)
	}
	if r.Shares != s.Config.Shares { // its objects are dealt out anew
		r.Standing = Standing{Shares: s.Config.Shares, RoundBegan: r.RoundBegan, RoundEnded: r.RoundEnded, RoundObjects: r.RoundObjects}
	}
	if r.Began.IsZero() {
		r.Began = s.Now().UTC()
	}
	r.report.Share, r.report.Shares = r.Share+1, r.Standing.Shares
	err := r.work(ctx)
	r.LastRun = s.Now().UTC()
	// What was found is in the book; that progress is lost costs reading it again.
	if saveErr := s.Journal.SaveProgress(context.WithoutCancel(ctx), s.Name, r.Standing); err == nil {
		err = saveErr
	}
	if err != nil && !errors.Is(err, ErrUnfinished) {
		err = fmt.Errorf("scrubbing: %w", err)
	}
	return r.report, err
}

// RunInTime is Run for a function: it stops where less time than that is left of ctx's,
// which is no error. Tomorrow's goes on.
func (s *Scrubber) RunInTime(ctx context.Context, reserve time.Duration) (Report, error) {
	timed := *s
	timed.Stop = func() bool {
		deadline, ok := ctx.Deadline()
		return ok && time.Until(deadline) < reserve
	}
	report, err := timed.Run(ctx)
	if errors.Is(err, ErrUnfinished) {
		err = nil
	}
	s.Log.InfoContext(ctx, "scrubbed", "scrub", s.Name, "report", report)
	return report, err
}

func (r *run) work(ctx context.Context) error {
	if err := r.recheck(ctx); err != nil {
		return err
	}
	for ; r.Part < len(r.Parts); r.Part, r.After = r.Part+1, "" {
		if err := r.part(ctx, r.Parts[r.Part]); err != nil {
			return err
		}
	}
	for ; r.Part < len(r.Parts)+len(r.Expected); r.Part, r.Passed = r.Part+1, 0 {
		n := 0
		err := r.Expected[r.Part-len(r.Parts)](ctx, r.mine, func(key string) error {
			// What came in between, before the place where the last run stopped, shifts
			// the others: they have their turn in the next round.
			if n++; n <= r.Passed {
				return nil
			}
			if err := r.must(ctx, key); err != nil {
				return err
			}
			r.Passed = n
			return nil
		})
		if err != nil && !errors.Is(err, store.ErrIndexDamaged) { // the check of the pages says what the index lacks
			return err
		}
	}
	r.Part, r.After = 0, ""
	if r.Share++; r.Share < r.Standing.Shares {
		return nil
	}
	if r.Unread == 0 { // else it was no full round
		r.RoundBegan, r.RoundEnded, r.RoundObjects = r.Began, r.Now().UTC(), r.Looked
		r.report.Round = true
	}
	r.Share, r.Unread, r.Looked, r.Began = 0, 0, 0, time.Time{}
	return nil
}

// mine says whether an object is of the share.
func (r *run) mine(key string) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return int(h.Sum32()%uint32(r.Standing.Shares)) == r.Share
}

// keep says whether to go on, and saves progress now and then.
func (r *run) keep(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.Stop != nil && r.Stop() {
		return ErrUnfinished
	}
	if r.since++; r.since < savedEvery {
		return nil
	}
	r.since = 0
	return r.Journal.SaveProgress(ctx, r.Name, r.Standing)
}

// recheck looks first, each day, at what was found before: is it whole again?
func (r *run) recheck(ctx context.Context) error {
	r.open, r.told = map[place]archive.ClosedAs{}, map[string]bool{}
	s, err := r.Book.Summary(ctx)
	if err != nil {
		return err
	}
	for _, e := range append(s.Open, s.Acknowledged...) {
		f := e.Finding
		if f.Where == archive.InArchive && f.Kind == archive.Stray {
			if err := r.strayGone(ctx, f); err != nil {
				return err
			}
		}
		if f.Where == archive.InDerived || f.Kind != archive.Missing && f.Kind != archive.Altered {
			continue
		}
		for _, p := range r.Parts {
			if !strings.HasPrefix(f.Key, p.Prefix) {
				continue
			}
			r.open[place{f.Where, f.Key}] = e.As
			if err := r.check(ctx, p, f.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

// strayGone ends what was found of an object that does not lie there any more.
func (r *run) strayGone(ctx context.Context, f archive.Finding) error {
	_, err := r.Objects.Head(ctx, f.Key)
	if !errors.Is(err, store.ErrNotFound) {
		return nil
	}
	r.report.Mended++
	return r.Book.Mended(ctx, f, r.Name)
}

func (r *run) part(ctx context.Context, p Part) error {
	for info, err := range r.Objects.List(ctx, p.Prefix, r.After) {
		if err != nil {
			return fmt.Errorf("listing %s: %w", p.Prefix, err)
		}
		if !r.mine(info.Key) {
			continue
		}
		if err := r.keep(ctx); err != nil {
			return err
		}
		if err := r.check(ctx, p, info.Key); err != nil {
			return err
		}
		r.After = info.Key
		r.Looked++
		r.report.Objects++
		r.report.Bytes += info.Size
	}
	return nil
}

// check looks at one object, twice before it says that one is damaged: it may have been
// altered on the way.
func (r *run) check(ctx context.Context, p Part, key string) error {
	err := p.Check(ctx, key)
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrNotFound) || errors.Is(err, catalog.ErrUntold) {
		err = p.Check(ctx, key)
	}
	f := archive.Finding{Where: archive.InArchive, Kind: archive.Altered, Key: key, By: r.Name}
	switch {
	case err == nil, errors.Is(err, archive.ErrNewFormat): // a newer program wrote it
		r.inARow = 0
		return r.whole(ctx, key, archive.InArchive, archive.InIndex)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, catalog.ErrUntold): // the object itself is whole
		f.Where = archive.InIndex
		if err := r.whole(ctx, key, archive.InArchive); err != nil {
			return err
		}
	case errors.Is(err, ErrStray), errors.Is(err, store.ErrUnverified): // the latter: at a name that we might have used
		f.Kind = archive.Stray
	case errors.Is(err, store.ErrNotFound):
		f.Kind = archive.Missing
	case !errors.Is(err, store.ErrDamaged):
		r.Unread++
		r.report.Unread++
		r.Log.WarnContext(ctx, "an object cannot be read now", "key", key, "error", err)
		if r.inARow++; r.inARow >= maxUnread {
			return fmt.Errorf("%d objects in a row cannot be read: %w", r.inARow, err)
		}
		return nil
	}
	r.inARow = 0
	return r.found(ctx, f, err)
}

// whole ends what was found at an object.
func (r *run) whole(ctx context.Context, key string, where ...archive.Where) error {
	for _, w := range where {
		if _, damaged := r.open[place{w, key}]; !damaged {
			continue
		}
		delete(r.open, place{w, key})
		r.report.Mended++
		if err := r.Book.Whole(ctx, w, key, r.Name); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) found(ctx context.Context, f archive.Finding, why error) error {
	f.Detail = why.Error()
	if len(f.Detail) > 300 {
		f.Detail = strings.ToValidUTF8(f.Detail[:300], "") + "…"
	}
	if r.told[f.Key] {
		return nil
	}
	r.told[f.Key] = true
	if r.open[place{f.Where, f.Key}] == archive.Acknowledged {
		r.report.Known++
		return nil
	}
	r.report.Damaged++
	r.Log.ErrorContext(ctx, "an object is not as it must be", "key", f.Key, "kind", f.Kind, "error", why)
	return r.Book.Report(ctx, f)
}

// must looks whether an object is there.
func (r *run) must(ctx context.Context, key string) error {
	if err := r.keep(ctx); err != nil {
		return err
	}
	_, err := r.Objects.Head(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		_, err = r.Objects.Head(ctx, key)
	}
	f := archive.Finding{Where: archive.InArchive, Kind: archive.Missing, Key: key, By: r.Name}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return r.found(ctx, f, err)
	case errors.Is(err, store.ErrDamaged): // the check of its part says so
		return nil
	}
	return err
}
