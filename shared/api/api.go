package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"wecom-archive/shared/access"
	"wecom-archive/shared/guard"
	"wecom-archive/shared/person"
	"wecom-archive/shared/show"
)

// API is the JSON API below /v1.
type API struct {
	show *show.Show
	auth Authenticator
	huma huma.API
	mux  *http.ServeMux
}

// New serves what show shows on mux, to whom auth finds. A nil auth refuses everybody.
func New(mux *http.ServeMux, show *show.Show, auth Authenticator) *API {
	if auth == nil {
		auth = nobody{}
	}
	s := &API{show: show, auth: auth, huma: humago.New(mux, apiConfig()), mux: mux}
	s.registerHealth()
	s.registerContent()
	s.registerPeople()
	s.serveOpenAPI()
	return s
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
// are no Problem are internal: they go to the log only.
func register[I, O any](s *API, op huma.Operation, roles []person.Role, handle func(context.Context, *I) (*O, error)) {
	op.Method = http.MethodGet
	op.Security = []map[string][]string{{bearer: {}}}
	op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusServiceUnavailable)
	op.Middlewares = huma.Middlewares{s.authorize(roles)}
	huma.Register(s.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, said(s.show.Explain(ctx, err))
		}
		return out, nil
	})
}

// authorize lets requests pass of persons with one of the roles.
func (s *API) authorize(roles []person.Role) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(hc)
		asker := show.Asker{How: access.HowAPI, Reason: headerReason(r), Remote: guard.Remote(r), Request: guard.RequestID(r.Context())}
		var err error
		asker.Person, err = s.auth.Authenticate(r)
		ctx := show.As(hc.Context(), asker)
		switch {
		case errors.Is(err, person.ErrUnauthenticated):
			challenge := `Bearer realm="wecom-archive"`
			if r.Header.Get("Authorization") != "" {
				challenge += `, error="invalid_token"`
			}
			w.Header().Set("WWW-Authenticate", challenge)
			s.Refuse(w, r, http.StatusUnauthorized, "Send a valid token in the header: Authorization: Bearer <token>.")
		case err != nil:
			s.show.LogFailure(ctx, "finding out who asks", err)
			s.Refuse(w, r, http.StatusServiceUnavailable, "It could not be found out who you are. Try again later.")
		case !asker.Person.Has(roles...) || asker.Person.Subject == "":
			p := show.Forbidden(roles...)
			s.Refuse(w, r, p.Status(), p.Detail)
		default:
			guard.NoteSubject(ctx, asker.Person.Subject)
			next(huma.WithContext(hc, ctx))
		}
	}
}

// headerReason is why the person of a request looks, as its header says.
func headerReason(r *http.Request) string {
	reason, err := url.PathUnescape(r.Header.Get(show.ReasonHeader))
	if err != nil {
		return ""
	}
	return show.CleanReason(reason)
}

func (s *API) serveOpenAPI() {
	serve := func(path, contentType string, encode func() ([]byte, error)) {
		once := sync.OnceValues(encode)
		s.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			doc, err := once()
			if err != nil {
				ctx := show.As(r.Context(), show.Asker{Request: guard.RequestID(r.Context())})
				p := s.show.Explain(ctx, err)
				s.Refuse(w, r, p.Status(), p.Detail)
				return
			}
			w.Header().Set("Content-Type", contentType)
			w.Write(doc)
		})
	}
	serve("/v1/openapi.json", "application/openapi+json", s.huma.OpenAPI().MarshalJSON)
	serve("/v1/openapi.yaml", "application/openapi+yaml", s.huma.OpenAPI().YAML)
}

// Refuse answers with a problem where huma does not.
func (s *API) Refuse(w http.ResponseWriter, r *http.Request, status int, detail string) {
	if err := writeProblem(w, r, status, detail); err != nil {
		s.show.LogFailure(show.As(r.Context(), show.Asker{Request: guard.RequestID(r.Context())}), "answering with a problem", err)
	}
}
