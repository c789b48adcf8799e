package local

import (
	"context"
	"errors"
	"path/filepath"
	"time"
	"wecom-archive/shared/damage"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/clock"
	"wecom-archive/shared/mediafetch"
	"wecom-archive/shared/store"
)

const (
	mediaLists   = 4 // job lists in work at a time
	mediaWorkers = 16
	sweepEvery   = 5 * time.Second

	// spoolFolder is where files under way lie, in the data folder. Its name is none
	// that a bucket can have.
	spoolFolder = ".spool"
)

// openMedia opens the media stage, if there is a library to fetch files with.
func (s *System) openMedia(ctx context.Context, library mediafetch.Library) error {
	if library == nil {
		return nil
	}
	s.media = mediafetch.New(mediafetch.Config{
		Damage: damage.New(s.Objects, s.Catalog.Table, corpID, s.Now),
		Corp:   corpID, Program: s.Program, Objects: s.Objects, Lock: s.Lock, Derived: s.Derived, Media: s.Catalog.Media, Library: library,
		Now: s.Now, Sleep: clock.Sleep, Log: s.Log.With("stage", "media"), Spool: filepath.Join(s.Dir, spoolFolder),
		Workers: mediaWorkers, SpoolLimit: s.SpoolLimit, Sniff: s.Sniff,
		SliceTries: 2, // there is no network whose hiccups pass
	})
	return s.media.Ready(ctx)
}

// runMedia fetches files until ctx ends.
func (s *System) runMedia(ctx context.Context, group *errgroup.Group) {
	if s.media == nil {
		return
	}
	for range mediaLists {
		group.Go(func() error { return s.fetch(ctx) })
	}
	group.Go(func() error { return s.sweep(ctx) })
}

// fetch works on job lists as the queue hands them out.
func (s *System) fetch(ctx context.Context) error {
	for {
		d, err := s.mediaQueue.Receive(ctx)
		if err != nil {
			return err
		}
		err = s.media.Handle(ctx, d.Key)
		if errors.Is(err, store.ErrIndexDamaged) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Error("fetching media failed, will be tried again", "key", d.Key, "try", d.Receives, "error", err)
		}
		d.Done(err)
	}
}

// sweep queues again what is unfinished and due, at once and then now and then.
func (s *System) sweep(ctx context.Context) error {
	again := &mediafetch.Requeuer{Media: s.Catalog.Media, Queue: s.mediaQueue, Now: s.Now, After: time.Second, Every: sweepEvery}
	for {
		if _, err := again.Run(ctx); err != nil {
			return err
		}
		if err := clock.Sleep(ctx, sweepEvery); err != nil {
			return err
		}
	}
}

// queueUnfinished queues every job list with files that are due: the queue of an
// earlier process went with it.
func (s *System) queueUnfinished(ctx context.Context) error {
	if s.media == nil {
		return nil
	}
	_, err := (&mediafetch.Requeuer{Media: s.Catalog.Media, Queue: s.mediaQueue, Now: s.Now, After: 1, Every: 1}).Run(ctx)
	return err
}

// mediaIdle says whether no file is being fetched or waits for its turn. Some may
// wait for their next try.
func (s *System) mediaIdle() bool { return s.media == nil || s.mediaQueue.Len() == 0 }
