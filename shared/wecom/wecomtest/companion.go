package wecomtest

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"time"
)

// tokenLife is how long an access token is good for.
const tokenLife = 7200 * time.Second

// maxRequest bounds the body of a companion call, in bytes.
const maxRequest = 1 << 20

// token is the access token that gettoken gives out for one secret. WeCom gives the
// same one until it ends.
type token struct {
	value string
	until time.Time
	past  string // the one before: it counts as expired, not as unknown
}

// Secrets whose tokens call the API.
type secretKind int

const (
	archiveKind secretKind = iota
	appKind
	secretKinds
)

// Handler is the corp's companion HTTP API, as at https://qyapi.weixin.qq.com. A
// path that is not simulated answers 404. Like WeCom, since 2022, it returns no
// avatar, gender, mobile or mail.
func (c *Corp) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cgi-bin/gettoken", c.getToken)
	for _, api := range []struct {
		method, path string
		kind         secretKind
		perMinute    int
		handle       http.HandlerFunc
	}{
		{"POST", "msgaudit/get_permit_user_list", archiveKind, perMinute, c.getPermitUserList},
		{"POST", "msgaudit/check_single_agree", archiveKind, 2_500, c.checkSingleAgree},
		{"POST", "msgaudit/check_room_agree", archiveKind, 1_500, c.checkRoomAgree},
		{"POST", "msgaudit/groupchat/get", archiveKind, perMinute, c.getInternalGroup},
		{"GET", "msgaudit/get_robot_info", archiveKind, perMinute, c.getRobot},
		{"GET", "user/get", appKind, perMinute, c.getUser},
		{"GET", "externalcontact/get", appKind, perMinute, c.getExternal},
		{"POST", "externalcontact/batch/get_by_user", appKind, perMinute, c.getContactsOf},
		{"POST", "externalcontact/groupchat/get", appKind, perMinute, c.getCustomerGroup},
	} {
		mux.HandleFunc(api.method+" /cgi-bin/"+api.path, c.authorized(api.path, api.kind, api.perMinute, api.handle))
	}
	return mux
}

// CompanionCalls is how many calls of each companion API arrived, refused ones too.
func (c *Corp) CompanionCalls() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.office.calls)
}

// RevokeToken makes the current access tokens expire early, as WeCom may do.
func (c *Corp) RevokeToken() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.office.tokens {
		t := &c.office.tokens[i]
		t.past, t.value = t.value, ""
	}
}

// Refuse has every companion call with the archive's secret, or with the app's,
// answered with this errcode; 0: not any more. 60020 is an IP that is not trusted.
func (c *Corp) Refuse(app bool, errcode int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kind := archiveKind
	if app {
		kind = appKind
	}
	c.office.refuse[kind] = errcode
}

// RevokeSecret makes the app's secret one that WeCom does not know any more, and its
// token with it.
func (c *Corp) RevokeSecret() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.office.revoked = true
	c.office.tokens[appKind] = token{}
}

// OnCompanion has f called before each companion call is answered, with its path
// below /cgi-bin/.
func (c *Corp) OnCompanion(f func(api string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.office.onCall = f
}

func (c *Corp) getToken(w http.ResponseWriter, r *http.Request) {
	c.arrived("gettoken")
	query := r.URL.Query()
	secret := query.Get("corpsecret")
	kind := archiveKind
	if app := c.config.AppSecret; app != "" && secret == app && !c.appRevoked() {
		kind, secret = appKind, c.config.Secret
	}
	if code := c.refuses(query.Get("corpid"), secret); code != 0 {
		answer(w, code, nil)
		return
	}
	value, left := c.issueToken(kind)
	answer(w, 0, map[string]any{"access_token": value, "expires_in": int(left / time.Second)})
}

func (c *Corp) appRevoked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.office.revoked
}

func (c *Corp) issueToken(kind secretKind) (value string, left time.Duration) {
	now := c.config.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &c.office.tokens[kind]
	if t.value == "" || !now.Before(t.until) {
		if t.value != "" {
			t.past = t.value
		}
		c.office.serials++
		r := stream(c.config.Seed, forToken, c.office.serials)
		var b [32]byte
		r.fill(b[:])
		t.value, t.until = hex.EncodeToString(b[:]), now.Add(tokenLife)
	}
	return t.value, t.until.Sub(now)
}

// checkToken is the errcode for an access token; 0: it is good for calls of this
// kind.
func (c *Corp) checkToken(value string, kind secretKind) (errcode int) {
	now := c.config.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if value == "" {
		return 41001
	}
	for i, t := range c.office.tokens {
		switch {
		case value == t.value && now.Before(t.until):
			if code := c.office.refuse[i]; code != 0 {
				return code
			}
			if secretKind(i) != kind {
				return 48002
			}
			return 0
		case value == t.value || value == t.past:
			return 42001
		}
	}
	return 40014
}

// authorized lets only calls with a good access token, and not too many of them,
// through to h.
func (c *Corp) authorized(api string, kind secretKind, perMinute int, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c.arrived(api)
		code := c.checkToken(r.URL.Query().Get("access_token"), kind)
		if code == 0 && !c.config.Unmetered {
			code = c.meter(api, perMinute)
		}
		if code != 0 {
			answer(w, code, nil)
			return
		}
		h(w, r)
	}
}

// arrived counts a call.
func (c *Corp) arrived(api string) {
	c.mu.Lock()
	if c.office.calls == nil {
		c.office.calls = map[string]int{}
	}
	c.office.calls[api]++
	f := c.office.onCall
	c.mu.Unlock()
	if f != nil {
		f(api)
	}
}

// decode reads the JSON body of a call; an empty one leaves request as it is. If it
// is not ok, the call is answered.
func decode(w http.ResponseWriter, r *http.Request, request any) (ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, "cannot read the request", http.StatusBadRequest)
		return false
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, request); err != nil {
			http.Error(w, "request is not JSON", http.StatusBadRequest)
			return false
		}
	}
	return true
}

// answer writes a reply as WeCom does: status 200 whatever the errcode says.
func answer(w http.ResponseWriter, errcode int, fields map[string]any) {
	refuse(w, errcode, errmsg(errcode), fields)
}

func refuse(w http.ResponseWriter, errcode int, errmsg string, fields map[string]any) {
	reply := map[string]any{"errcode": errcode, "errmsg": errmsg}
	maps.Copy(reply, fields)
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	// The client is gone if this fails; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(reply)
}
