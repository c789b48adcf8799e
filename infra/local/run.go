package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/capture"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/clock"
	"wecom-archive/shared/store"
)

const (
	archivers   = 2 // pages in work at a time: one decrypts while the other stores
	maxReceives = 5 // of a page before it becomes a dead letter
	pullEvery   = 10 * time.Second
	pollOnce    = 100 * time.Millisecond
)

// Progress is how far the archive is.
type Progress struct {
	Total       int // messages that WeCom has received
	Pulled      int // envelopes in pages
	Archived    int // readable, in segments
	Quarantined int // not decrypted
	Pages       int
	Pending     int // pages waiting for the archiver
}

// Run pulls and archives until ctx ends, or, with once, until all is archived
// that was served. report, if not nil, is called now and then with how far it is.
func (s *System) Run(ctx context.Context, once bool, report func(Progress)) error {
	if err := s.run(ctx, once, report); !errors.Is(err, context.Canceled) {
		return s.withRemedy(err)
	}
	return nil
}

func (s *System) run(ctx context.Context, once bool, report func(Progress)) error {
	// The queue of an earlier process went with it.
	if err := errors.Join(s.queueWaiting(ctx), s.queueUnfinished(ctx)); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	for range archivers {
		group.Go(func() error { return s.archive(ctx) })
	}
	s.runMedia(ctx, group)
	group.Go(func() error { return s.pull(ctx, once) })
	group.Go(func() error { return s.names(ctx) })
	if !once {
		group.Go(func() error { return s.scrubDaily(ctx) })
	}
	group.Go(func() error {
		defer stop()
		return s.watch(ctx, once, report)
	})
	return group.Wait()
}

// archive works on pages as the queue hands them out.
func (s *System) archive(ctx context.Context) error {
	for {
		d, err := s.queue.Receive(ctx)
		if err != nil {
			return err
		}
		err = s.archiver.Handle(ctx, d.Key)
		if errors.Is(err, store.ErrIndexDamaged) {
			return err // trying again cannot help
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Error("archiving failed, will be tried again", "key", d.Key, "try", d.Receives, "error", err)
		}
		d.Done(err)
	}
}

// pull runs the puller as its schedule does.
func (s *System) pull(ctx context.Context, once bool) error {
	for {
		all := s.Corp.Arrived() == s.Corp.Len()
		run, err := s.puller.Run(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if errors.Is(err, store.ErrIndexDamaged) {
				return err
			}
			if once && run.Remedy != "" {
				return fmt.Errorf("%w (%s)", err, run.Remedy)
			}
			if once {
				return err
			}
			s.Log.Error("pull failed", "error", err, "remedy", run.Remedy)
		}
		wait := pullEvery
		if once && !all {
			wait = pollOnce
		}
		if all && run.Stopped == capture.StoppedEnd {
			s.pulledAll.Store(true)
		}
		if err := s.sleepOrWake(ctx, wait); err != nil {
			return err
		}
	}
}

// sleepOrWake waits, or until somebody asks for a pull.
func (s *System) sleepOrWake(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case <-s.wake:
	}
	return nil
}

// RequestPull records who asks for a pull and has Run begin one at once, or, if one is
// under way, as soon as it has ended.
func (s *System) RequestPull(ctx context.Context, who string) error {
	request := archive.PullRequest{ID: uuid.NewString(), Who: who, At: s.Now().UTC().Truncate(time.Millisecond)}
	if err := archive.PutPullRequest(ctx, s.Objects, s.Corpid(), request); err != nil {
		return err
	}
	select {
	case s.wake <- struct{}{}:
	default: // one is asked for already
	}
	return nil
}

// watch reports progress, and returns when all is done that once asks for.
func (s *System) watch(ctx context.Context, once bool, report func(Progress)) error {
	for {
		pulledAll := s.pulledAll.Load() // before the look at what waits
		p, err := s.Progress(ctx)
		if err != nil {
			return err
		}
		if report != nil {
			report(p)
		}
		if once && pulledAll && p.Pending == 0 && s.mediaIdle() {
			s.learnNames(ctx)
			return nil
		}
		if dead := s.queue.Dead(); once && len(dead) > 0 {
			return fmt.Errorf("archiving %s failed %d times: %w", dead[0].Key, dead[0].Receives, dead[0].Err)
		}
		if err := clock.Sleep(ctx, pollOnce); err != nil {
			return err
		}
	}
}

// queueWaiting queues every page without a segment.
func (s *System) queueWaiting(ctx context.Context) error {
	return eachPage(ctx, s.Catalog.Pages.PendingPages, func(p catalog.PageState) error {
		return s.queue.Notify(ctx, p.Key)
	})
}

// Progress looks how far the archive is.
func (s *System) Progress(ctx context.Context) (Progress, error) {
	cursor, err := s.Catalog.Pages.Cursor(ctx)
	if err != nil {
		return Progress{}, err
	}
	p := Progress{Total: s.Corp.Arrived(), Pulled: int(cursor.Envelopes), Pages: int(cursor.Pages)}
	waiting := 0
	err = eachPage(ctx, s.Catalog.Pages.PendingPages, func(page catalog.PageState) error {
		p.Pending++
		waiting += page.Count
		return nil
	})
	if err != nil {
		return p, err
	}
	err = eachPage(ctx, s.Catalog.Pages.Quarantined, func(page catalog.PageState) error {
		for _, n := range page.Unreadable {
			p.Quarantined += n
		}
		return nil
	})
	p.Archived = max(p.Pulled-waiting-p.Quarantined, 0)
	return p, err
}

func eachPage(ctx context.Context, list func(ctx context.Context, from uint64, limit int) ([]catalog.PageState, error), do func(catalog.PageState) error) error {
	const batch = 500
	for from := uint64(0); ; {
		pages, err := list(ctx, from, batch)
		if err != nil {
			return err
		}
		for _, p := range pages {
			if err := do(p); err != nil {
				return err
			}
		}
		if len(pages) < batch {
			return nil
		}
		from = pages[len(pages)-1].SeqAsked + 1
	}
}
