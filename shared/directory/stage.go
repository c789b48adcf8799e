package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"log/slog"
	"sync"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/companion"
)

// ArchiveAPI is what the archive's own secret may call (*companion.Client).
type ArchiveAPI interface {
	PermitUserList(ctx context.Context, edition companion.Edition) ([]string, error)
	InternalGroup(ctx context.Context, room string) (companion.InternalGroup, error)
	RobotInfo(ctx context.Context, id string) (companion.RobotInfo, error)
	CheckSingleAgree(ctx context.Context, pairs []companion.Pair) ([]companion.Consent, error)
	CheckRoomAgree(ctx context.Context, room string) ([]companion.Consent, error)
	Calls() map[string]int
}

// AppAPI is what the secret of the company's own app may call (*companion.Client).
type AppAPI interface {
	User(ctx context.Context, id string) (companion.User, error)
	ExternalContact(ctx context.Context, id string) (companion.ExternalContact, []companion.Follower, error)
	ContactsOf(ctx context.Context, userids []string, cursor string) ([]companion.Contact, string, error)
	CustomerGroup(ctx context.Context, room string) (companion.CustomerGroup, error)
	Calls() map[string]int
}

// Consents are the conversations in which somebody may be asked to agree.
type Consents interface {
	ConsentSubjects(ctx context.Context) iter.Seq2[catalog.Subject, error]
}

// Journal is where the stage writes what happened.
type Journal interface {
	PutRun(ctx context.Context, r archive.Run) error
}

// Leases let one process work at a time.
type Leases interface {
	AcquireDirectoryLease(ctx context.Context, owner string, now time.Time, ttl time.Duration) (catalog.Lease, error)
	RenewLease(ctx context.Context, l catalog.Lease, now time.Time, ttl time.Duration) (catalog.Lease, error)
	ReleaseLease(ctx context.Context, l catalog.Lease) error
}

// Config is what a Stage works with. Fields without a default must be set.
type Config struct {
	Corp     string
	Program  string
	Objects  store.Objects
	Lock     store.Lock      // of Objects
	People   *catalog.People // whole: what is known of people is from here, the stage uses nine methods
	Consents Consents
	Journal  Journal
	Leases   Leases
	Archive  ArchiveAPI
	App      AppAPI // nil: there is no second secret
	Owner    string // of the lease: one for each process
	NewID    func() string
	Now      func() time.Time
	Log      *slog.Logger

	LeaseTTL time.Duration // default 2 min
	Parallel int           // calls at a time; default 4
	Most     int           // most ids of one run: bounds its memory; default 50,000
	Margin   time.Duration // how long before its deadline a run stops; default 20 s
}

// Stage is the stage. See the package.
type Stage struct{ Config }

// New returns a Stage.
func New(c Config) *Stage {
	c.LeaseTTL = cmp.Or(c.LeaseTTL, 2*time.Minute)
	c.Parallel = cmp.Or(c.Parallel, 4)
	c.Most = cmp.Or(c.Most, 50_000)
	c.Margin = cmp.Or(c.Margin, 20*time.Second)
	return &Stage{c}
}

// StageName is the name of runs in the index.
const StageName = "directory"

// Why a run stopped.
const (
	StoppedEnd      = "end"
	StoppedDeadline = "deadline"
	StoppedError    = "error"
)

// How often things are asked for again; see the package.
const (
	dailyAfter   = 20 * time.Hour // a daily run is due: less than the day between two
	refusedFor   = 20 * time.Hour // a secret that WeCom does not accept is left alone, but by daily runs
	customerDays = 7
	otherDays    = 28
)

// run is the state of one Run.
type run struct {
	*Stage
	archive.Run
	until time.Time // when to stop; zero: no deadline

	mu      sync.Mutex
	lease   catalog.Lease
	part    archive.DirectoryPart
	size    int              // of its records, about, in bytes
	refused map[string]error // APIs, or whose secret, that are of no use in this run

	aliases  catalog.Aliases
	spelling map[string]string // of userids, by how readings write them
	resting  bool              // the app's secret is not tried
}

