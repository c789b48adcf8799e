package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/awsevents"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/clock"
	"wecom-archive/shared/mediafetch"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom"
)

// secrets has the one that it is.
type secrets string

func (s secrets) Get(_ context.Context, name string) (string, error) {
	if name != store.SecretArchive || s == "" {
		return "", store.ErrNotFound
	}
	return string(s), nil
}

func (s secrets) Set(context.Context, string, string) error { return errors.ErrUnsupported }

// library has one file of three bytes for each sdkfileid.
type library struct{ closed *int }

func (library) GetMediaData(_ context.Context, fileID, _ string) (wecom.MediaSlice, error) {
	return wecom.MediaSlice{Data: []byte(fileID[len(fileID)-3:]), Last: true}, nil
}

func (l library) Close() error { *l.closed++; return nil }

type queue []string

func (q *queue) Notify(_ context.Context, keys ...string) error {
	*q = append(*q, keys...)
	return nil
}

type world struct {
	app    *App
	list   archive.FetchList
	queue  queue
	closed int
	log    bytes.Buffer
}

func newWorld(t *testing.T, secret secrets) *world {
	now := time.Now().UTC().Truncate(time.Millisecond)
	w := &world{}
	objects, derived, index := storetest.NewObjects(), storetest.NewDerived(), catalog.New(storetest.NewIndex())
	w.list = archive.FetchList{Corp: "ww1", SeqAsked: 7, PulledAt: now.Add(-time.Hour)}
	for i := range 3 {
		id := fmt.Sprintf("secret-%03d", i)
		w.list.Jobs = append(w.list.Jobs, archive.MediaJob{
			MediaPlace: archive.MediaPlace{Position: i, Path: "image", Kind: "image", FileIDSHA256: wecom.Media{FileID: id}.FileIDHash()},
			FileID:     id, Size: 3, Expires: now.Add(time.Hour),
		})
	}
	if err := archive.PutFetchList(t.Context(), derived, w.list); err != nil {
		t.Fatal(err)
	}
	if err := index.Media.NoteMediaList(t.Context(), catalog.NewMediaList(w.list, &archive.PageLinks{}), false); err != nil {
		t.Fatal(err)
	}
	w.app = &App{
		Bucket: "derived", Secrets: secret,
		Open: func(_ context.Context, got, _ string) (Library, error) {
			if got != "s3cret" {
				return nil, errors.New("wrong secret")
			}
			return library{&w.closed}, nil
		},
		Requeuer: &mediafetch.Requeuer{Media: index.Media, Queue: &w.queue, Now: time.Now},
		Stage: mediafetch.Config{
			Corp: "ww1", Program: "test", Objects: objects, Lock: objects, Derived: derived, Media: index.Media,
			Now: time.Now, Sleep: clock.Sleep, Log: slog.New(slog.NewJSONHandler(&w.log, nil)), Spool: t.TempDir(),
		},
	}
	return w
}

func (w *world) invoke(t *testing.T, event any) (string, error) {
	t.Helper()
	doc, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := lambda.NewHandler(w.app.Handle).Invoke(t.Context(), doc)
	return string(answer), err
}

func messages(t *testing.T, keys ...string) events.SQSEvent {
	t.Helper()
	var event events.SQSEvent
	for i, key := range keys {
		body, err := awsevents.Message(awsevents.Object{Bucket: "derived", Key: key})
		if err != nil {
			t.Fatal(err)
		}
		event.Records = append(event.Records, events.SQSMessage{MessageId: fmt.Sprint(i), Body: body})
	}
	return event
}

// TestFetches has the function work on job lists, as Lambda does.
func TestFetches(t *testing.T) {
	w := newWorld(t, "s3cret")
	missing := archive.FetchKey(w.list.PulledAt, 8, 0)
	answer, err := w.invoke(t, messages(t, w.list.Key(), missing))
	if err != nil || answer != `{"batchItemFailures":[{"itemIdentifier":"1"}]}` {
		t.Fatalf("%s, %v: %s", answer, err, &w.log)
	}
	stored, err := storetest.Contents(t.Context(), w.app.Stage.Objects, archive.MediaPrefix)
	if err != nil || len(stored) != 3 {
		t.Errorf("stored %v, %v", stored, err)
	}
	if w.closed != 1 {
		t.Errorf("the library was closed %d times", w.closed)
	}
	if strings.Contains(w.log.String(), "secret") || strings.Contains(w.log.String(), "s3cret") {
		t.Errorf("a secret is in the log: %s", &w.log)
	}
}

