package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
	"wecom-archive/shared/wecom/wecomtest"
)

// OpenArchive opens the archive in a folder that Open has made, for the operator's
// commands: without the simulated corp. Like Open it keeps every other process out
// of the folder, the running system too: two would each have a queue of their own.
func OpenArchive(ctx context.Context, c Config) (_ *System, err error) {
	if _, err := readSettings(c.Dir); err != nil {
		return nil, err
	}
	s := &System{Config: c}
	defer func() {
		if err != nil {
			err = errors.Join(s.withRemedy(err), s.Close())
		}
	}()
	if err := s.openFolder(ctx); err != nil {
		return nil, err
	}
	return s, s.openArchiver(ctx, wecomtest.Library{})
}

// Reopen opens the system in a folder that Open has made, with the corp that it
// was made with and what that had said by then.
func Reopen(ctx context.Context, c Config) (*System, error) {
	stored, err := readSettings(c.Dir)
	if err != nil {
		return nil, err
	}
	c.Seed, c.Messages = stored.Seed, 0
	return Open(ctx, c)
}

// readSettings reads the settings of a folder that Open has made.
func readSettings(dir string) (s settings, err error) {
	text, err := os.ReadFile(filepath.Join(dir, settingsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("--dir %s: no archive is there; wecom-archive local makes one", dir)
	}
	if err != nil {
		return s, fmt.Errorf("--dir: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("--dir %s: reading %s: %w", dir, settingsFile, err)
	}
	return s, nil
}

// Corpid is the simulated corp's.
func (s *System) Corpid() string { return corpID }

// Queue is the archiver's. What is put there, Drain works on.
func (s *System) Queue() store.Notifier { return s.queue }

// Pull pulls once. Only a system that Open or Reopen opened can.
func (s *System) Pull(ctx context.Context) (archive.Run, error) { return s.puller.Run(ctx) }

// Drain archives what is queued, and returns when nothing is left.
func (s *System) Drain(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, groupCtx := errgroup.WithContext(ctx)
	for range archivers {
		group.Go(func() error { return s.archive(groupCtx) })
	}
	waitErr := s.queue.Wait(groupCtx)
	stop()
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if waitErr != nil {
		return waitErr
	}
	if dead := s.queue.Dead(); len(dead) > 0 {
		return fmt.Errorf("archiving %s failed %d times: %w", dead[0].Key, dead[0].Receives, dead[0].Err)
	}
	return nil
}
