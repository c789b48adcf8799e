package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"

	"wecom-archive/shared/signin"
	"wecom-archive/shared/store"
)

// keepAfter is how old the stored keys may be when somebody signs in: a provider that
// changed its keys is then seen before the schedule.
const keepAfter = 10 * time.Minute

// App is the function. Its fields are required.
type App struct {
	SignIn signin.Config
	Index  store.Index
	Log    *slog.Logger

	once  sync.Once
	proxy *httpadapter.HandlerAdapterV2

	mu   sync.Mutex
	kept time.Time
}

// Handle is the Lambda handler: of requests from an HTTP API with payload format 2.0,
// of {"reason":"schedule"}, which stores the issuer's keys, and of {"reason":"end",
// "subject":"…"} or {"reason":"end","everybody":true}, with which an administrator ends
// sessions, of who lost a role for example.
func (a *App) Handle(ctx context.Context, payload json.RawMessage) (any, error) {
	var event struct {
		events.APIGatewayV2HTTPRequest
		Reason    string `json:"reason"`
		Subject   string `json:"subject"`
		Everybody bool   `json:"everybody"`
	}
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, fmt.Errorf("reading the event: %w", err)
	}
	switch {
	case event.RequestContext.HTTP.Method != "":
		return a.serve(ctx, event.APIGatewayV2HTTPRequest)
	case event.Reason == "schedule":
		return nil, a.keep(ctx, 0)
	case event.Reason == "end" && event.Everybody != (event.Subject != ""):
		return nil, a.SignIn.Sessions.End(ctx, event.Subject)
	}
	return nil, errors.New(`neither a request of an HTTP API with payload format 2.0 nor {"reason":"schedule"} nor {"reason":"end","subject":"…"} nor {"reason":"end","everybody":true}`)
}

func (a *App) serve(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	a.once.Do(func() { a.proxy = httpadapter.NewV2(signin.New(a.SignIn)) })
	// What cannot become a request the adapter would log, with the code in its query.
	if _, err := http.NewRequest(event.RequestContext.HTTP.Method, "https://pages"+event.RawPath+"?"+event.RawQueryString, nil); err != nil {
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusBadRequest, Headers: map[string]string{"Cache-Control": "no-store"}}, nil
	}
	if event.RawPath == signin.BeginPath {
		if err := a.keep(ctx, keepAfter); err != nil {
			a.Log.ErrorContext(ctx, "the issuer's keys are not stored", "error", err) // who has the pages' cookie needs none
		}
	}
	return a.proxy.ProxyWithContext(ctx, event)
}

// keep stores the issuer's keys, unless this instance did so less than that long ago.
func (a *App) keep(ctx context.Context, notWithin time.Duration) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.SignIn.Sessions.Now()
	if !a.kept.IsZero() && now.Sub(a.kept) < notWithin {
		return nil
	}
	if err := signin.KeepKeys(ctx, a.SignIn.Client, a.SignIn.Issuer, a.Index, a.SignIn.Sessions); err != nil {
		return err
	}
	a.kept = now
	return nil
}