// TestSweep: the schedule's event queues again what is unfinished.
func TestSweep(t *testing.T) {
	w := newWorld(t, "s3cret")
	event := map[string]string{"reason": "schedule"}
	if answer, err := w.invoke(t, event); err != nil || answer != `{"queued":1}` || len(w.queue) != 1 || w.queue[0] != w.list.Key() {
		t.Fatalf("%s, %v, %v", answer, err, w.queue)
	}
	if answer, err := w.invoke(t, messages(t, w.list.Key())); err != nil || answer != `{"batchItemFailures":null}` {
		t.Fatalf("%s, %v", answer, err)
	}
	if answer, err := w.invoke(t, event); err != nil || answer != `{"queued":0}` {
		t.Errorf("when all is done: %s, %v", answer, err)
	}
}

// TestSampleEvents: the events below events/media are answered.
func TestSampleEvents(t *testing.T) {
	w := newWorld(t, "s3cret")
	w.app.Bucket = "wecom-archive-example-derived"
	w.list.PulledAt, w.list.SeqAsked = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC), 0
	if err := archive.PutFetchList(t.Context(), w.app.Stage.Derived.(store.Derived), w.list); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"eventbridge.json": `{"batchItemFailures":null}`, "schedule.json": `{"queued":1}`} {
		event, err := os.ReadFile(filepath.Join("..", "..", "events", "media", name))
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := lambda.NewHandler(w.app.Handle).Invoke(t.Context(), event); err != nil || string(answer) != want {
			t.Errorf("%s: %s, %v; want %s\n%s", name, answer, err, want, &w.log)
		}
	}
}

func TestCannotWork(t *testing.T) {
	w := newWorld(t, "")
	if _, err := w.invoke(t, messages(t, w.list.Key())); err == nil || !strings.Contains(err.Error(), "secrets set archive-secret") {
		t.Errorf("without the secret: %v", err)
	}
	w = newWorld(t, "wrong")
	if _, err := w.invoke(t, messages(t, w.list.Key())); err == nil || strings.Contains(err.Error(), "media") {
		t.Errorf("with a wrong secret: %v", err)
	}
	w = newWorld(t, "s3cret")
	w.app.Stage.Lock = storetest.NewUnlockedObjects()
	if _, err := w.invoke(t, messages(t, w.list.Key())); !strings.Contains(fmt.Sprint(err), store.ErrNotLocked.Error()) || w.closed != 1 {
		t.Errorf("a bucket that does not lock: %v, closed %d", err, w.closed)
	}
}

func TestSettings(t *testing.T) {
	all := map[string]string{
		"WECOM_ARCHIVE_CORP": "ww1", "WECOM_ARCHIVE_BUCKET": "b", "WECOM_ARCHIVE_DERIVED": "d", "WECOM_ARCHIVE_TABLE": "t",
		"WECOM_ARCHIVE_QUEUE_URL": "q", "WECOM_ARCHIVE_SECRET_PREFIX": "/p/", "WECOM_ARCHIVE_CAPTURE_KEY": "c",
	}
	getenv := func(more ...string) func(string) string {
		return func(name string) string {
			if len(more) == 2 && name == more[0] {
				return more[1]
			}
			return all[name]
		}
	}
	want := settings{
		Corp: "ww1", Bucket: "b", Derived: "d", Table: "t", QueueURL: "q", Secrets: "/p/", Capture: "c",
		SDK: "/opt/lib/libWeWorkFinanceSdk_C.so", Workers: defaultWorkers, Days: 365,
	}
	if got, err := readSettings(getenv()); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	want.Calls = 600
	if got, err := readSettings(getenv("WECOM_ARCHIVE_CALLS", "600")); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for name := range all {
		if _, err := readSettings(getenv(name, "")); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	for _, bad := range [][2]string{{"WECOM_ARCHIVE_WORKERS", "0"}, {"WECOM_ARCHIVE_WORKERS", "x"}, {"WECOM_ARCHIVE_CALLS", "-1"}} {
		if _, err := readSettings(getenv(bad[0], bad[1])); err == nil || !strings.Contains(err.Error(), bad[0]) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
