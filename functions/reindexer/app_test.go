package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/rebuild"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/upkeep"
)

const corp = "ww5117a9e0c0ffee01"

// newApp has an archive with so many pages that the archiver has not seen.
func newApp(t *testing.T, pages int) *App {
	t.Helper()
	objects, index := storetest.NewObjects(), storetest.NewIndex()
	for i := range pages {
		asked, last := uint64(i), uint64(i+1)
		h := archive.PageHeader{Corp: corp, SeqAsked: asked, FirstSeq: last, LastSeq: last, Count: 1, PulledAt: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
		page, err := archive.EncodePage(h, []byte(`{"errcode":0,"chatdata":[]}`))
		if err != nil {
			t.Fatal(err)
		}
		if err := objects.PutIfAbsent(t.Context(), archive.PageKey(asked), bytes.NewReader(page)); err != nil {
			t.Fatal(err)
		}
	}
	return &App{MaxQueued: 20, Config: rebuild.Config{
		Corp: corp, Objects: objects, Versions: objects, Catalog: catalog.New(index), Dropper: index, Now: time.Now,
		Log: slog.New(slog.DiscardHandler), Owner: "reindexer-1",
	}}
}

// TestHandle: pages that wait for the archiver are in the answer, and in short time
// nothing is begun.
func TestHandle(t *testing.T) {
	app := newApp(t, 3)
	invoke := func(ctx context.Context, event string) upkeep.Answer {
		t.Helper()
		doc, err := lambda.NewHandler(app.Handle).Invoke(ctx, []byte(event))
		if err != nil {
			t.Fatal(err)
		}
		var answer upkeep.Answer
		if err := json.Unmarshal(doc, &answer); err != nil || answer.Mode != upkeep.ModeReindex {
			t.Fatalf("%s: %v", doc, err)
		}
		return answer
	}
	short, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if answer := invoke(short, `{"mode":"reindex"}`); !answer.More || len(answer.Queue) > 0 {
		t.Errorf("half a minute before the end: %+v", answer)
	}
	answer := invoke(t.Context(), `{"mode":"reindex"}`)
	var report rebuild.Report
	if err := json.Unmarshal(answer.Report, &report); err != nil || answer.More || report.Pages != 3 || report.Waiting != 3 || !report.Resumed {
		t.Errorf("%+v, %v", report, err)
	}
	if len(answer.Queue) != 3 || answer.Queue[2] != archive.PageKey(2) {
		t.Errorf("queue %q", answer.Queue)
	}
	for _, event := range []string{`{"mode":"reparse"}`, `{"reason":"schedule"}`, `{}`} {
		if doc, err := lambda.NewHandler(app.Handle).Invoke(t.Context(), []byte(event)); err == nil || !strings.Contains(err.Error(), "none of this function") {
			t.Errorf("%s: %s, %v", event, doc, err)
		}
	}
}

// TestOutboxIsBounded: an answer that is full ends the invocation, and the next one
// has the rest.
func TestOutboxIsBounded(t *testing.T) {
	const pages = 30
	app := newApp(t, pages)
	queued := 0
	for slices := 1; ; slices++ {
		answer, err := app.Handle(t.Context(), upkeep.Order{Mode: upkeep.ModeReindex})
		if err != nil {
			t.Fatal(err)
		}
		if len(answer.Queue) > 20+4 {
			t.Fatalf("an answer with %d pages", len(answer.Queue))
		}
		if queued += len(answer.Queue); !answer.More {
			if queued != pages || slices != 2 {
				t.Errorf("%d of %d pages in %d answers", queued, pages, slices)
			}
			return
		}
	}
}

// TestCursorAhead: an index of another bucket is said with what to do, and a pull at work.
func TestCursorAhead(t *testing.T) {
	app := newApp(t, 1)
	if err := app.Catalog.Pages.RestoreCursor(t.Context(), catalog.Cursor{Seq: 900}); err != nil {
		t.Fatal(err)
	}
	if _, err := app.Handle(t.Context(), upkeep.Order{Mode: upkeep.ModeReindex}); err == nil || !strings.Contains(err.Error(), "reindex --drop") {
		t.Error(err)
	}
	if _, err := app.Catalog.Pages.AcquireLease(t.Context(), "puller", time.Now(), time.Minute); err != nil {
		t.Errorf("the lease is still held: %v", err)
	}
	if _, err := app.Handle(t.Context(), upkeep.Order{Mode: upkeep.ModeReindex}); err == nil || !strings.Contains(err.Error(), "held by puller") {
		t.Errorf("somebody pulls: %v", err)
	}
}

// TestLease: between two invocations for one command nobody else pulls or reindexes,
// whichever process has the second one.
func TestLease(t *testing.T) {
	app := newApp(t, 30)
	order := upkeep.Order{Mode: upkeep.ModeReindex, By: "command-1"}
	if answer, err := app.Handle(t.Context(), order); err != nil || !answer.More {
		t.Fatalf("%+v, %v", answer, err)
	}
	app.Owner = "reindexer-2"
	held := &catalog.LeaseHeldError{}
	if _, err := app.Catalog.Pages.AcquireLease(t.Context(), "puller", time.Now(), 2*time.Minute); !errors.As(err, &held) {
		t.Errorf("somebody may pull: %v", err)
	}
	if answer, err := app.Handle(t.Context(), upkeep.Order{Mode: upkeep.ModeReindex, By: "command-2"}); !errors.As(err, &held) {
		t.Errorf("another command: %+v, %v", answer, err)
	}
	if answer, err := app.Handle(t.Context(), order); err != nil || answer.More {
		t.Errorf("%+v, %v", answer, err)
	}
	if _, err := app.Catalog.Pages.AcquireLease(t.Context(), "puller", time.Now(), 2*time.Minute); err != nil {
		t.Errorf("when all is done: %v", err)
	}
}

func TestSettings(t *testing.T) {
	all := map[string]string{"WECOM_ARCHIVE_CORP": corp, "WECOM_ARCHIVE_BUCKET": "b", "WECOM_ARCHIVE_TABLE": "t", "WECOM_ARCHIVE_CAPTURE_KEY": "k"}
	for missing := range all {
		_, err := readSettings(func(name string) string {
			if name == missing {
				return ""
			}
			return all[name]
		})
		if err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: %v", missing, err)
		}
	}
	if s, err := readSettings(func(name string) string { return all[name] }); err != nil || s != (settings{corp, "b", "t", "k"}) {
		t.Errorf("%+v, %v", s, err)
	}
}