// Run learns what is due. With daily false only ids that were never asked for, unless
// no daily run has come to its end for 20 hours. Within the context's deadline it
// stops where the next run can go on; that is no error.
//
// If WeCom refuses a secret, the IP or an API, the run goes on with what else it can
// ask for; then it ends with an error and the record names the remedy.
// *catalog.LeaseHeldError if another run is at work.
func (s *Stage) Run(ctx context.Context, daily bool) (archive.Run, error) {
	if err := s.Lock.CheckLock(ctx); err != nil {
		return archive.Run{}, fmt.Errorf("starting: %w", err)
	}
	r := &run{Stage: s, refused: map[string]error{}, spelling: map[string]string{}}
	r.Run = archive.Run{ID: s.NewID(), Stage: StageName, StartedAt: s.now()}
	if deadline, ok := ctx.Deadline(); ok {
		r.until = deadline.Add(-s.Margin)
	}
	var err error
	if r.lease, err = s.Leases.AcquireDirectoryLease(ctx, s.Owner, s.Now(), s.LeaseTTL); err != nil {
		return r.Run, fmt.Errorf("starting: %w", err)
	}
	before := s.calls()
	err = r.work(ctx, daily)
	// What was asked for is kept whatever happened: with a context of its own.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err = errors.Join(err, r.flush(ending))
	r.EndedAt, r.Stopped = s.now(), StoppedEnd
	r.Calls = s.calls() - before
	if errors.Is(err, errDeadline) {
		err, r.Stopped = nil, StoppedDeadline
	}
	err = errors.Join(err, r.noteSecret(ending))
	for _, refusal := range r.refused {
		err = errors.Join(err, refusal)
	}
	if err != nil {
		err = fmt.Errorf("learning names: %w", err)
		r.Stopped, r.Error, r.Remedy = StoppedError, err.Error(), remedy(err)
	}
	return r.Run, errors.Join(err, r.record(ending), s.Leases.ReleaseLease(ending, r.lease))
}

// noteSecret notes whether WeCom accepts the app's secret.
func (r *run) noteSecret(ctx context.Context) error {
	if r.App == nil || r.resting {
		return nil
	}
	return r.People.UpdateDirectoryState(ctx, func(s *catalog.DirectoryState) {
		switch refused := errors.Is(r.refused[whoseApp], wecom.ErrBadSecret); {
		case refused:
			s.AppRefusedAt = r.StartedAt
		default:
			s.AppRefusedAt = time.Time{}
		}
	})
}

// record records the run, if it asked for anything or failed.
func (r *run) record(ctx context.Context) error {
	if r.Calls == 0 && r.Error == "" {
		return nil
	}
	err := archive.PutEvent(ctx, r.Objects, archive.RunKey(r.Run), archive.EventRun, r.Corp, r.StartedAt, r.Run)
	return errors.Join(err, r.Journal.PutRun(ctx, r.Run))
}

func (s *Stage) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// calls is how many requests were sent so far.
func (s *Stage) calls() int {
	n := 0
	for _, count := range s.Archive.Calls() {
		n += count
	}
	if s.App != nil {
		for _, count := range s.App.Calls() {
			n += count
		}
	}
	return n
}

// errDeadline ends a run that has no time left.
var errDeadline = errors.New("no time left")

// proceed says whether there is time for another call, and renews the lease when that
// is due.
func (r *run) proceed(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return errDeadline
		}
		return err
	}
	now := r.Now()
	if !r.until.IsZero() && !now.Before(r.until) {
		return errDeadline
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lease.Expires.Sub(now) > r.LeaseTTL/2 {
		return nil
	}
	lease, err := r.Leases.RenewLease(ctx, r.lease, now, r.LeaseTTL)
	if err != nil {
		return fmt.Errorf("renewing the lease: %w", err)
	}
	r.lease = lease
	return nil
}

