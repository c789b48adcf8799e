package directory_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/directory"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/companion"
	"wecom-archive/shared/wecom/wecomtest"
)

const (
	corpid    = "ww5117a9e0c0ffee01"
	secret    = "the-archive-secret"
	appSecret = "the-app-secret"
	noSecret  = ""
)

// TestCalls is the measure of the stage: one run names all that can be named,
// within WeCom's limits; the next day's makes less than a twentieth of the calls, and
// learns who is new.
func TestCalls(t *testing.T) {
	if underRace {
		t.Skip("counts the same without the race detector, in a sixth of the time")
	}
	w := newWorld(t, wecomtest.Config{Employees: 300, Customers: 20_000, Rooms: 2000})
	for _, i := range []int{3, 77, 150} {
		w.corp.Leave(w.corp.Employees()[i].ID)
		w.corp.Vanish(w.corp.Employees()[i+1].ID)
		w.corp.Vanish(w.corp.Customers()[i*10].ID)
		w.corp.Vanish(w.corp.ChatRooms()[i].ID)
	}
	w.everybodyTalks()
	start := w.clock()
	first := w.mustRun(appSecret, true)
	w.wantNames("after one run", w.truth(true, true, true, true))
	asked := 0
	for c, err := range w.catalog.Consents.ConsentSubjects(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if asked++; c.AskedAt.IsZero() {
			t.Errorf("%s: WeCom was not asked for consent", c.ID)
		}
	}
	if asked < 20_000 {
		t.Errorf("consent of %d conversations", asked)
	}
	t.Logf("first run: %d calls in %s: %v", first.Calls, w.clock().Sub(start), w.corp.CompanionCalls())

	if hour := w.mustRun(appSecret, false); hour.Calls != 0 {
		t.Errorf("an hour later, with nobody new: %d calls", hour.Calls)
	}

	w.pass(24 * time.Hour)
	w.everybodyTalks()
	before := w.corp.CompanionCalls()
	second := w.mustRun(appSecret, true)
	if second.Calls == 0 || second.Calls*20 >= first.Calls {
		t.Errorf("the second day: %d calls, the first %d: want less than 5 %%", second.Calls, first.Calls)
	}
	after := w.corp.CompanionCalls()
	for api, n := range before {
		after[api] -= n
	}
	t.Logf("second day: %d calls (%.1f %%): %v", second.Calls, 100*float64(second.Calls)/float64(first.Calls), after)
}

// TestRenames: each name stands with the time in which it was seen. A rename is found
// within the week for customers, within four weeks for others.
func TestRenames(t *testing.T) {
	w := small(t)
	w.mustRun(appSecret, true)
	start := w.clock()
	customer, employee, room, robot := w.corp.Customers()[2], w.corp.Employees()[3], w.corp.ChatRooms()[1], w.corp.Robots()[0]
	w.pass(time.Hour)
	renamed := w.clock()
	for _, s := range []wecomtest.Someone{customer, employee, room.Someone, robot} {
		w.corp.Rename(s.ID, "新"+s.Name)
	}
	for day := 1; day <= 28; day++ {
		w.pass(24 * time.Hour)
		w.mustRun(appSecret, true)
		if day == 8 {
			if got := w.entry(customer.ID, false).Now(); got != "新"+customer.Name {
				t.Errorf("a week later the customer is still %q", got)
			}
		}
	}
	for _, tc := range []struct {
		someone wecomtest.Someone
		room    bool
	}{{customer, false}, {employee, false}, {room.Someone, true}, {robot, false}} {
		id := tc.someone.ID
		if !tc.room {
			id = chat.ParticipantOf(id).ID
		}
		e := w.entry(id, tc.room)
		if e.At(start) != tc.someone.Name || e.At(start.Add(-time.Hour)) != tc.someone.Name || e.At(w.clock()) != "新"+tc.someone.Name || e.Now() != e.At(w.clock()) {
			t.Errorf("%s: %+v", tc.someone.Name, e.Names)
		}
		if len(e.Names) != 2 || e.Names[0].From.After(start) || e.Names[0].To.After(renamed) || e.Names[1].From.Before(renamed) {
			t.Errorf("%s: %+v", tc.someone.Name, e.Names)
		}
	}
}

