package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"wecom-archive/shared/guard"
	"wecom-archive/shared/show"
)

// said is a problem as problem details (RFC 9457).
func said(p *show.Problem) huma.StatusError {
	if p.Where == "" {
		return huma.NewError(p.Status(), p.Detail)
	}
	return huma.NewError(p.Status(), p.Detail, &huma.ErrorDetail{Message: p.Detail, Location: p.Where})
}

// instance is the URI of an occurrence of a problem.
func instance(ctx context.Context) string { return "request:" + guard.RequestID(ctx) }

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
func writeProblem(w http.ResponseWriter, r *http.Request, status int, detail string) error {
	body := huma.NewError(status, detail)
	if m, ok := body.(*huma.ErrorModel); ok {
		m.Instance = instance(r.Context())
	}
	doc, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, err = w.Write(append(doc, '\n'))
	return err
}
