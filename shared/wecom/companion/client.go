package companion

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"wecom-archive/shared/clock"
	"wecom-archive/shared/wecom"
)

// DefaultBaseURL is where WeCom answers.
const DefaultBaseURL = "https://qyapi.weixin.qq.com"

// MaxReply bounds what is read of one reply, in bytes. The longest known list, the
// userids of 100,000 seats, has 7 MB.
const MaxReply = 16 << 20

// Errors beside wecom's.
var (
	// ErrReply means that the reply is not what WeCom documents: no JSON, a status
	// other than 200, too long.
	ErrReply = errors.New("reply cannot be understood")
	// ErrNotCustomerGroup means that a room is not one with customers, or none of
	// this company's. InternalGroup may know it.
	ErrNotCustomerGroup = errors.New("room is not a customer group")
)

// LimitedError means that WeCom takes no call of this API before Until. Calls before
// then are refused here: WeCom counts them, too.
type LimitedError struct {
	API   string
	Until time.Time
	Err   error // what WeCom said
}

func (e *LimitedError) Error() string {
	return fmt.Sprintf("%s: no calls before %s: %v", e.API, e.Until.UTC().Format(time.RFC3339), e.Err)
}

// Unwrap returns what WeCom said.
func (e *LimitedError) Unwrap() error { return e.Err }

// Config is what a Client works with. Corp and Secret must be set.
type Config struct {
	Corp    string // corpid
	Secret  string
	BaseURL string       // default DefaultBaseURL
	HTTP    *http.Client // default: one with a timeout of 30 s
	Limits  *Limits      // shared by the clients of one corp; default: its own
	Now     func() time.Time
	Sleep   func(ctx context.Context, d time.Duration) error
	Log     *slog.Logger // default: none
}

// Client calls the API with one secret. It may be used by many at the same time.
type Client struct {
	c     Config
	http  http.Client
	token tokenCache
	count counter
}

// New makes a client. It calls nobody yet.
func New(c Config) *Client {
	if c.HTTP == nil {
		c.HTTP = &http.Client{Timeout: 30 * time.Second}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Sleep == nil {
		c.Sleep = clock.Sleep
	}
	if c.Limits == nil {
		c.Limits = NewLimits()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.BaseURL = strings.TrimSuffix(cmp.Or(c.BaseURL, DefaultBaseURL), "/")
	cl := &Client{c: c, http: *c.HTTP, token: newTokenCache()}
	// A redirect would carry the token elsewhere.
	cl.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return cl
}

// Calls is how many requests were sent, by API, the failed ones too.
func (cl *Client) Calls() map[string]int { return cl.count.snapshot() }

// call is one call of an API.
type call struct {
	api   string     // path below /cgi-bin/
	query url.Values // without the token
	body  any        // nil: GET
}

const (
	tries     = 3
	firstWait = time.Second // before the second try; the third waits twice as long
)

func newPause() *backoff.ExponentialBackOff {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.Multiplier, pause.RandomizationFactor = firstWait, 2, 0
	return pause
}

// do makes a call and decodes the reply into out. A token that died is replaced
// once; a busy server and a broken connection are tried again.
func (cl *Client) do(ctx context.Context, c call, out any) error {
	renewed := false
	pause := newPause()
	for try := 1; ; try++ {
		token, err := cl.accessToken(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", c.api, err)
		}
		err = cl.once(ctx, c, token, out)
		if err == nil {
			return nil
		}
		if errors.Is(err, wecom.ErrBadToken) && !renewed {
			renewed = true
			try--
			cl.token.forget(token)
			cl.c.Log.InfoContext(ctx, "WeCom ended an access token early", "api", c.api)
			continue
		}
		if try >= tries || !worthwhile(err) {
			return err
		}
		if err := cl.c.Sleep(ctx, pause.NextBackOff()); err != nil {
			return fmt.Errorf("%s: waiting to try again: %w", c.api, err)
		}
	}
}

// worthwhile says whether the same call may succeed in a few seconds.
func worthwhile(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	const busy, crowded = -1, 45033
	if e, ok := errors.AsType[*wecom.Error](err); ok {
		return e.Code == busy || e.Code == crowded
	}
	return errors.Is(err, wecom.ErrNetwork)
}

// once sends a request when the limits allow it.
func (cl *Client) once(ctx context.Context, c call, token string, out any) error {
	if err := cl.c.Limits.wait(ctx, c.api, cl.c.Now, cl.c.Sleep); err != nil {
		return err
	}
	query := url.Values{}
	for name, values := range c.query {
		query[name] = values
	}
	if token != "" {
		query.Set("access_token", token)
	}
	reply, err := cl.send(ctx, c, query)
	if err != nil {
		return err
	}
	err = parse(c.api, reply, out)
	e, ok := errors.AsType[*wecom.Error](err)
	if !ok {
		return err
	}
	for _, hidden := range []string{token, cl.c.Secret} {
		if hidden != "" {
			e.Message = strings.ReplaceAll(e.Message, hidden, "…")
		}
	}
	const limited = 45009
	if e.Code == limited {
		return &LimitedError{API: c.api, Until: cl.c.Limits.ban(c.api, cl.c.Now()), Err: e}
	}
	return err
}

// send sends a request and reads the reply. Its errors name no URL: the token is in
// it.
func (cl *Client) send(ctx context.Context, c call, query url.Values) ([]byte, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if c.body != nil {
		doc, err := json.Marshal(c.body)
		if err != nil {
			return nil, fmt.Errorf("%s: encoding the request: %w", c.api, err)
		}
		method, body = http.MethodPost, bytes.NewReader(doc)
	}
	req, err := http.NewRequestWithContext(ctx, method, cl.c.BaseURL+"/cgi-bin/"+c.api, body)
	if err != nil {
		return nil, fmt.Errorf("%s: the base URL is wrong", c.api)
	}
	req.URL.RawQuery = query.Encode()
	if c.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	cl.count.add(c.api)
	resp, err := cl.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", c.api, wecom.ErrNetwork, withoutURL(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError {
		return nil, fmt.Errorf("%s: %w: status %d", c.api, wecom.ErrNetwork, resp.StatusCode)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %w: status %d", c.api, ErrReply, resp.StatusCode)
	}
	reply, err := io.ReadAll(io.LimitReader(resp.Body, MaxReply+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w: reading the reply: %w", c.api, wecom.ErrNetwork, withoutURL(err))
	case len(reply) > MaxReply:
		return nil, fmt.Errorf("%s: %w: over %d bytes", c.api, ErrReply, MaxReply)
	}
	return reply, nil
}

// withoutURL takes the URL, and with it the token, out of an error.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// parse decodes a reply into out: *wecom.Error if it says so, ErrReply if it is not
// one of WeCom's. The error quotes nothing of it but errmsg.
func parse(api string, reply []byte, out any) error {
	var head struct {
		Errcode *int   `json:"errcode"`
		Errmsg  string `json:"errmsg"`
	}
	if err := json.Unmarshal(reply, &head); err != nil || head.Errcode == nil {
		return fmt.Errorf("%s: %w: no JSON object with an errcode, %d bytes", api, ErrReply, len(reply))
	}
	if *head.Errcode != 0 {
		return wecom.NewReplyError(api, *head.Errcode, head.Errmsg)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(reply, out); err != nil {
		field := ""
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			field = " at " + e.Field
		}
		return fmt.Errorf("%s: %w: unexpected JSON%s", api, ErrReply, field)
	}
	return nil
}
