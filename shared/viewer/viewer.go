// Package viewer puts the faces of the archive behind one address: the JSON API below
// /v1 (package api) and the web pages (package pages), on what may be seen (package
// show), guarded alike (package guard). What runs it has no right to unwrap a key, and
// imports nothing that could: messages open without.
package viewer

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"time"

	"wecom-archive/shared/api"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/guard"
	"wecom-archive/shared/pages"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/setup"
	"wecom-archive/shared/show"
	"wecom-archive/shared/store"
)

// Config is what is shown, and to whom. show.Config, pages.Config and guard.Config say
// what each member is for.
type Config struct {
	Objects   store.Objects      // archive bucket; required
	Catalog   *catalog.Catalog   // required
	Corp      string             // corpid
	Derived   store.ObjectReader // derived bucket; required once something is compacted
	Read      reading.Func
	Access    show.LookRecorder // required: without it no content is shown
	Auth      api.Authenticator // of the API; nil refuses everybody
	AskReason bool

	Setup      setup.Settings
	Version    string
	Compliance func(ctx context.Context) (bool, error)
	Lock       store.Lock // of Objects; that it is store.Unlocked is shown. nil: as one that locks

	Insecure bool           // for one machine only
	Visitors pages.Visitors // who looks at the pages; nil: there are no pages
	Puller   pages.Puller
	Zone     *time.Location

	SearchTime time.Duration
	BesideTime time.Duration

	Now   func() time.Time // nil: time.Now
	NewID func() string    // names of requests; nil: random
	Log   *slog.Logger     // nil: no log
}

// New makes the handler of /v1/..., /healthz and, with Visitors, the pages.
func New(c Config) http.Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewID == nil {
		c.NewID = rand.Text
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	unlocked, _ := c.Lock.(store.Unlocked)
	shown := show.New(show.Config{
		Objects: c.Objects, Catalog: c.Catalog, Corp: c.Corp, Derived: c.Derived, Read: c.Read, Access: c.Access, AskReason: c.AskReason,
		Setup: c.Setup, Version: c.Version, Compliance: c.Compliance, Unlocked: unlocked, Zone: c.Zone,
		SearchTime: c.SearchTime, BesideTime: c.BesideTime, Now: c.Now, Log: c.Log,
	})
	mux := http.NewServeMux()
	answers := api.New(mux, shown, c.Auth)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n"))
	})
	if c.Visitors != nil {
		err := pages.Register(mux, pages.Config{
			Show: shown, Visitors: c.Visitors, Puller: c.Puller, Insecure: c.Insecure,
			AskReason: c.AskReason, Retention: c.Setup.Retention, Unlocked: unlocked != "", Now: c.Now, Log: c.Log,
		})
		if err != nil {
			panic(err) // the templates are part of the program, and a test parses them
		}
	}
	return guard.New(mux, guard.Config{Insecure: c.Insecure, Now: c.Now, NewID: c.NewID, Log: c.Log, Refuse: answers.Refuse, Failed: show.FailedInside})
}
