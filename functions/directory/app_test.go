package main

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

const corpID = "ww5117a9e0c0ffee01"

// stack is the function on ports in memory and a simulated corp, of which one
// employee and one robot occur in the archive.
type stack struct {
	*App
	corp            *wecomtest.Corp
	log             bytes.Buffer
	employee, robot string
}

func newStack(t *testing.T) *stack {
	t.Helper()
	corp, err := wecomtest.New(wecomtest.Config{Corp: corpID, Secret: "secret-of-the-archive", AppSecret: "secret-of-the-app"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(corp.Handler())
	t.Cleanup(server.Close)
	s := &stack{corp: corp, employee: chat.ParticipantOf(corp.Employees()[0].ID).ID, robot: corp.Robots()[0].ID}
	objects := storetest.NewObjects()
	s.App = &App{
		Corp: corpID, Program: "test", API: server.URL, Objects: objects, Lock: objects, Catalog: catalog.New(storetest.NewIndex()),
		Secrets: localstore.OpenSecrets(filepath.Join(t.TempDir(), "secrets.json")), Owner: "test", Now: time.Now, Log: slog.New(slog.NewTextHandler(&s.log, nil)),
	}
	reading := archive.Reading{Conversation: "multi:x", FromID: s.employee, ToIDs: []string{s.robot}, MsgTime: time.Now()}
	if err := s.Catalog.Conversations.PutActive(t.Context(), reading); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stack) name(t *testing.T, id string) string {
	t.Helper()
	known, err := s.Catalog.People.PersonEntries(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return known[id].Now()
}

// TestSecrets: without any, the error names the remedy; with the archive's, robots
// have names; with the app's, people, too, from the next run on.
func TestSecrets(t *testing.T) {
	s := newStack(t)
	ctx := t.Context()
	if _, err := s.Handle(ctx, Event{}); !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), "secrets set archive-secret") {
		t.Errorf("no secret: %v", err)
	}
	s.set(t, store.SecretArchive, "secret-of-the-archive")
	if run, err := s.Handle(ctx, Event{}); err != nil || run.Calls == 0 || s.name(t, s.robot) == "" || s.name(t, s.employee) != "" {
		t.Errorf("the archive's: %v, %+v, robot %q, employee %q", err, run, s.name(t, s.robot), s.name(t, s.employee))
	}
	s.set(t, store.SecretCompanion, "secret-of-the-app")
	if _, err := s.Handle(ctx, Event{Reason: "new"}); err != nil || s.name(t, s.employee) != s.corp.Employees()[0].Name {
		t.Errorf("both: %v, employee %q", err, s.name(t, s.employee))
	}
	if log := s.log.String(); strings.Contains(log, "secret-of") {
		t.Error("a secret is in the log")
	}
}

// TestUntrustedIP: the error tells the operator what to do.
func TestUntrustedIP(t *testing.T) {
	s := newStack(t)
	s.set(t, store.SecretArchive, "secret-of-the-archive")
	s.corp.Refuse(false, 60020)
	run, err := s.Handle(t.Context(), Event{})
	if !errors.Is(err, wecom.ErrUntrustedIP) || !strings.Contains(err.Error(), "trusted IPs") || run.Remedy == "" {
		t.Errorf("%v, %+v", err, run)
	}
}

// TestAnotherAtWork is no failure.
func TestAnotherAtWork(t *testing.T) {
	s := newStack(t)
	s.set(t, store.SecretArchive, "secret-of-the-archive")
	if _, err := s.Catalog.Pages.AcquireDirectoryLease(t.Context(), "another", time.Now(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if run, err := s.Handle(t.Context(), Event{}); err != nil || run.Calls != 0 {
		t.Errorf("%v, %+v", err, run)
	}
}

func (s *stack) set(t *testing.T, name, value string) {
	t.Helper()
	if err := s.Secrets.Set(t.Context(), name, value); err != nil {
		t.Fatal(err)
	}
}

func TestSettings(t *testing.T) {
	all := map[string]string{
		"WECOM_ARCHIVE_CORP": corpID, "WECOM_ARCHIVE_BUCKET": "b", "WECOM_ARCHIVE_TABLE": "t", "WECOM_ARCHIVE_SECRET_PREFIX": "/p/", "WECOM_ARCHIVE_CAPTURE_KEY": "k",
	}
	if s, err := readSettings(func(name string) string { return all[name] }); err != nil || s != (settings{Corp: corpID, Bucket: "b", Table: "t", Secrets: "/p/", Capture: "k"}) {
		t.Errorf("%+v, %v", s, err)
	}
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
}
