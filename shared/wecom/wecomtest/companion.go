package wecomtest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// tokenLife is how long an access token is good for.
const tokenLife = 7200 * time.Second

// maxRequest bounds the body of a companion call, in bytes.
const maxRequest = 1 << 20

// token is the access token that gettoken gives out. WeCom gives the same one
// until it ends.
type token struct {
	value   string
	until   time.Time
	past    string // the one before: it counts as expired, not as unknown
	serials uint64
}

// Handler is the corp's companion HTTP API, as at https://qyapi.weixin.qq.com. A
// path that is not simulated answers 404.
func (c *Corp) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cgi-bin/gettoken", c.getToken)
	mux.HandleFunc("POST /cgi-bin/msgaudit/get_permit_user_list", c.authorized(c.getPermitUserList))
	return mux
}

// RevokeToken makes the current access token expire early, as WeCom may do.
func (c *Corp) RevokeToken() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token.past, c.token.value = c.token.value, ""
}

func (c *Corp) getToken(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if code := c.refuses(query.Get("corpid"), query.Get("corpsecret")); code != 0 {
		answer(w, code, nil)
		return
	}
	value, left := c.issueToken()
	answer(w, 0, map[string]any{"access_token": value, "expires_in": int(left / time.Second)})
}

func (c *Corp) issueToken() (value string, left time.Duration) {
	now := c.config.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &c.token
	if t.value == "" || !now.Before(t.until) {
		if t.value != "" {
			t.past = t.value
		}
		t.serials++
		r := stream(c.config.Seed, forToken, t.serials)
		var b [32]byte
		r.fill(b[:])
		t.value, t.until = hex.EncodeToString(b[:]), now.Add(tokenLife)
	}
	return t.value, t.until.Sub(now)
}

// checkToken is the errcode for an access token; 0: it is good.
func (c *Corp) checkToken(value string) (errcode int) {
	now := c.config.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case value == "":
		return 41001
	case value == c.token.value && now.Before(c.token.until):
		return 0
	case value == c.token.value || value == c.token.past:
		return 42001
	}
	return 40014
}

// authorized lets only calls with a good access token through to h.
func (c *Corp) authorized(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if code := c.checkToken(r.URL.Query().Get("access_token")); code != 0 {
			answer(w, code, nil)
			return
		}
		h(w, r)
	}
}

// getPermitUserList lists the members whose messages are archived: of one
// edition, or of all.
func (c *Corp) getPermitUserList(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Type int `json:"type"`
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, "cannot read the request", http.StatusBadRequest)
		return
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &request); err != nil {
			http.Error(w, "request is not JSON", http.StatusBadRequest)
			return
		}
	}
	answer(w, 0, map[string]any{"ids": c.seats(request.Type)})
}

// Seats lists the members whose messages are archived.
func (c *Corp) Seats(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.seats(0), nil
}

// seats lists the members with a licence of this edition; 0: of any.
func (c *Corp) seats(edition int) []string {
	ids := make([]string, 0, len(c.crowd.employees))
	for _, p := range c.crowd.employees {
		if edition == 0 || p.edition == edition {
			ids = append(ids, p.id)
		}
	}
	return ids
}

// answer writes a reply as WeCom does: status 200 whatever the errcode says.
func answer(w http.ResponseWriter, errcode int, fields map[string]any) {
	reply := map[string]any{"errcode": errcode, "errmsg": errmsg(errcode)}
	for k, v := range fields {
		reply[k] = v
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	// The client is gone if this fails; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(reply)
}
