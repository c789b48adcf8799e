package directory_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http/httptest"
	"slices"
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
	"wecom-archive/shared/wecom/companion"
	"wecom-archive/shared/wecom/wecomtest"
)

// world is a corp, an archive in which everybody occurs, and a clock that sleeping
// moves.
type world struct {
	t       testing.TB
	corp    *wecomtest.Corp
	url     string
	objects store.Objects
	lock    store.Lock
	index   store.Index
	catalog *catalog.Catalog
	limits  *companion.Limits
	log     bytes.Buffer
	runs    int

	mu  sync.Mutex
	now time.Time
}

func newWorld(t testing.TB, config wecomtest.Config) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC), objects: storetest.NewObjects(), lock: storetest.NewObjects(), limits: companion.NewLimits()}
	w.index = storetest.NewIndex()
	w.catalog = catalog.New(w.index)
	config.Corp, config.Secret, config.AppSecret, config.Now = corpid, secret, appSecret, w.clock
	var err error
	if w.corp, err = wecomtest.New(config); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.corp.Handler())
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// small is a corp of a few people, all of whom occur in the archive.
func small(t testing.TB) *world {
	w := newWorld(t, wecomtest.Config{Employees: 12, Customers: 40, Rooms: 12})
	w.everybodyTalks()
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

func (w *world) pass(d time.Duration) { w.sleep(context.Background(), d) }

// everybodyTalks lets all people and rooms of the corp occur in the archive.
func (w *world) everybodyTalks() {
	w.t.Helper()
	var ids []string
	for _, people := range [][]wecomtest.Someone{w.corp.Employees(), w.corp.Customers(), w.corp.Robots()} {
		for _, p := range people {
			ids = append(ids, chat.ParticipantOf(p.ID).ID)
		}
	}
	var readings []archive.Reading
	for chunk := range slices.Chunk(ids, 100) {
		readings = append(readings, archive.Reading{Conversation: "multi:" + chunk[0], FromID: chunk[0], ToIDs: chunk, MsgTime: w.clock()})
	}
	for _, room := range w.corp.ChatRooms() {
		reading := archive.Reading{Conversation: "room:" + room.ID, RoomID: room.ID, FromID: ids[0], MsgTime: w.clock()}
		if room.Customers {
			reading.ChatKind = chat.ExternalChat
		}
		readings = append(readings, reading)
	}
	employees := w.corp.Employees()
	for i, x := range w.corp.Customers() {
		readings = append(readings, archive.Reading{Conversation: pairOf(employees[i%len(employees)], x), FromID: x.ID, MsgTime: w.clock(), ChatKind: chat.ExternalChat})
	}
	if err := w.catalog.Conversations.PutActive(w.t.Context(), readings...); err != nil {
		w.t.Fatal(err)
	}
}

// pairOf is the conversation of two people.
func pairOf(a, b wecomtest.Someone) string {
	return chat.ConversationOf("", chat.ParticipantOf(a.ID), chat.ParticipantOf(b.ID))
}

func (w *world) client(secret string) *companion.Client {
	return companion.New(companion.Config{Corp: corpid, Secret: secret, BaseURL: w.url, Now: w.clock, Sleep: w.sleep, Limits: w.limits, Log: slog.New(slog.NewTextHandler(&w.log, nil))})
}

// stage makes a stage as a new process would; with noSecret it has no app.
func (w *world) stage(app string) *directory.Stage {
	w.runs++
	n := w.runs
	c := directory.Config{
		Corp: corpid, Program: "test", Objects: w.objects, Lock: w.lock, People: w.catalog.People, Consents: w.catalog.Consents,
		Journal: w.catalog.Journal, Leases: w.catalog.Pages, Archive: w.client(secret), Owner: fmt.Sprint("process", n),
		NewID: func() string { return fmt.Sprintf("run%04d", n) }, Now: w.clock, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	}
	if app != noSecret {
		c.App = w.client(app)
	}
	return directory.New(c)
}

func (w *world) run(app string, daily bool) (archive.Run, error) {
	w.t.Helper()
	run, err := w.stage(app).Run(w.t.Context(), daily)
	if text := fmt.Sprint(err, run.Error) + w.log.String(); strings.Contains(text, secret) || strings.Contains(text, appSecret) || strings.Contains(text, "access_token") {
		w.t.Errorf("a secret is in the log or in an error: %q", text)
	}
	return run, err
}

func (w *world) mustRun(app string, daily bool) archive.Run {
	w.t.Helper()
	run, err := w.run(app, daily)
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

// names are all names that the index has now, by id; ids without one are missing.
func (w *world) names() map[string]string {
	w.t.Helper()
	names := map[string]string{}
	for subject, err := range w.catalog.People.Subjects(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		e := w.entry(subject.ID, subject.Room)
		if e.Now() != "" {
			names[subject.ID] = e.Now()
		}
	}
	return names
}

func (w *world) entry(id string, room bool) catalog.DirectoryEntry {
	w.t.Helper()
	find := w.catalog.People.PersonEntries
	if room {
		find = w.catalog.People.RoomEntries
	}
	found, err := find(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return found[id]
}

// truth are the names that WeCom would tell, by id as in readings.
func (w *world) truth(people, customerRooms, internalRooms, robots bool) map[string]string {
	names := map[string]string{}
	add := func(all []wecomtest.Someone) {
		for _, p := range all {
			if !p.Gone {
				names[chat.ParticipantOf(p.ID).ID] = p.Name
			}
		}
	}
	if people {
		add(w.corp.Employees())
		add(w.corp.Customers())
	}
	if robots {
		add(w.corp.Robots())
	}
	for _, room := range w.corp.ChatRooms() {
		if !room.Gone && (room.Customers && customerRooms || !room.Customers && internalRooms) {
			names[room.ID] = room.Name
		}
	}
	return names
}

func (w *world) wantNames(when string, want map[string]string) {
	w.t.Helper()
	got := w.names()
	if maps.Equal(got, want) {
		return
	}
	for id, name := range want {
		if got[id] != name {
			w.t.Errorf("%s: %s is %q, want %q (of %d and %d names)", when, id, got[id], name, len(got), len(want))
			return
		}
	}
	w.t.Errorf("%s: %d names, want %d", when, len(got), len(want))
}
