package viewer

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

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

func requestID(ctx context.Context) string { return requestOf(ctx).id }

// noteSubject remembers for the log who sent the request.
func noteSubject(ctx context.Context, subject string) { requestOf(ctx).subject = subject }

// guard names each request, sets the headers that every answer has, answers
// panics, and logs.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		begin := s.Now()
		info := &request{id: s.NewID()}
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, info))
		w := &answer{ResponseWriter: rw}
		setHeaders(w.Header(), info.id)
		if !s.Insecure {
			w.Header().Set("Strict-Transport-Security", StrictTransport)
		}
		defer func() {
			if p := recover(); p != nil {
				s.answerPanic(w, r, p)
			}
			_, pattern := s.mux.Handler(r)
			s.Log.InfoContext(r.Context(), "request", "request", info.id, "method", r.Method, "route", pattern,
				"subject", info.subject, "status", w.status, "bytes", w.bytes, "ms", s.Now().Sub(begin)/time.Millisecond)
		}()
		next.ServeHTTP(w, r)
	})
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
func (s *server) answerPanic(w *answer, r *http.Request, p any) {
	if p == http.ErrAbortHandler {
		panic(p)
	}
	s.Log.ErrorContext(r.Context(), "request panicked", "request", requestID(r.Context()), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	s.writeProblem(w, r, huma.Error500InternalServerError("Something failed inside. Give the operator this request's id: "+requestID(r.Context())+"."))
}

// routed serves the routes and answers with problem details what has none.
func (s *server) routed() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := s.mux.Handler(r); pattern != "" {
			s.mux.ServeHTTP(w, r)
			return
		}
		// The mux knows whether the path or only the method is wrong.
		refused := &discarded{header: http.Header{}}
		s.mux.ServeHTTP(refused, r)
		if refused.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", refused.header.Get("Allow"))
			s.writeProblem(w, r, huma.Error405MethodNotAllowed("This path only takes "+refused.header.Get("Allow")+"."))
			return
		}
		s.writeProblem(w, r, huma.Error404NotFound("There is nothing at this path. GET /v1/openapi.json lists what there is."))
	})
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
