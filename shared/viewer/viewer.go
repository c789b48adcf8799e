// Package viewer serves the archive over HTTP: the JSON API below /v1, on which
// web pages and other programs build. It reads the index and the segments and
// writes nothing but the record of each look (package access).
//
// Every answer that carries content was recorded before it leaves. Errors are
// problem details (RFC 9457); what went wrong inside stands in the log, under
// the request id that the answer names. The API describes itself at
// /v1/openapi.json and /v1/openapi.yaml, generated from the types here.
//
// Messages open without keys, so this package imports neither keyring nor
// decode, and what it runs in has no right to unwrap one.
package viewer

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"wecom-archive/shared/access"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/person"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/search"
	"wecom-archive/shared/setup"
	"wecom-archive/shared/store"
	"wecom-archive/shared/transcript"
)

// Config is what the API works on.
type Config struct {
	Objects   store.Objects      // archive bucket; required
	Catalog   *catalog.Catalog   // required
	Derived   store.ObjectReader // derived bucket; required once something is compacted
	Read      reading.Func       // the parser: a message by its seq is read anew if this is newer; nil: reading.Read
	Access    LookRecorder       // required: without it no content is shown
	Auth      Authenticator      // nil refuses everybody
	AskReason bool               // content is shown only to who says why; the look says it, too

	Setup setup.Settings // what operators are shown

	Version    string                                  // of the program, which status judges; empty: it does not
	Compliance func(ctx context.Context) (bool, error) // whether what is stored nobody can take back; nil: no

	Insecure bool           // cookies also over http: for one machine only
	Visitors Visitors       // who looks at the pages; nil: there are no pages
	Puller   Puller         // what operators may wake; nil: there is no button
	Zone     *time.Location // of readers whose browser says none; nil: UTC+8

	SearchTime time.Duration // that a search may take for a page; zero: 20 s
	BesideTime time.Duration // and then reading what stands beside its hits; zero: 5 s

	Now   func() time.Time // nil: time.Now
	NewID func() string    // names of requests; nil: random
	Log   *slog.Logger     // nil: no log
}

// LookRecorder records a look and returns once that is durable
// (*access.Recorder).
type LookRecorder interface {
	Record(ctx context.Context, l access.Look) error
}

// Puller is asked for a pull at once. It returns once it is recorded who asked and
// the pull is under way or will be; it does not wait for the pull.
type Puller interface {
	RequestPull(ctx context.Context, who string) error
}

// server is the handlers' state.
type server struct {
	Config
	api    huma.API
	mux    *http.ServeMux
	sheets sheets // of the pages

	transcript *transcript.Reader
	scanner    *search.Scanner
}

// New makes the handler of /v1/... and /healthz.
func New(c Config) http.Handler {
	if c.Auth == nil {
		c.Auth = nobody{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Read == nil {
		c.Read = reading.Read
	}
	if c.NewID == nil {
		c.NewID = rand.Text
	}
	if c.Zone == nil {
		c.Zone = defaultZone
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.SearchTime == 0 {
		c.SearchTime = defaultSearchTime
	}
	if c.BesideTime == 0 {
		c.BesideTime = defaultBesideTime
	}
	s := &server{
		Config: c, mux: http.NewServeMux(), transcript: transcript.New(c.Objects, c.Derived, c.Catalog),
		scanner: search.New(c.Objects, c.Derived, c.Catalog, time.Now),
	}
	s.api = humago.New(s.mux, apiConfig())
	s.registerStatus()
	s.registerConversations()
	s.registerMessages()
	s.registerMessage()
	s.registerSearch()
	s.registerMedia()
	s.registerPeople()
	s.registerRooms()
	s.registerConsent()
	s.registerCoverage()
	s.registerBookkeeping()
	s.registerAccess()
	s.registerSetup()
	s.serveOpenAPI()
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write([]byte("ok\n"))
	})
	if c.Visitors != nil {
		if err := s.registerPages(); err != nil {
			panic(err) // the templates are part of the program, and a test parses them
		}
	}
	return s.guard(s.routed())
}

func apiConfig() huma.Config {
	c := huma.DefaultConfig("wecom-archive", "1")
	c.Info.Description = "Reads the archive of a company's WeCom messages. Times are RFC 3339 in UTC; " +
		"errors are problem details (RFC 9457) whose instance names the request in the server's log. " +
		"Members may be added to answers: ignore those you do not know."
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", "" // serveOpenAPI; no pages that load from elsewhere
	c.CreateHooks = nil                                   // they add $schema to answers
	c.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	c.AllowAdditionalPropertiesByDefault = true
	c.RejectUnknownQueryParameters = true // a misspelt "from" must not show more than was asked for
	c.Transformers = []huma.Transformer{nameInstance}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		bearer: {Type: "http", Scheme: "bearer"},
	}
	return c
}

// register adds an operation that needs one of the roles. Errors of handle that
// are no problem details are internal: they go to the log only.
func register[I, O any](s *server, op huma.Operation, roles []person.Role, handle func(context.Context, *I) (*O, error)) {
	op.Method = http.MethodGet
	op.Security = []map[string][]string{{bearer: {}}}
	op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusServiceUnavailable)
	op.Middlewares = huma.Middlewares{s.authorize(roles)}
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return out, nil
	})
}

func (s *server) serveOpenAPI() {
	serve := func(path, contentType string, encode func() ([]byte, error)) {
		once := sync.OnceValues(encode)
		s.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			doc, err := once()
			if err != nil {
				s.writeProblem(w, r, s.problem(r.Context(), err))
				return
			}
			w.Header().Set("Content-Type", contentType)
			w.Write(doc)
		})
	}
	serve("/v1/openapi.json", "application/openapi+json", s.api.OpenAPI().MarshalJSON)
	serve("/v1/openapi.yaml", "application/openapi+yaml", s.api.OpenAPI().YAML)
}
