package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/google/uuid"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/clock"
	"wecom-archive/shared/directory"
	"wecom-archive/shared/store"
	"wecom-archive/shared/timeid"
	"wecom-archive/shared/wecom/companion"
)

// namesEvery is how often ids are looked for that were never asked for.
const namesEvery = 10 * time.Second

// secret returns a secret of the simulated corp, made at the first start.
func (s *System) secret(ctx context.Context, name string) (string, error) {
	value, err := s.Secrets.Get(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		value = uuid.NewString()
		err = s.Secrets.Set(ctx, name, value)
	}
	return value, err
}

// openDirectory starts the corp's companion API, on this machine only, and the stage
// that asks it for names.
func (s *System) openDirectory(ctx context.Context) error {
	archiveKey, err := s.secret(ctx, store.SecretArchive)
	if err != nil {
		return err
	}
	appKey, err := s.secret(ctx, store.SecretCompanion)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("starting the simulated API of names: %w", err)
	}
	server := &http.Server{Handler: s.Corp.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.Log.Error("the simulated API of names has stopped", "error", err)
		}
	}()
	s.closers = append(s.closers, server.Close)
	log := s.Log.With("stage", directory.StageName)
	limits := companion.NewLimits()
	client := func(secret string) *companion.Client {
		return companion.New(companion.Config{Corp: corpID, Secret: secret, BaseURL: "http://" + listener.Addr().String(), Limits: limits, Now: s.Now, Sleep: clock.Sleep, Log: log})
	}
	s.directory = directory.New(directory.Config{
		Corp: corpID, Program: s.Program, Objects: s.Objects, Lock: s.Lock, Archive: client(archiveKey), App: client(appKey),
		People: s.Catalog.People, Consents: s.Catalog.Consents, Journal: s.Catalog.Journal, Leases: s.Catalog.Pages,
		Owner: "local", NewID: timeid.New, Now: s.Now, Log: log,
	})
	return nil
}

// names runs the directory as its schedule does. That it fails holds up nothing.
func (s *System) names(ctx context.Context) error {
	for {
		if err := clock.Sleep(ctx, namesEvery); err != nil {
			return err
		}
		s.learnNames(ctx)
	}
}

// learnNames asks for the names that are not known yet.
func (s *System) learnNames(ctx context.Context) {
	s.learning.Lock()
	defer s.learning.Unlock()
	run, err := s.directory.Run(ctx, false)
	if held := (*catalog.LeaseHeldError)(nil); err != nil && ctx.Err() == nil && !errors.As(err, &held) {
		s.Log.Error("learning names failed, will be tried again", "error", err, "remedy", run.Remedy)
	}
}
