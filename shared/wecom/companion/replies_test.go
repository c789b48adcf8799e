package companion_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/companion"
)

// TestBadServers: whatever answers, the error says so and names neither token nor
// secret, and reading ends.
func TestBadServers(t *testing.T) {
	const token = "T0KEN-T0KEN"
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   error
		calls  int
	}{
		"no JSON":    {say("<html>gateway</html>"), companion.ErrReply, 1},
		"no errcode": {say(`{"userid":"a"}`), companion.ErrReply, 1},
		"list":       {say(`[]`), companion.ErrReply, 1},
		"wrong type": {say(`{"errcode":0,"errmsg":"ok","userid":7}`), companion.ErrReply, 1},
		"nobody":     {say(`{"errcode":0,"errmsg":"ok"}`), companion.ErrReply, 1},
		"endless":    {endless, companion.ErrReply, 1},
		"status 404": {status(404), companion.ErrReply, 1},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/cgi-bin/x?"+r.URL.RawQuery, http.StatusFound)
		}, companion.ErrReply, 1},
		"status 502":    {status(502), wecom.ErrNetwork, 3},
		"hangs up":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, wecom.ErrNetwork, 3},
		"quotes tokens": {func(w http.ResponseWriter, r *http.Request) { say(`{"errcode":40003,"errmsg":"bad `+token+`"}`)(w, r) }, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/cgi-bin/gettoken" {
					say(`{"errcode":0,"errmsg":"ok","access_token":"`+token+`","expires_in":7200}`)(rw, r)
					return
				}
				tc.answer(rw, r)
			}))
			t.Cleanup(server.Close)
			server.Config.ErrorLog = nil
			app := w.at(server.URL, appSecret)
			_, err := app.User(t.Context(), "li.na")
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
			if text := fmt.Sprint(err) + w.log.String(); strings.Contains(text, token) || strings.Contains(text, appSecret) || strings.Contains(text, "access_token=") {
				t.Errorf("%q names a token or a secret", text)
			}
			if got := app.Calls()["user/get"]; got != tc.calls {
				t.Errorf("%d calls, want %d", got, tc.calls)
			}
		})
	}
	// Nobody listens.
	w := newWorld(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	if _, err := w.at(gone.URL, appSecret).User(t.Context(), "li.na"); !errors.Is(err, wecom.ErrNetwork) || strings.Contains(err.Error(), appSecret) {
		t.Errorf("nobody listens: %v", err)
	}
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(text)) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func endless(w http.ResponseWriter, r *http.Request) {
	chunk := bytes.Repeat([]byte(" "), 1<<20)
	for r.Context().Err() == nil {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// FuzzReplies: whatever WeCom sends, no call panics, and none returns a person
// without an id.
func FuzzReplies(f *testing.F) {
	for _, seed := range []string{
		`{"errcode":0,"errmsg":"ok","userid":"li.na","name":"李娜","department":[1]}`,
		`{"errcode":0,"external_contact":{"external_userid":"wmA","name":"x"},"follow_user":[{"userid":"a","tags":[{"tag_name":"t"}]}],"next_cursor":"c"}`,
		`{"errcode":0,"external_contact_list":[{"external_contact":{},"follow_info":{"tag_id":["t"]}}],"next_cursor":""}`,
		`{"errcode":0,"group_chat":{"chat_id":"wrA","member_list":[{"userid":"a","type":2}]}}`,
		`{"errcode":0,"data":{"robot_id":"wbA"}}`, `{"errcode":0,"data":[{"robot_id":"wbA"}]}`, `{"errcode":0,"ids":["a"]}`,
		`{"errcode":0,"agreeinfo":[{"exteranalopenid":"x","agree_status":"Agree","status_change_time":1}]}`,
		`{"errcode":45009,"errmsg":"slow"}`, `{`, `null`, `{"errcode":1e400}`,
	} {
		f.Add([]byte(seed))
	}
	var reply []byte
	server := &transport{func(r *http.Request) []byte {
		if strings.HasSuffix(r.URL.Path, "gettoken") {
			return []byte(`{"errcode":0,"access_token":"t","expires_in":7200}`)
		}
		return reply
	}}
	w := &world{now: time.Unix(1_767_000_000, 0)}
	f.Fuzz(func(t *testing.T, body []byte) {
		reply = body
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := companion.New(companion.Config{Corp: corpid, Secret: secret, HTTP: &http.Client{Transport: server}, Now: w.clock, Sleep: w.sleep})
		if u, err := c.User(ctx, "a"); err == nil && u.ID == "" {
			t.Error("a user without an id")
		}
		if x, _, err := c.ExternalContact(ctx, "a"); err == nil && x.ID == "" {
			t.Error("a contact without an id")
		}
		if g, err := c.CustomerGroup(ctx, "a"); err == nil && g.ID == "" {
			t.Error("a group without an id")
		}
		c.ContactsOf(ctx, []string{"a"}, "")
		c.InternalGroup(ctx, "a")
		c.RobotInfo(ctx, "a")
		c.PermitUserList(ctx, companion.Office)
		c.CheckRoomAgree(ctx, "a")
	})
}

// transport answers without a network.
type transport struct{ answer func(*http.Request) []byte }

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Write(t.answer(r))
	return w.Result(), nil
}