// TestLeavers: a name outlives the person.
func TestLeavers(t *testing.T) {
	w := small(t)
	w.mustRun(appSecret, true)
	want := w.truth(true, true, true, true)
	leaver := w.corp.Employees()[1]
	w.corp.Vanish(leaver.ID)
	w.corp.Vanish(w.corp.Customers()[1].ID)
	w.corp.Vanish(w.corp.ChatRooms()[2].ID)
	for range 60 {
		w.pass(24 * time.Hour)
		w.mustRun(appSecret, true)
	}
	w.wantNames("after they left", want)
	for id, room := range map[string]bool{chat.ParticipantOf(leaver.ID).ID: false, w.corp.Customers()[1].ID: false, w.corp.ChatRooms()[2].ID: true} {
		if e := w.entry(id, room); e.Answer != archive.Unknown {
			t.Errorf("%s: %s", id, e.Answer)
		}
	}
	seats := map[string]catalog.Seat{}
	for s, err := range w.catalog.People.Seats(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		seats[s.ID] = s
	}
	if got := seats[chat.ParticipantOf(leaver.ID).ID]; got.Has() || len(got.Periods) != 1 || len(seats) != 12 {
		t.Errorf("the leaver's seat: %+v of %d", got, len(seats))
	}
	if stays := seats[chat.ParticipantOf(w.corp.Employees()[0].ID).ID]; !stays.Has() || len(stays.Editions) != 1 || stays.UserID != w.corp.Employees()[0].ID {
		t.Errorf("another's seat: %+v", stays)
	}
}

// TestOnlyTheArchive: who does not occur in the archive is not asked for, and what
// lists say of them is not kept.
func TestOnlyTheArchive(t *testing.T) {
	w := newWorld(t, wecomtest.Config{Employees: 12, Customers: 400, Rooms: 12})
	in := map[string]bool{}
	reading := archive.Reading{Conversation: "multi:x", MsgTime: w.clock()}
	for _, e := range w.corp.Employees() {
		reading.ToIDs = append(reading.ToIDs, chat.ParticipantOf(e.ID).ID)
	}
	for _, x := range w.corp.Customers()[:150] { // enough to read lists for
		reading.ToIDs = append(reading.ToIDs, x.ID)
		in[x.ID] = true
	}
	if err := w.catalog.Conversations.PutActive(t.Context(), reading); err != nil {
		t.Fatal(err)
	}
	w.mustRun(appSecret, true)
	if w.corp.CompanionCalls()["externalcontact/batch/get_by_user"] == 0 {
		t.Error("no list was read")
	}
	for _, x := range w.corp.Customers() {
		if e := w.entry(x.ID, false); (e.Now() != "") != in[x.ID] {
			t.Errorf("%s (in the archive: %v): %+v", x.ID, in[x.ID], e)
		}
	}
	for info, err := range w.objects.List(t.Context(), archive.DirectoryPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		p, err := archive.GetDirectoryPart(t.Context(), w.objects, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Records {
			if r.Kind == archive.SubjectExternal && !in[r.ID] {
				t.Errorf("%s keeps %s", info.Key, r.ID)
			}
		}
	}
}

// TestNewcomers: an id that appears is named by the next hourly run.
func TestNewcomers(t *testing.T) {
	w := newWorld(t, wecomtest.Config{Employees: 12, Customers: 40, Rooms: 12})
	w.mustRun(appSecret, true) // an archive without a message
	w.pass(time.Hour)
	w.everybodyTalks()
	w.mustRun(appSecret, false)
	w.wantNames("within the hour", w.truth(true, true, true, true))
}

// TestSecondSecret: without one, and when it is refused, the rest is learned, the run
// says what to do, and when it works all is named at once.
func TestSecondSecret(t *testing.T) {
	for _, tc := range []struct {
		name    string
		app     string
		prepare func(*wecomtest.Corp)
		mend    func(*wecomtest.Corp)
		want    error
	}{
		{"none", noSecret, nil, nil, nil},
		{"wrong", "wrong", nil, nil, wecom.ErrBadSecret},
		{"untrusted IP", appSecret, func(c *wecomtest.Corp) { c.Refuse(true, 60020) }, func(c *wecomtest.Corp) { c.Refuse(true, 0) }, wecom.ErrUntrustedIP},
		{"untrusted IP, other code", appSecret, func(c *wecomtest.Corp) { c.Refuse(true, 301042) }, func(c *wecomtest.Corp) { c.Refuse(true, 0) }, wecom.ErrUntrustedIP},
		{"no rights", secret, nil, nil, wecom.ErrNotGranted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := small(t)
			if tc.prepare != nil {
				tc.prepare(w.corp)
			}
			run, err := w.run(tc.app, true)
			if !errors.Is(err, tc.want) || (run.Remedy != "") != (tc.want != nil) {
				t.Errorf("%v, remedy %q; want %v", err, run.Remedy, tc.want)
			}
			w.wantNames("without", w.truth(false, false, true, true))
			for _, room := range w.corp.ChatRooms() {
				if e := w.entry(room.ID, true); room.Customers && (e.Answer != archive.NoApp || !e.Customers) {
					t.Errorf("a room with customers: %+v", e)
				}
			}
			// Until it is mended, a run costs next to nothing.
			again, _ := w.run(tc.app, false)
			if again.Calls > 20 || tc.want == wecom.ErrBadSecret && again.Calls != 0 {
				t.Errorf("the next run: %d calls", again.Calls)
			}
			if tc.mend != nil {
				tc.mend(w.corp)
			}
			// A secret that was refused is left alone until the next daily run.
			w.mustRun(appSecret, tc.want == wecom.ErrBadSecret)
			w.wantNames("with", w.truth(true, true, true, true))
		})
	}
}

