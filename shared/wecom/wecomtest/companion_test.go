package wecomtest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/wecom/wecomtest"
)

type companionReply struct {
	Errcode   int      `json:"errcode"`
	Errmsg    string   `json:"errmsg"`
	Token     string   `json:"access_token"`
	ExpiresIn int      `json:"expires_in"`
	IDs       []string `json:"ids"`
}

func call(t *testing.T, corp *wecomtest.Corp, method, target, body string) (status int, reply companionReply) {
	t.Helper()
	w := httptest.NewRecorder()
	corp.Handler().ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil {
			t.Fatalf("%s %s: %q: %v", method, target, w.Body, err)
		}
	}
	return w.Code, reply
}

func tokenURL(corpid, secret string) string {
	return "/cgi-bin/gettoken?" + url.Values{"corpid": {corpid}, "corpsecret": {secret}}.Encode()
}

const seatsPath = "/cgi-bin/msgaudit/get_permit_user_list"

func TestGetToken(t *testing.T) {
	corp := open(t, wecomtest.Config{})
	for _, tc := range []struct {
		corpid, secret string
		want           int
	}{
		{corpid, secret, 0}, {corpid, "wrong", 40001}, {corpid, "", 40001}, {"wwother", secret, 40013}, {"", "", 40013},
	} {
		status, r := call(t, corp, "GET", tokenURL(tc.corpid, tc.secret), "")
		if status != 200 || r.Errcode != tc.want || (r.Token != "") != (tc.want == 0) || r.Errmsg == "" {
			t.Errorf("%q %q: status %d, %+v; want errcode %d", tc.corpid, tc.secret, status, r, tc.want)
		}
		if tc.want == 0 && r.ExpiresIn != 7200 {
			t.Errorf("expires in %d s", r.ExpiresIn)
		}
	}
}

func TestTokenLife(t *testing.T) {
	now := noon
	corp := open(t, wecomtest.Config{Now: func() time.Time { return now }})
	_, first := call(t, corp, "GET", tokenURL(corpid, secret), "")
	check := func(when, token string, want int) {
		t.Helper()
		target := seatsPath
		if token != "" {
			target += "?access_token=" + token
		}
		if _, r := call(t, corp, "POST", target, "{}"); r.Errcode != want || (len(r.IDs) > 0) != (want == 0) {
			t.Errorf("%s: errcode %d with %d ids, want %d", when, r.Errcode, len(r.IDs), want)
		}
	}
	check("none", "", 41001)
	check("made up", "abc", 40014)
	check("fresh", first.Token, 0)

	now = noon.Add(time.Hour)
	if _, same := call(t, corp, "GET", tokenURL(corpid, secret), ""); same.Token != first.Token || same.ExpiresIn != 3600 {
		t.Errorf("an hour later: another token or %d s left", same.ExpiresIn)
	}
	now = noon.Add(2 * time.Hour)
	check("two hours old", first.Token, 42001)
	_, second := call(t, corp, "GET", tokenURL(corpid, secret), "")
	check("the next one", second.Token, 0)
	check("the one before", first.Token, 42001)

	corp.RevokeToken()
	check("revoked", second.Token, 42001)
	_, third := call(t, corp, "GET", tokenURL(corpid, secret), "")
	check("the third", third.Token, 0)
	if first.Token == second.Token || second.Token == third.Token {
		t.Error("a token comes twice")
	}
}

func TestPermitUserList(t *testing.T) {
	corp := open(t, wecomtest.Config{Seed: 1})
	_, token := call(t, corp, "GET", tokenURL(corpid, secret), "")
	list := func(body string) []string {
		status, r := call(t, corp, "POST", seatsPath+"?access_token="+token.Token, body)
		if status != 200 || r.Errcode != 0 {
			t.Fatalf("%s: status %d, %+v", body, status, r)
		}
		return r.IDs
	}
	all := list("")
	if seats, err := corp.Seats(t.Context()); err != nil || !slices.Equal(all, seats) || len(all) != 120 {
		t.Errorf("%d ids, %d seats, %v", len(all), len(seats), err)
	}
	var sum []string
	for _, edition := range []string{`{"type":1}`, `{"type":2}`, `{"type":3}`} {
		part := list(edition)
		if len(part) == 0 {
			t.Errorf("nobody has edition %s", edition)
		}
		sum = append(sum, part...)
	}
	slices.Sort(sum)
	slices.Sort(all)
	if !slices.Equal(sum, all) {
		t.Error("the three editions do not add up to all seats")
	}
	if none := list(`{"type":9}`); none == nil || len(none) != 0 {
		t.Errorf("unknown edition: %v, want []", none)
	}
	if status, _ := call(t, corp, "POST", seatsPath+"?access_token="+token.Token, "{"); status != http.StatusBadRequest {
		t.Errorf("bad JSON: status %d", status)
	}
}

func TestUnknownPath(t *testing.T) {
	corp := open(t, wecomtest.Config{})
	for _, path := range []string{"/", "/cgi-bin/", "/cgi-bin/user/list?department_id=1", "/cgi-bin/gettoken/x"} {
		if status, _ := call(t, corp, "GET", path, ""); status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, status)
		}
	}
}
