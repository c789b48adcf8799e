package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/capture"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/clock"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/doctor"
	"wecom-archive/shared/metrics"
	"wecom-archive/shared/store"
	"wecom-archive/shared/timeid"
	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/native"
)

// Library is WeCom's library with the corp's secret.
type Library interface {
	capture.Chats
	Close() error
}

// App is the function.
type App struct {
	Corp     string
	Program  string
	Limit    int    // most messages per page; 0: 1,000
	SDK      string // path of WeCom's library
	Echo     string // address of a service that tells ours; see doctor.Echo
	Objects  store.Objects
	Lock     store.Lock // of Objects
	Catalog  *catalog.Catalog
	Queue    store.Notifier
	Secrets  store.Secrets
	Inspect  func(path string) (native.Info, error)
	Open     func(ctx context.Context, secret, proxyPassword string) (Library, error)
	Versions store.Versions                                         // of Objects
	Locks    func(ctx context.Context) (compliance bool, err error) // whether what is stored nobody can take back
	Metrics  *metrics.Writer
	Owner    string // of the lease: one for each process
	Now      func() time.Time
	Log      *slog.Logger
}

// Event is what the function is started with; other members, and none, are fine: what
// the queue of the callback brings has neither of these, and is pulled for.
type Event struct {
	// Reason is "retry" from the schedule that tries again what failed, and "doctor"
	// from the operator who wants to know whether all is in place.
	Reason string `json:"reason"`
	// TrustedIP is the address that WeCom should see, for "doctor"; empty: not known.
	TrustedIP string `json:"trusted_ip"`
}

// freshFor is how long a run that ended well makes a retry needless. It is a little
// more than the day between two pulls: one that fails before it begins, without a
// secret for instance, leaves no trace but its absence.
const freshFor = 25 * time.Hour

// Handle is the Lambda handler. It answers with what the run did, or, if a retry is
// needless, with what the last run did: an archive.Run. That another puller is at
// work is no failure. To "doctor" it answers with an archive.Checkup.
func (a *App) Handle(ctx context.Context, event Event) (any, error) {
	switch event.Reason {
	case "doctor":
		return a.examine(ctx, event.TrustedIP)
	case "retry":
		last, err := a.Catalog.Journal.Runs(ctx, "puller", 1)
		if err != nil {
			return nil, err
		}
		if len(last) == 1 && last[0].Stopped == capture.StoppedEnd && last[0].Error == "" && a.Now().Sub(last[0].EndedAt) < freshFor {
			return last[0], nil
		}
	}
	run, err := a.pull(ctx)
	a.measure(ctx, run, err)
	if event.Reason == "schedule" && err == nil {
		err = a.lookForIncidents(ctx)
	}
	return run, err
}

// pull runs the puller once.
//
// A run reads the secret and opens the library anew, so that a new secret counts
// at once, and Lambda never freezes the library's process between two runs.
func (a *App) pull(ctx context.Context) (run archive.Run, err error) {
	info, err := a.Inspect(a.SDK)
	if err != nil {
		return run, fmt.Errorf("%w: is the function's layer the one that `make layer` builds?", err)
	}
	library, err := a.open(ctx)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, library.Close()) }()
	run, err = capture.New(capture.Config{
		Seats: catalog.SeatList{People: a.Catalog.People, Now: a.Now},
		Corp:  a.Corp, Objects: a.Objects, Lock: a.Lock, Pages: a.Catalog.Pages, Journal: a.Catalog.Journal, Keys: a.Catalog.Keys,
		Holes: a.Catalog.Journal, Findings: damage.New(a.Objects, a.Catalog.Table, a.Corp, a.Now),
		Queue: a.Queue, Chats: library, Limit: a.Limit,
		Now: a.Now, Sleep: clock.Sleep, Owner: a.Owner, NewID: timeid.New, Log: a.Log,
		Program: a.Program, SDKVersion: info.Version, SDKSHA256: info.SHA256,
	}).Run(ctx)
	if held := (*catalog.LeaseHeldError)(nil); errors.As(err, &held) {
		a.Log.InfoContext(ctx, "another puller is at work", "error", err)
		return run, nil
	}
	if err != nil && run.Remedy != "" {
		err = fmt.Errorf("%w: %s", err, run.Remedy)
	}
	return run, err
}

// open opens the library with the secret as it is now.
func (a *App) open(ctx context.Context) (Library, error) {
	secret, err := store.ArchiveSecret(ctx, a.Secrets)
	if err != nil {
		return nil, err
	}
	password, err := a.Secrets.Get(ctx, store.SecretProxy)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return a.Open(ctx, secret, password)
}

// examine looks whether all is in place. The address outside is the true one here:
// WeCom is asked from here.
func (a *App) examine(ctx context.Context, trusted string) (archive.Checkup, error) {
	var address netip.Addr
	if trusted != "" {
		var err error
		if address, err = netip.ParseAddr(trusted); err != nil {
			return archive.Checkup{}, fmt.Errorf("trusted_ip: %w", err)
		}
	}
	echo := &doctor.Echo{URL: a.Echo, Client: &http.Client{Timeout: 10 * time.Second}, Now: a.Now}
	head := archive.Checkup{ID: timeid.New(), At: a.Now().UTC(), Where: archive.CheckedByPuller, Program: a.Program}
	return doctor.Examine(ctx, head,
		doctor.Version(a.Locks),
		doctor.Library(a.SDK, doctor.Use{Symbols: financesdk.Symbols(), Try: financesdk.Try}),
		doctor.Corp(a.Corp),
		doctor.Secret(a.Secrets),
		echo.Address(address),
		echo.Clock(),
		doctor.WeCom(func(ctx context.Context) (doctor.Chats, error) { return a.open(ctx) }, a.Catalog.Pages),
		doctor.Bucket(a.Objects, a.Lock, a.Corp),
		doctor.Table(a.Catalog.Journal),
	), nil
}
