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

	"wecom-archive/shared/archive"
	"wecom-archive/shared/callback"
)

// App is the function.
type App struct{ proxy *httpadapter.HandlerAdapterV2 }

// NewApp serves the endpoint.
func NewApp(c callback.Config) *App { return &App{httpadapter.NewV2(callback.New(c))} }

// Handle is the Lambda handler.
func (a *App) Handle(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	if event.RequestContext.HTTP.Method == "" {
		return events.APIGatewayV2HTTPResponse{}, errors.New("not a request of an HTTP API with payload format 2.0: is the integration set to another format?")
	}
	// What cannot become a request the adapter would log, with the URL.
	event.RawPath = "/"
	if _, err := http.NewRequest(event.RequestContext.HTTP.Method, "https://api/?"+event.RawQueryString, nil); err != nil {
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusBadRequest}, nil
	}
	return a.proxy.ProxyWithContext(ctx, event)
}

// freshFor is how long the secrets are used before they are read again. Anybody can
// call; without it each call would cost two of Parameter Store's, which the puller
// needs, too.
const freshFor = time.Minute

// cachedCipher makes the scheme of the secrets as they were a minute ago at most. It
// is safe for concurrent use.
type cachedCipher struct {
	corp    string
	secrets archive.Secrets
	now     func() time.Time

	mu     sync.Mutex
	cipher *callback.Cipher
	err    error
	at     time.Time
}

func (c *cachedCipher) get(ctx context.Context) (*callback.Cipher, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || c.now().Sub(c.at) >= freshFor {
		c.cipher, c.err = c.read(ctx)
		c.at = c.now()
	}
	return c.cipher, c.err
}

func (c *cachedCipher) read(ctx context.Context) (*callback.Cipher, error) {
	var values [2]string
	for i, name := range []string{archive.SecretCallbackToken, archive.SecretCallbackKey} {
		value, err := c.secrets.Get(ctx, name)
		if errors.Is(err, archive.ErrNotFound) {
			return nil, fmt.Errorf("%w: store it with `wecom-archive secrets set %s`", err, name)
		}
		if err != nil {
			return nil, err
		}
		values[i] = value
	}
	return callback.NewCipher(values[0], values[1], c.corp)
}
