package guard

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"
)

// Config is how requests are guarded.
type Config struct {
	Insecure bool // over http: for one machine only
	Now      func() time.Time
	NewID    func() string // names of requests, unique
	Log      *slog.Logger

	// Refuse answers a request that reached nothing, or failed inside.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, detail string)
	// Failed is what is said of what failed inside, in a request of this name.
	Failed func(request string) string
}

// request is what the log says about a request. It never holds the URL: that
// names persons.
type request struct {
	id      string
	subject string
}

type requestKey struct{}

func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

// RequestID is the name of the request of a context.
func RequestID(ctx context.Context) string { return requestOf(ctx).id }

// NoteSubject remembers for the log who sent the request.
func NoteSubject(ctx context.Context, subject string) { requestOf(ctx).subject = subject }

// New serves what mux has: it names each request, sets the headers that every answer
// has, answers panics and what no route takes, and logs.
func New(mux *http.ServeMux, c Config) http.Handler {
	g := &guarded{c, mux}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		begin := g.Now()
		info := &request{id: g.NewID()}
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, info))
		w := &answer{ResponseWriter: rw}
		setHeaders(w.Header(), info.id)
		if !g.Insecure {
			w.Header().Set("Strict-Transport-Security", StrictTransport)
		}
		defer func() {
			if p := recover(); p != nil {
				g.answerPanic(w, r, p)
			}
			_, pattern := g.mux.Handler(r)
			g.Log.InfoContext(r.Context(), "request", "request", info.id, "method", r.Method, "route", pattern,
				"subject", info.subject, "status", w.status, "bytes", w.bytes, "ms", g.Now().Sub(begin)/time.Millisecond)
		}()
		g.route(w, r)
	})
}

type guarded struct {
	Config
	mux *http.ServeMux
}

// StrictTransport is the header Strict-Transport-Security of what is served over
// https: for a year no browser asks for it over http.
const StrictTransport = "max-age=31536000"

func setHeaders(h http.Header, id string) {
	h.Set("X-Request-Id", id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// answerPanic turns a panic into an internal error, or cuts the answer off if a
// part of it has left.
func (g *guarded) answerPanic(w *answer, r *http.Request, p any) {
	if p == http.ErrAbortHandler {
		panic(p)
	}
	id := RequestID(r.Context())
	g.Log.ErrorContext(r.Context(), "request panicked", "request", id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	g.Refuse(w, r, http.StatusInternalServerError, g.Failed(id))
}

// route serves the routes and refuses what has none.
func (g *guarded) route(w http.ResponseWriter, r *http.Request) {
	if _, pattern := g.mux.Handler(r); pattern != "" {
		g.mux.ServeHTTP(w, r)
		return
	}
	// The mux knows whether the path or only the method is wrong.
	refused := &discarded{header: http.Header{}}
	g.mux.ServeHTTP(refused, r)
	if refused.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", refused.header.Get("Allow"))
		g.Refuse(w, r, http.StatusMethodNotAllowed, "This path only takes "+refused.header.Get("Allow")+".")
		return
	}
	g.Refuse(w, r, http.StatusNotFound, "There is nothing at this path. GET /v1/openapi.json lists what there is.")
}

// answer notes what is written.
type answer struct {
	http.ResponseWriter
	status int // 0: nothing yet
	bytes  int64
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// discarded keeps status and headers of an answer that nobody gets.
type discarded struct {
	header http.Header
	status int
}

func (d *discarded) Header() http.Header { return d.header }

func (d *discarded) WriteHeader(status int) { d.status = status }

func (d *discarded) Write(p []byte) (int, error) { return len(p), nil }

// Remote is the address that a request came from, without the port.
func Remote(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}
