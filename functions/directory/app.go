package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/directory"
	"wecom-archive/shared/store"
	"wecom-archive/shared/timeid"
	"wecom-archive/shared/wecom/companion"
)

// App is the function.
type App struct {
	Corp    string
	Program string
	API     string // where WeCom answers; empty: the true one
	Objects store.Objects
	Lock    store.Lock // of Objects
	Catalog *catalog.Catalog
	Secrets store.Secrets
	Owner   string // of the lease: one for each process
	Now     func() time.Time
	Log     *slog.Logger
}

// Event is what the function is started with; other members, and none, are fine.
type Event struct {
	// Reason is "new" from the schedule that looks for ids that are new only.
	Reason string `json:"reason"`
}

// Handle is the Lambda handler. It answers with what the run did. That another run is
// at work is no failure.
//
// A run reads the secrets anew, so that a new one counts at once.
func (a *App) Handle(ctx context.Context, event Event) (run archive.Run, err error) {
	secret, err := store.ArchiveSecret(ctx, a.Secrets)
	if err != nil {
		return run, err
	}
	limits := companion.NewLimits()
	client := func(secret string) *companion.Client {
		return companion.New(companion.Config{Corp: a.Corp, Secret: secret, BaseURL: a.API, Limits: limits, Now: a.Now, Log: a.Log})
	}
	c := directory.Config{
		Corp: a.Corp, Program: a.Program, Objects: a.Objects, Lock: a.Lock, Archive: client(secret),
		People: a.Catalog.People, Consents: a.Catalog.Consents, Journal: a.Catalog.Journal, Leases: a.Catalog.Pages,
		Owner: a.Owner, NewID: timeid.New, Now: a.Now, Log: a.Log,
	}
	switch second, err := a.Secrets.Get(ctx, store.SecretCompanion); {
	case err == nil:
		c.App = client(second)
	case !errors.Is(err, store.ErrNotFound):
		return run, err
	default:
		a.Log.InfoContext(ctx, "there is no companion-secret: employees, customers and their rooms keep their ids")
	}
	run, err = directory.New(c).Run(ctx, event.Reason != "new")
	if held := (*catalog.LeaseHeldError)(nil); errors.As(err, &held) {
		a.Log.InfoContext(ctx, "another run is at work", "error", err)
		return run, nil
	}
	if err != nil && run.Remedy != "" {
		err = fmt.Errorf("%w: %s", err, run.Remedy)
	}
	return run, err
}
