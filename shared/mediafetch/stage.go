package mediafetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
	"wecom-archive/shared/wecom"
)

// Library is WeCom's native library, as far as the stage needs it. It is safe for
// concurrent use.
type Library interface {
	// GetMediaData fetches a part of a file. The first index is empty, those that
	// follow are the Next of the part before. The error is a *wecom.Error if WeCom or
	// its library refused.
	GetMediaData(ctx context.Context, fileID, index string) (wecom.MediaSlice, error)
}

// Media is what became of files, and how many of a list are unfinished.
type Media interface {
	MediaFiles(ctx context.Context, hashes ...string) (map[string]catalog.MediaFile, error)
	PutMediaFile(ctx context.Context, f catalog.MediaFile) error
	IndexLinks(ctx context.Context, list archive.FetchList, links *archive.PageLinks) (open bool, err error)
	PostponeMedia(ctx context.Context, l catalog.MediaList, next time.Time) error
}

// Damage is told of what is not as it must be (*damage.Book).
type Damage interface {
	Report(ctx context.Context, f archive.Finding) error
}

// Config is what a Stage works with. Fields without a default must be set.
type Config struct {
	Corp    string // corpid
	Program string // our version
	Objects store.Objects
	Lock    store.Lock // of Objects
	Derived store.ObjectReader
	Media   Media
	Library Library
	Sniff   func(head []byte) string // media type of a file by its first bytes, up to 4 KiB; nil: none
	Now     func() time.Time
	Sleep   func(context.Context, time.Duration) error
	Log     *slog.Logger
	Settled func(archive.Link) // told of each reference that was stored or given up; may be nil
	Damage  Damage             // told of stored files that are not what they must be; may be nil

	Spool      string // folder of files under way; made if it is not there
	SpoolLimit int64  // bytes that may lie in it, which bounds a file; default 8 GiB

	Workers        int           // files in work at a time, over all lists; default 16
	CallsPerMinute int           // of GetMediaData, at most; default: as many as there are
	SliceTries     int           // in a row before a file is put off; default 4
	FirstPause     time.Duration // before a file that failed is tried again, doubled each time; default 10 min
	Margin         time.Duration // kept back from the deadline for recording; default 20 s
}

const (
	maxAttempts    = 12 // downloads of a file that may still come
	maxBadAttempts = 3  // of one that WeCom or its library refuses

	flushRefs  = 50               // references that may have to be fetched again after a crash
	flushBytes = 256 << 20        // bytes, likewise
	flushTime  = 30 * time.Second // likewise

	recentFiles = 10_000 // stored by this process, that are remembered
)

// ErrNoTime: the time was over before all files were fetched. The others wait.
var ErrNoTime = errors.New("too little time left in this run")

// Stage fetches files. It is safe for concurrent use, also by stages in other
// processes, which have spools of their own.
type Stage struct {
	Config
	workers chan struct{}
	limiter *rate.Limiter
	spool   *spool
	recent  *lru.Cache[string, catalog.MediaFile] // stored, by hash of the sdkfileid

	mu     sync.Mutex
	flight map[string]chan struct{} // files in work, by hash of the sdkfileid
}

// New returns a Stage.
func New(c Config) *Stage {
	setDefault(&c.SpoolLimit, 8<<30)
	setDefault(&c.Workers, 16)
	setDefault(&c.SliceTries, 4)
	setDefault(&c.FirstPause, 10*time.Minute)
	setDefault(&c.Margin, 20*time.Second)
	if c.Sniff == nil {
		c.Sniff = func([]byte) string { return "" }
	}
	limit, burst := rate.Inf, 1
	if c.CallsPerMinute > 0 {
		limit = rate.Limit(float64(c.CallsPerMinute) / 60)
		burst = max(1, c.CallsPerMinute/60)
	}
	recent, _ := lru.New[string, catalog.MediaFile](recentFiles) // fails for a size below one
	return &Stage{
		Config: c, workers: make(chan struct{}, c.Workers), limiter: rate.NewLimiter(limit, burst),
		spool: newSpool(c.Spool, c.SpoolLimit), recent: recent, flight: map[string]chan struct{}{},
	}
}

func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// Ready says whether the stage can work: the bucket locks what is put there, and
// there is a folder to spool to. Files that earlier processes left there and that
// are too old to be of use are removed.
func (s *Stage) Ready(ctx context.Context) error {
	if err := s.Lock.CheckLock(ctx); err != nil {
		return fmt.Errorf("refusing to fetch media: archive bucket: %w", err)
	}
	if err := s.spool.open(s.Now().Add(-archive.Window)); err != nil {
		return fmt.Errorf("refusing to fetch media: %w", err)
	}
	return nil
}

// Handle fetches the files of a job list. An error means that some were not tried,
// or that what was found out is not all recorded: handle the list again soon. Files
// that have to wait for their next try are no error; Requeuer queues the list when
// it is time.
func (s *Stage) Handle(ctx context.Context, key string) error {
	if err := s.handle(ctx, key); err != nil {
		return fmt.Errorf("fetching the files of %s: %w", key, err)
	}
	return nil
}

func (s *Stage) handle(ctx context.Context, key string) error {
	list, err := archive.ReadFetchList(ctx, s.Derived, key)
	if err != nil {
		return err
	}
	if list.Corp != s.Corp {
		return fmt.Errorf("it is of corp %s, not of %s: %w", list.Corp, s.Corp, store.ErrDamaged)
	}
	links, err := archive.ReadPageLinks(ctx, s.Objects, list.PulledAt, list.SeqAsked)
	if err != nil {
		return err
	}
	p := &pass{Stage: s, list: list, links: links, flushed: s.Now()}
	groups, err := p.unfinished(ctx)
	if err != nil {
		return err
	}
	err = p.work(ctx, groups)
	return errors.Join(err, p.finish(ctx))
}

// alone waits until no other work of this process is on the file, and returns what
// ends its own.
func (s *Stage) alone(ctx context.Context, hash string) (done func(), err error) {
	for {
		s.mu.Lock()
		other, busy := s.flight[hash]
		if !busy {
			mine := make(chan struct{})
			s.flight[hash] = mine
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.flight, hash)
				s.mu.Unlock()
				close(mine)
			}, nil
		}
		s.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
