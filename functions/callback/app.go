package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"

	"wecom-archive/shared/callback"
	"wecom-archive/shared/metrics"
	"wecom-archive/shared/store"
)

// App is the function.
type App struct {
	proxy *httpadapter.HandlerAdapterV2
	meter *metrics.Writer
}

// NewApp serves the endpoint. meter may be nil.
func NewApp(c callback.Config, meter *metrics.Writer) *App {
	return &App{httpadapter.NewV2(callback.New(c)), meter}
}

// Handle is the Lambda handler. An answer of 500 and above is no error of Lambda's: it
// is counted here, for the alarm.
func (a *App) Handle(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	if event.RequestContext.HTTP.Method == "" {
		return events.APIGatewayV2HTTPResponse{}, errors.New("not a request of an HTTP API with payload format 2.0: is the integration set to another format?")
	}
	// What cannot become a request the adapter would log, with the URL.
	event.RawPath = "/"
	if _, err := http.NewRequest(event.RequestContext.HTTP.Method, "https://api/?"+event.RawQueryString, nil); err != nil {
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusBadRequest}, nil
	}
	out, err := a.proxy.ProxyWithContext(ctx, event)
	if err == nil && out.StatusCode >= http.StatusInternalServerError {
		a.meter.Put(metrics.Values{metrics.CallbackFails: 1})
	}
	return out, err
}

// Anybody can call; without a cache each call would cost two of Parameter Store's, which
// the puller needs, too.
const (
	freshFor   = time.Minute     // the secrets are used before they are read again
	againAfter = 5 * time.Second // at the soonest: after an error, or when a message did not open under them
)

// cachedCipher makes the scheme of the secrets. It is safe for concurrent use.
type cachedCipher struct {
	corp    string
	secrets store.Secrets
	now     func() time.Time

	mu     sync.Mutex
	cipher *callback.Cipher // of the last time that they could be read; nil: never
	readAt time.Time        // then
	tried  time.Time        // to read them
	err    error            // of that
}

// get is the scheme of the secrets as they were a minute ago at most, and, if a message
// did not open under refused, as they were five seconds ago at most.
func (c *cachedCipher) get(ctx context.Context, refused *callback.Cipher) (*callback.Cipher, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	fresh := c.cipher != nil && now.Sub(c.readAt) < freshFor
	if fresh && (refused == nil || refused != c.cipher) {
		return c.cipher, nil
	}
	if !c.tried.IsZero() && now.Sub(c.tried) < againAfter {
		if fresh {
			return c.cipher, nil
		}
		return nil, c.err
	}
	cipher, err := c.read(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, err // it says nothing of the secrets
	}
	c.tried, c.err = now, err
	if err == nil {
		c.cipher, c.readAt = cipher, now
	}
	return cipher, err
}

func (c *cachedCipher) read(ctx context.Context) (*callback.Cipher, error) {
	var values [2]string
	for i, name := range []string{store.SecretCallbackToken, store.SecretCallbackKey} {
		value, err := c.secrets.Get(ctx, name)
		if errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("%w: store it with `wecom-archive secrets set %s`", err, name)
		}
		if err != nil {
			return nil, err
		}
		values[i] = value
	}
	return callback.NewCipher(values[0], values[1], c.corp)
}
