package companion_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/companion"
	"wecom-archive/shared/wecom/wecomtest"
)

const (
	corpid    = "ww5117a9e0c0ffee01"
	secret    = "the-archive-secret"
	appSecret = "the-app-secret"
)

// world is a corp and a clock that sleeping moves.
type world struct {
	corp   *wecomtest.Corp
	server *httptest.Server
	log    bytes.Buffer

	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)}
	var err error
	if w.corp, err = wecomtest.New(wecomtest.Config{Corp: corpid, Secret: secret, AppSecret: appSecret, Now: w.clock}); err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(w.corp.Handler())
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
	return ctx.Err()
}

func (w *world) client(secret string) *companion.Client { return w.at(w.server.URL, secret) }

func (w *world) at(url, secret string) *companion.Client {
	return companion.New(companion.Config{
		Corp: corpid, Secret: secret, BaseURL: url, Now: w.clock, Sleep: w.sleep, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	})
}

func TestCalls(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	archive, app := w.client(secret), w.client(appSecret)

	employee, customer := w.corp.Employees()[0], w.corp.Customers()[0]
	if u, err := app.User(ctx, strings.ToUpper(employee.ID)); err != nil || u.ID != employee.ID || u.Name != employee.Name || u.Status != 1 || len(u.Departments) != 1 {
		t.Errorf("user: %+v, %v", u, err)
	}
	if x, followers, err := app.ExternalContact(ctx, customer.ID); err != nil || x.Name != customer.Name || x.ID != customer.ID || len(followers) == 0 || len(followers[0].Tags) == 0 {
		t.Errorf("external contact: %+v, %+v, %v", x, followers, err)
	}
	if robot, err := archive.RobotInfo(ctx, w.corp.Robots()[0].ID); err != nil || robot.Name != w.corp.Robots()[0].Name {
		t.Errorf("robot: %+v, %v", robot, err)
	}
	sum := 0
	for _, edition := range []companion.Edition{companion.Office, companion.Service, companion.Enterprise} {
		ids, err := archive.PermitUserList(ctx, edition)
		if err != nil || len(ids) == 0 {
			t.Errorf("seats of edition %d: %d, %v", edition, len(ids), err)
		}
		sum += len(ids)
	}
	if all, err := archive.PermitUserList(ctx, companion.AnyEdition); err != nil || len(all) != sum {
		t.Errorf("%d seats of any edition, %d of each, %v", len(all), sum, err)
	}
	for _, room := range w.corp.ChatRooms() {
		inside, err := archive.InternalGroup(ctx, room.ID)
		if room.Customers != errors.Is(err, wecom.ErrNotInternalGroup) || !room.Customers && (inside.Name != room.Name || len(inside.Members) != len(room.Members)) {
			t.Errorf("internal group (customers %v): %+v, %v", room.Customers, inside, err)
		}
		outside, err := app.CustomerGroup(ctx, room.ID)
		if room.Customers == errors.Is(err, companion.ErrNotCustomerGroup) || room.Customers && (outside.Name != room.Name || len(outside.Members) != len(room.Members) || outside.Members[0].Name == "") {
			t.Errorf("customer group (customers %v): %+v, %v", room.Customers, outside, err)
		}
	}
}