// TestRevokedInTheMiddle: what was learned before stays, and the run says why.
func TestRevokedInTheMiddle(t *testing.T) {
	w := small(t)
	calls := 0
	w.corp.OnCompanion(func(api string) {
		if api == "user/get" {
			if calls++; calls == 6 {
				w.corp.RevokeSecret()
			}
		}
	})
	stage := w.stage(appSecret)
	stage.Parallel = 1
	run, err := stage.Run(t.Context(), true)
	if !errors.Is(err, wecom.ErrBadSecret) || run.Stopped != directory.StoppedError || run.Remedy == "" {
		t.Errorf("%v, %+v", err, run)
	}
	people := 0
	for id := range w.names() {
		if chat.ParticipantOf(id).Kind == chat.Employee && !strings.HasPrefix(id, "wr") {
			people++
		}
	}
	if people != 5 {
		t.Errorf("%d employees are named, want those of the 5 calls before", people)
	}
	if w.corp.CompanionCalls()["msgaudit/groupchat/get"] == 0 {
		t.Error("internal rooms were not asked for any more")
	}
	if runs, err := w.catalog.Journal.Runs(t.Context(), directory.StageName, 1); err != nil || len(runs) != 1 || runs[0].Remedy == "" {
		t.Errorf("recorded: %+v, %v", runs, err)
	}
}

// TestTokenKilled: WeCom ends all tokens every few calls; nothing is lost.
func TestTokenKilled(t *testing.T) {
	w := small(t)
	calls, killed, before := 0, 0, ""
	w.corp.OnCompanion(func(api string) {
		// Not twice within one call: that ends it.
		if calls++; calls > killed+10 && api != "gettoken" && before != "gettoken" {
			w.corp.RevokeToken()
			killed = calls
		}
		before = api
	})
	stage := w.stage(appSecret)
	stage.Parallel = 1
	if _, err := stage.Run(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	w.wantNames("with tokens that die", w.truth(true, true, true, true))
}

// TestBan: an API that WeCom bans is left alone; the others go on, and the next run
// after the ban does the rest.
func TestBan(t *testing.T) {
	w := small(t)
	w.corp.Ban("user/get", 50*time.Second)
	run, err := w.run(appSecret, true)
	if limited, ok := errors.AsType[*companion.LimitedError](err); !ok || limited.API != "user/get" || !strings.Contains(run.Remedy, "user/get") {
		t.Errorf("%v, remedy %q", err, run.Remedy)
	}
	if got := w.corp.CompanionCalls()["user/get"]; got > 4 {
		t.Errorf("%d calls while banned", got)
	}
	w.pass(time.Hour)
	w.mustRun(appSecret, false)
	w.wantNames("after the ban", w.truth(true, true, true, true))
}

// TestDeadline: a run that has no time left keeps what it has, and the next one goes
// on.
func TestDeadline(t *testing.T) {
	w := small(t)
	w.now = time.Now() // a deadline is the machine's as well
	w.corp.OnCompanion(func(string) { w.pass(10 * time.Second) })
	total := 0
	for n := 1; ; n++ {
		ctx, cancel := context.WithDeadline(t.Context(), w.clock().Add(200*time.Second))
		run, err := w.stage(appSecret).Run(ctx, true)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		total += run.Calls
		if run.Stopped == directory.StoppedEnd {
			if n < 3 {
				t.Errorf("only %d runs", n)
			}
			break
		}
		if n > 60 {
			t.Fatalf("no end after %d runs and %d calls", n, total)
		}
	}
	w.wantNames("in pieces", w.truth(true, true, true, true))
	if total > 250 {
		t.Errorf("%d calls in all: some were made again and again", total)
	}
}

// TestTwoAtOnce: the second leaves the field to the first.
func TestTwoAtOnce(t *testing.T) {
	w := small(t)
	second := error(nil)
	once := sync.OnceFunc(func() { _, second = w.stage(appSecret).Run(t.Context(), true) })
	w.corp.OnCompanion(func(api string) {
		if api == "user/get" {
			once()
		}
	})
	w.mustRun(appSecret, true)
	if held := (*catalog.LeaseHeldError)(nil); !errors.As(second, &held) {
		t.Errorf("the second run: %v", second)
	}
}

// TestNotLocked: nothing is asked for that could not be kept.
func TestNotLocked(t *testing.T) {
	w := small(t)
	w.lock = storetest.NewUnlockedObjects()
	if _, err := w.run(appSecret, true); !errors.Is(err, store.ErrNotLocked) {
		t.Errorf("%v", err)
	}
	if got := w.corp.CompanionCalls(); len(got) != 0 {
		t.Errorf("calls: %v", got)
	}
}
