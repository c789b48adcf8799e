// Package api is the JSON API below /v1, on which other programs build: it finds out who
// asks, hands the question to package show, and says its answer. Errors are problem
// details (RFC 9457); what went wrong inside stands in the log, under the request id that
// the answer names. The API describes itself at /v1/openapi.json and /v1/openapi.yaml,
// generated from the types of package show.
package api