func TestConsent(t *testing.T) {
	w := newWorld(t)
	archive := w.client(secret)
	e, x := w.corp.Employees()[3], w.corp.Customers()[5]
	at := time.Unix(1_767_000_000, 0)
	w.corp.Agree(e.ID, x.ID, "Disagree", at)
	got, err := archive.CheckSingleAgree(t.Context(), []companion.Pair{{UserID: e.ID, ExternalID: x.ID}})
	want := []companion.Consent{{UserID: e.ID, ExternalID: x.ID, Status: companion.Disagreed, ChangedAt: at.Unix()}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, n := range []int{0, 101} {
		if _, err := archive.CheckSingleAgree(t.Context(), make([]companion.Pair, n)); err == nil {
			t.Errorf("%d pairs are taken", n)
		}
	}
	for _, room := range w.corp.ChatRooms() {
		answers, err := archive.CheckRoomAgree(t.Context(), room.ID)
		if err != nil || (len(answers) > 0) != room.Customers {
			t.Errorf("room with customers %v: %d answers, %v", room.Customers, len(answers), err)
		}
	}
}

func TestContactsOf(t *testing.T) {
	w := newWorld(t)
	app := w.client(appSecret)
	var ids []string
	for _, e := range w.corp.Employees()[:100] {
		ids = append(ids, e.ID)
	}
	seen := map[string]bool{}
	for cursor, pages := "", 0; ; {
		contacts, next, err := app.ContactsOf(t.Context(), ids, cursor)
		if err != nil || len(contacts) > companion.MaxContactsPage {
			t.Fatalf("%d contacts, %v", len(contacts), err)
		}
		for _, c := range contacts {
			key := c.External.ID + " " + c.Follow.UserID
			if seen[key] || c.External.Name == "" || !slices.Contains(ids, c.Follow.UserID) {
				t.Fatalf("contact %+v: twice, or wrong", c)
			}
			seen[key] = true
		}
		if cursor = next; next == "" {
			break
		}
		if pages++; pages > 100 {
			t.Fatal("no end")
		}
	}
	if len(seen) < 500 {
		t.Errorf("%d contacts", len(seen))
	}
}

func TestUnknown(t *testing.T) {
	w := newWorld(t)
	archive, app := w.client(secret), w.client(appSecret)
	e, x, room := w.corp.Employees()[1], w.corp.Customers()[1], w.corp.ChatRooms()[0]
	for _, id := range []string{e.ID, x.ID, room.ID} {
		w.corp.Vanish(id)
	}
	_, userErr := app.User(t.Context(), e.ID)
	_, _, externalErr := app.ExternalContact(t.Context(), x.ID)
	_, roomErr := archive.InternalGroup(t.Context(), room.ID)
	_, groupErr := app.CustomerGroup(t.Context(), room.ID)
	for _, tc := range []struct{ err, want error }{
		{userErr, wecom.ErrUnknownID}, {externalErr, wecom.ErrNoExternalContact}, {roomErr, wecom.ErrUnknownID}, {groupErr, companion.ErrNotCustomerGroup},
	} {
		if !errors.Is(tc.err, tc.want) {
			t.Errorf("%v, want %v", tc.err, tc.want)
		}
	}
}

// TestTokenKilled: WeCom ends the token between any two calls; each is answered, at
// the price of one more token.
func TestTokenKilled(t *testing.T) {
	w := newWorld(t)
	app := w.client(appSecret)
	for i := range 5 {
		w.corp.RevokeToken()
		if _, err := app.User(t.Context(), w.corp.Employees()[i].ID); err != nil {
			t.Fatal(err)
		}
	}
	if got := app.Calls()["gettoken"]; got != 5 {
		t.Errorf("%d tokens, want 5", got)
	}
	if _, err := app.User(t.Context(), w.corp.Employees()[0].ID); err != nil || app.Calls()["gettoken"] != 5 {
		t.Errorf("a good token is not used again: %v, %v", app.Calls(), err)
	}
	w.sleep(t.Context(), 2*time.Hour)
	if _, err := app.User(t.Context(), w.corp.Employees()[0].ID); err != nil || app.Calls()["gettoken"] != 6 {
		t.Errorf("after two hours: %v, %v", app.Calls(), err)
	}
}

// TestTokenNeverGood: a token that is refused again at once is no reason to go on
// for ever.
func TestTokenNeverGood(t *testing.T) {
	w := newWorld(t)
	w.corp.Refuse(true, 42001)
	app := w.client(appSecret)
	_, err := app.User(t.Context(), w.corp.Employees()[0].ID)
	if !errors.Is(err, wecom.ErrBadToken) || app.Calls()["user/get"] != 2 || app.Calls()["gettoken"] != 2 {
		t.Errorf("%v after %v", err, app.Calls())
	}
}

// TestOneToken: many who start together ask for one token.
func TestOneToken(t *testing.T) {
	w := newWorld(t)
	app := w.client(appSecret)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if _, err := app.User(t.Context(), w.corp.Employees()[i].ID); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := app.Calls()["gettoken"]; got != 1 {
		t.Errorf("%d tokens", got)
	}
}

// TestRefusals: each is one call, and an error that says what to do and no secret.
func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		name    string
		prepare func(*wecomtest.Corp)
		secret  string
		want    error
		api     string
		calls   int // of the API, by two tries
	}{
		{"wrong secret", nil, "wrong", wecom.ErrBadSecret, "gettoken", 1},
		{"revoked secret", (*wecomtest.Corp).RevokeSecret, appSecret, wecom.ErrBadSecret, "gettoken", 1},
		{"untrusted IP", func(c *wecomtest.Corp) { c.Refuse(true, 60020) }, appSecret, wecom.ErrUntrustedIP, "user/get", 2},
		{"untrusted IP, other code", func(c *wecomtest.Corp) { c.Refuse(true, 301042) }, appSecret, wecom.ErrUntrustedIP, "user/get", 2},
		{"the other secret's API", nil, secret, wecom.ErrNotGranted, "user/get", 2},
		{"busy for long", func(c *wecomtest.Corp) { c.Refuse(true, -1) }, appSecret, nil, "user/get", 6},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			if tc.prepare != nil {
				tc.prepare(w.corp)
			}
			app := w.client(tc.secret)
			for range 2 {
				_, err := app.User(t.Context(), w.corp.Employees()[0].ID)
				e, ok := errors.AsType[*wecom.Error](err)
				if !ok || tc.want != nil && (!errors.Is(err, tc.want) || e.Remedy() == "") {
					t.Errorf("%v, want %v", err, tc.want)
				}
				if strings.Contains(fmt.Sprint(err)+w.log.String(), tc.secret) {
					t.Errorf("the secret is in %q or in the log", err)
				}
			}
			if got := app.Calls()[tc.api]; got != tc.calls {
				t.Errorf("%v, want %d of %s", app.Calls(), tc.calls, tc.api)
			}
		})
	}
}

