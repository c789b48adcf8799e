package companion

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"sync"
	"time"

	"wecom-archive/shared/wecom"
)

// tokenMargin is how long before its end a token counts as ended: a call may take a
// while to arrive.
const tokenMargin = 2 * time.Minute

// tokenCache holds the access token of one secret.
type tokenCache struct {
	turn chan struct{} // held by the one who asks for a token

	mu      sync.Mutex
	value   string
	until   time.Time
	refused error // WeCom does not take the secret: repeating it bans the IP for an hour
}

func newTokenCache() tokenCache { return tokenCache{turn: make(chan struct{}, 1)} }

// get returns the token if there is one, or why there can be none.
func (t *tokenCache) get(now time.Time) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused != nil {
		return "", t.refused
	}
	if t.value != "" && now.Before(t.until) {
		return t.value, nil
	}
	return "", nil
}

// forget drops a token that WeCom does not take any more, unless there is another
// one already.
func (t *tokenCache) forget(value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value == value {
		t.value = ""
	}
}

// accessToken returns a token. Of many who need one, one asks.
func (cl *Client) accessToken(ctx context.Context) (string, error) {
	if token, err := cl.token.get(cl.c.Now()); token != "" || err != nil {
		return token, err
	}
	select {
	case cl.token.turn <- struct{}{}:
		defer func() { <-cl.token.turn }()
	case <-ctx.Done():
		return "", fmt.Errorf("waiting for an access token: %w", ctx.Err())
	}
	if token, err := cl.token.get(cl.c.Now()); token != "" || err != nil {
		return token, err
	}
	return cl.fetchToken(ctx)
}

// fetchToken asks for a token (D91039). Its time starts when it is asked for.
func (cl *Client) fetchToken(ctx context.Context) (string, error) {
	asked := cl.c.Now()
	var reply struct {
		Token   string `json:"access_token"`
		Expires int64  `json:"expires_in"` // s
	}
	ask := call{api: "gettoken", query: url.Values{"corpid": {cl.c.Corp}, "corpsecret": {cl.c.Secret}}}
	pause := newPause()
	for try := 1; ; try++ {
		err := cl.once(ctx, ask, "", &reply)
		if err == nil {
			break
		}
		if errors.Is(err, wecom.ErrBadSecret) || errors.Is(err, wecom.ErrBadCorp) {
			cl.token.mu.Lock()
			cl.token.refused = err
			cl.token.mu.Unlock()
		}
		if try >= tries || !worthwhile(err) {
			return "", err
		}
		if err := cl.c.Sleep(ctx, pause.NextBackOff()); err != nil {
			return "", fmt.Errorf("waiting to ask for an access token again: %w", err)
		}
	}
	const longest = 24 * 3600
	if reply.Token == "" || reply.Expires <= 0 || reply.Expires > longest {
		return "", fmt.Errorf("gettoken: %w: no token, or one without a sensible end", ErrReply)
	}
	life := time.Duration(reply.Expires) * time.Second
	cl.token.mu.Lock()
	defer cl.token.mu.Unlock()
	cl.token.value, cl.token.until = reply.Token, asked.Add(life-min(tokenMargin, life/2))
	return reply.Token, nil
}

// counter counts requests by API.
type counter struct {
	mu    sync.Mutex
	calls map[string]int
}

func (c *counter) add(api string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = map[string]int{}
	}
	c.calls[api]++
}

func (c *counter) snapshot() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := maps.Clone(c.calls)
	if calls == nil {
		calls = map[string]int{}
	}
	return calls
}