func (r *run) work(ctx context.Context, daily bool) error {
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	state, err := r.People.DirectoryState(ctx)
	if err != nil {
		return err
	}
	// A wrong secret that is tried again and again bans the IP, and the puller has it, too.
	r.resting = !daily && r.StartedAt.Sub(state.AppRefusedAt) < refusedFor
	daily = daily || r.StartedAt.Sub(state.DailyAt) >= dailyAfter
	if daily && r.StartedAt.Sub(state.SeatsAt) >= dailyAfter {
		if err := r.seats(ctx); err != nil {
			return err
		}
	}
	if err := r.spellings(ctx); err != nil {
		return err
	}
	wanted, err := r.wanted(ctx, daily)
	if err != nil {
		return err
	}
	if err := r.learn(ctx, wanted); err != nil {
		return err
	}
	moreConsents, err := r.consents(ctx, daily)
	if err != nil {
		return err
	}
	if !daily {
		return nil
	}
	if day := archive.Day(r.StartedAt); state.BatchDay != day {
		if err := r.customersOfTheDay(ctx); err != nil {
			return err
		}
		if err := r.flush(ctx); err != nil {
			return err
		}
		if err := r.People.UpdateDirectoryState(ctx, func(s *catalog.DirectoryState) { s.BatchDay = day }); err != nil {
			return err
		}
	}
	if wanted.more || moreConsents {
		return nil // the next run goes on
	}
	return r.People.UpdateDirectoryState(ctx, func(s *catalog.DirectoryState) { s.DailyAt = r.StartedAt })
}

// catchUp puts into the index what an earlier run stored and did not get there.
func (r *run) catchUp(ctx context.Context) error {
	state, err := r.People.DirectoryState(ctx)
	if err != nil {
		return err
	}
	for info, err := range r.Objects.List(ctx, archive.DirectoryPrefix, state.Applied) {
		if err != nil {
			return fmt.Errorf("listing the directory: %w", err)
		}
		if err := r.proceed(ctx); err != nil {
			return err
		}
		if _, ok := archive.ParseDirectoryKey(info.Key); !ok {
			continue
		}
		p, err := archive.GetDirectoryPart(ctx, r.Objects, info.Key)
		if errors.Is(err, store.ErrDamaged) || errors.Is(err, archive.ErrNewFormat) {
			r.Log.ErrorContext(ctx, "a part of the directory cannot be read and is passed over", "key", info.Key, "error", err)
			continue
		}
		if err == nil {
			err = r.People.ApplyDirectoryPart(ctx, info.Key, p)
		}
		if err == nil {
			err = r.People.NoteDirectoryPart(ctx, info.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// refuse looks at an error of a call. nil: it is settled, by an answer or because the
// run goes on without that API; else it ends the run.
func (r *run) refuse(ctx context.Context, whose, api string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return errDeadline
	}
	scope := whose + " " + api
	if e, ok := errors.AsType[*wecom.Error](err); ok && e.Class() == wecom.Stop && !errors.Is(err, wecom.ErrNotGranted) {
		scope = whose // secret or IP: no other API will do either
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused[scope] == nil {
		r.refused[scope] = fmt.Errorf("%s: %w", whose, err)
		r.Log.WarnContext(ctx, "WeCom refuses; going on with what else can be asked for", "scope", scope, "error", err)
	}
	return nil
}

// usable says whether an API was not refused in this run.
func (r *run) usable(whose, api string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if whose == whoseApp && r.resting {
		return false
	}
	return r.refused[whose] == nil && r.refused[whose+" "+api] == nil
}

// Whose secret a call is made with, as errors name it.
const (
	whoseArchive = "the archive's secret"
	whoseApp     = "the app's secret"
)

// due says whether an id that was asked for at a time is to be asked for again: on one
// day of so many.
func due(id string, askedAt, now time.Time, days int64) bool {
	today, last := dayNumber(now), dayNumber(askedAt)
	since := (today - phase(id, days)) % days // days since its last day
	return last < today-since
}

// phase is the day of so many on which an id's turn is.
func phase(id string, days int64) int64 {
	h := fnv.New32a()
	h.Write([]byte(id))
	return int64(h.Sum32()) % days
}

func dayNumber(t time.Time) int64 { return t.Unix() / (24 * 3600) }

// remedy is what an operator does about a run's error.
func remedy(err error) string {
	if e, ok := errors.AsType[*companion.LimitedError](err); ok {
		return fmt.Sprintf("Nothing, if it is rare: WeCom takes calls again at %s and the next run goes on. If it is not, look for another program that calls %s.", e.Until.UTC().Format(time.RFC3339), e.API)
	}
	if e, ok := errors.AsType[*wecom.Error](err); ok && e.Remedy() != "" {
		return e.Remedy()
	}
	return "Look at the log of the directory. Messages are archived all the same; the next run goes on."
}
