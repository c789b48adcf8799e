package viewer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// problem is what a client gets to see of an error: problem details as they are,
// everything else as "failed inside", with the rest in the log.
func (s *server) problem(ctx context.Context, err error) huma.StatusError {
	if p, ok := errors.AsType[*huma.ErrorModel](err); ok {
		return p
	}
	if ctx.Err() != nil {
		return huma.Error503ServiceUnavailable("The request took too long or was given up. Ask for less at a time.")
	}
	s.logFailure(ctx, "answering", err)
	return huma.Error500InternalServerError("Something failed inside. Give the operator this request's id: " + requestID(ctx) + ".")
}

func (s *server) logFailure(ctx context.Context, doing string, err error) {
	s.Log.ErrorContext(ctx, "request failed", "request", requestID(ctx), "doing", doing, "error", err)
}

// instance is the URI of an occurrence of a problem.
func instance(ctx context.Context) string { return "request:" + requestID(ctx) }

// nameInstance gives every problem the id of its request, also those that huma
// makes when it refuses parameters.
func nameInstance(hc huma.Context, _ string, v any) (any, error) {
	if p, ok := v.(*huma.ErrorModel); ok && p.Instance == "" {
		named := *p
		named.Instance = instance(hc.Context())
		return &named, nil
	}
	return v, nil
}

// writeProblem answers where huma does not.
func (s *server) writeProblem(w http.ResponseWriter, r *http.Request, p huma.StatusError) {
	var body any = p
	if m, ok := p.(*huma.ErrorModel); ok {
		named := *m
		named.Instance = instance(r.Context())
		body = &named
	}
	doc, err := json.Marshal(body)
	if err != nil {
		s.logFailure(r.Context(), "encoding a problem", err)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.GetStatus())
	w.Write(append(doc, '\n'))
}

// badParameter refuses the value of one parameter. detail says what is wrong and
// what to do.
func badParameter(status int, where, detail string) huma.StatusError {
	return huma.NewError(status, detail, &huma.ErrorDetail{Message: detail, Location: where})
}