// TestBan: while WeCom bans, nobody is asked; a second ban in a row is taken for the
// long one.
func TestBan(t *testing.T) {
	w := newWorld(t)
	app := w.client(appSecret)
	ask := func() error { _, err := app.User(t.Context(), w.corp.Employees()[0].ID); return err }
	w.corp.Ban("user/get", 30*time.Minute)
	err := ask()
	limited, ok := errors.AsType[*companion.LimitedError](err)
	if !ok || !errors.Is(err, wecom.ErrRateLimited) || !limited.Until.Equal(w.clock().Add(time.Minute)) {
		t.Fatalf("%v, want a ban of a minute", err)
	}
	if again := ask(); !errors.Is(again, wecom.ErrRateLimited) || app.Calls()["user/get"] != 1 {
		t.Errorf("%v after %v: asked while banned", again, app.Calls())
	}
	if _, _, err := app.ExternalContact(t.Context(), w.corp.Customers()[0].ID); err != nil {
		t.Errorf("another API is banned, too: %v", err)
	}
	w.sleep(t.Context(), time.Minute)
	if limited, ok = errors.AsType[*companion.LimitedError](ask()); !ok || !limited.Until.Equal(w.clock().Add(time.Hour)) {
		t.Errorf("the second ban: %+v, want an hour", limited)
	}
	w.sleep(t.Context(), time.Hour)
	if err := ask(); err != nil {
		t.Errorf("after the ban: %v", err)
	}
}

// TestWithinLimits: as many calls as one likes, and WeCom never counts too many.
func TestWithinLimits(t *testing.T) {
	w := newWorld(t)
	archive := w.client(secret)
	pair := []companion.Pair{{UserID: w.corp.Employees()[0].ID, ExternalID: w.corp.Customers()[0].ID}}
	start := w.clock()
	const calls = 6000
	for range calls {
		if _, err := archive.CheckSingleAgree(t.Context(), pair); err != nil {
			t.Fatal(err)
		}
	}
	took := w.clock().Sub(start)
	if fastest := (calls / companion.SingleAgreePerMinute) * time.Minute; took < fastest || took > 2*fastest {
		t.Errorf("%d calls in %s", calls, took)
	}
}

// TestDeadline: who has no time left for the wait is told at once.
func TestDeadline(t *testing.T) {
	w := newWorld(t)
	archive := w.client(secret)
	w.now = time.Now() // a deadline is the machine's as well
	ctx, cancel := context.WithDeadline(t.Context(), w.clock().Add(10*time.Second))
	defer cancel()
	pair := []companion.Pair{{UserID: w.corp.Employees()[0].ID, ExternalID: w.corp.Customers()[0].ID}}
	for range 1000 { // 250 at once and 37 a second
		if _, err := archive.CheckSingleAgree(ctx, pair); err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			if n := archive.Calls()["msgaudit/check_single_agree"]; n < 250 || ctx.Err() != nil {
				t.Errorf("told after %d calls, context: %v", n, ctx.Err())
			}
			return
		}
	}
	t.Error("no call had to wait")
}
