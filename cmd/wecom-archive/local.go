package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"wecom-archive/infra/local"
	"wecom-archive/infra/local/idp"
	"wecom-archive/shared/access"
	"wecom-archive/shared/api"
	"wecom-archive/shared/person"
	"wecom-archive/shared/plural"
	"wecom-archive/shared/program"
	"wecom-archive/shared/setup"
	"wecom-archive/shared/signin"
	"wecom-archive/shared/viewer"
)

const defaultListen = "127.0.0.1:8080"

type localCommand struct {
	Dir      string        `default:"wecom-archive-data" type:"path" help:"Folder of the data. A second start continues there."`
	Messages int           `default:"20000" help:"How many messages the simulated company has said in all."`
	Limit    int           `default:"1000" help:"Messages per page, that is, how many WeCom is asked for at a time: 1 to 1,000."`
	Seed     uint64        `default:"1" help:"Of everything that is made up: the same seed gives the same messages."`
	Corpus   string        `type:"existingfile" help:"Serve the lines of this file, byte for byte and in order, instead of made-up messages."`
	Truth    string        `type:"path" help:"Write what is served to this file: a JSON object per line with seq, msgid, raw (base64)."`
	SDK      string        `name:"sdk" type:"existingfile" placeholder:"PATH" help:"Pull, decrypt and fetch files with this native library, in processes of its own, not with the simulator itself. Only a stand-in (infra/sdkstandin) can speak to the simulator."`
	Media    bool          `default:"true" negatable:"" help:"Fetch the files of messages, too."`
	Once     bool          `help:"Exit when all that was served is archived."`
	JSON     bool          `name:"json" help:"Print a summary as JSON at the end."`
	Listen   string        `default:"${listen}" help:"Address of the API."`
	Idle     time.Duration `default:"30m" help:"A session of the pages ends when it is not used for so long."`
	Reason   bool          `name:"ask-reason" help:"Readers say why before they see content, and the record of each look says it, too."`
	Verbose  bool          `short:"v" help:"Log each page."`
}

func (c *localCommand) Validate() error {
	if c.Messages < 0 {
		return fmt.Errorf("--messages %d: must not be negative", c.Messages)
	}
	if c.Limit < 1 || c.Limit > 1000 {
		return fmt.Errorf("--limit %d: must be 1 to 1,000", c.Limit)
	}
	if c.Idle < time.Second {
		return fmt.Errorf("--idle %s: must be at least 1s", c.Idle)
	}
	return nil
}

// softMemory is where the garbage collector begins to work harder, in bytes. What
// the system holds at a time is far less, whatever the size of the archive; with
// the limit that also shows from outside. GOMEMLIMIT overrides it.
const softMemory = 96 << 20

// Run runs the system until it is interrupted, or done with --once. It returns
// errInterrupted if, with --once, it was not done.
func (c *localCommand) Run(ctx context.Context, to streams) (err error) {
	started := time.Now()
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
	log := newLogger(to.Err, c.Verbose)
	system, err := local.Open(ctx, local.Config{
		Dir: c.Dir, Messages: c.Messages, Limit: c.Limit, Seed: c.Seed, Corpus: c.Corpus, Truth: c.Truth, SDK: c.SDK, FetchMedia: c.Media,
		Program: program.Version(), Log: log, Now: time.Now,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, system.Close()) }()
	if system.EmptyLines > 0 {
		fmt.Fprintf(to.Err, "--corpus: %s not served, as an empty line is no message\n", plural.Of(system.EmptyLines, "empty line is", "empty lines are"))
	}

	stop, err := c.serve(ctx, system, log, to.Err)
	if err != nil {
		return err
	}
	defer stop()

	progress := newProgress(to.Err)
	err = system.Run(ctx, c.Once, progress.show)
	progress.finish()
	if err != nil {
		return err
	}
	sum, err := c.summarise(system, started, to)
	if err == nil && c.Once && !sum.Complete {
		err = errInterrupted
	}
	return err
}

func newLogger(w io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelError
	if verbose {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}

// serve starts the API. With --once nobody waits for it, so the default address
// being taken is no reason to fail.
func (c *localCommand) serve(ctx context.Context, system *local.System, log *slog.Logger, w io.Writer) (stop func(), err error) {
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		if c.Once && c.Listen == defaultListen {
			return func() {}, nil
		}
		return nil, fmt.Errorf("--listen %s: %w: give another address, or stop what listens there", c.Listen, err)
	}
	token := rand.Text()
	base := "http://" + listener.Addr().String()
	handler, err := c.handler(system, log, token, base)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the API has stopped", "error", err)
		}
	}()
	fmt.Fprintf(w, "Pages: %s/  (accounts: reader, auditor, operator)\n", base)
	fmt.Fprintf(w, "API:   %s/v1/status  (described at %s/v1/openapi.json)\nToken: %s\nTry:   curl -H 'Authorization: Bearer %s' %s/v1/status\n", base, base, token, token, base)
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	}, nil
}

// clientID is how the local provider knows the pages.
const clientID = "wecom-archive-local"

// handler serves the API, the pages, and the provider that people sign in at.
func (c *localCommand) handler(system *local.System, log *slog.Logger, token, base string) (http.Handler, error) {
	sessions, err := signin.NewSessions(signin.Settings{Key: signin.NewKey(), Insecure: true, Idle: c.Idle})
	if err != nil {
		return nil, err
	}
	issuer := base + "/idp"
	provider, err := idp.New(idp.Config{Issuer: issuer, ClientID: clientID, Redirect: base + signin.CallbackPath, Accounts: idp.Accounts(), Now: time.Now})
	if err != nil {
		return nil, err
	}
	entry := signin.New(signin.Config{
		Issuer: issuer, ClientID: clientID, Base: base, RolesClaim: idp.RolesClaim, Sessions: sessions,
		Client: &http.Client{Timeout: 10 * time.Second}, Log: log.With("stage", "signin"),
	})
	person := person.Person{Subject: "local", Roles: []person.Role{person.Reader, person.Auditor, person.Operator}}
	mux := http.NewServeMux()
	mux.Handle("/", viewer.New(viewer.Config{
		Objects: system.Objects, Derived: system.Derived, Catalog: system.Catalog, Corp: system.Corpid(),
		Access: &access.Recorder{Objects: system.Objects, Now: time.Now, NewID: rand.Text},
		Auth:   api.StaticToken(token, person), Visitors: sessions, Insecure: true, Puller: system, AskReason: c.Reason,
		Setup: setup.Settings{Corp: system.Corpid()}, Lock: system.Lock,
		Now: time.Now, Log: log.With("stage", "admin"),
	}))
	mux.Handle("/idp/", provider)
	for _, path := range []string{signin.BeginPath, signin.CallbackPath, signin.EndPath} {
		mux.Handle(path, entry)
	}
	return mux, nil
}

// summarise prints what is archived, also after an interruption.
func (c *localCommand) summarise(system *local.System, started time.Time, to streams) (local.Summary, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	sum, err := system.Summary(ctx, started)
	if err != nil {
		return sum, err
	}
	if c.JSON {
		return sum, json.NewEncoder(to.Out).Encode(sum)
	}
	fmt.Fprintf(to.Err, "%s pulled in %s: %d archived, %d not decrypted yet (待解密), in %s below %s%c%s, %.1f s\n",
		plural.Of(sum.Pulled, "message"), plural.Of(sum.Pages, "page"), sum.Archived, sum.Quarantined, plural.Of(sum.Segments, "segment"), c.Dir, os.PathSeparator, "objects", sum.Seconds)
	return sum, nil
}
