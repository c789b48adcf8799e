package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/doctor"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/metrics"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/native"
	"wecom-archive/shared/wecom/wecomtest"
)

const (
	corpID = "ww5117a9e0c0ffee01"
	secret = "s3cret-of-the-archive"
)

// stack is the function on ports in memory and a simulated corp.
type stack struct {
	*App
	corp    *wecomtest.Corp
	log     bytes.Buffer
	metrics bytes.Buffer
	opened  []*library
}

type library struct {
	*wecomtest.Client
	password string
	closed   bool
}

func (l *library) Close() error {
	l.closed = true
	return nil
}

type queue struct{}

func (queue) Notify(context.Context, ...string) error { return nil }

func newStack(t *testing.T) *stack {
	t.Helper()
	now := time.Now()
	corp, err := wecomtest.New(wecomtest.Config{
		Corp: corpID, Secret: secret, Extents: []wecomtest.Extent{{Count: 1200, From: now.Add(-time.Hour), To: now}},
	})
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := corp.UploadKey(&key.PublicKey); err != nil {
		t.Fatal(err)
	}
	s := &stack{corp: corp}
	objects := storetest.NewObjects()
	s.App = &App{
		Corp: corpID, Program: "test", SDK: "library.so",
		Inspect: func(string) (native.Info, error) {
			return native.Info{Version: "200215", SHA256: "abcd"}, nil
		},
		Objects: objects, Lock: objects, Versions: objects, Metrics: metrics.New(&s.metrics, "archive", time.Now), Catalog: catalog.New(storetest.NewIndex()), Queue: queue{},
		Secrets: localstore.OpenSecrets(filepath.Join(t.TempDir(), "secrets.json")),
		Open: func(_ context.Context, secret, password string) (Library, error) {
			l := &library{Client: corp.NewClient(corpID, secret), password: password}
			s.opened = append(s.opened, l)
			return l, nil
		},
		Owner: "one", Now: time.Now, Log: slog.New(slog.NewJSONHandler(&s.log, nil)),
	}
	return s
}

func (s *stack) set(t *testing.T, name, value string) {
	t.Helper()
	if err := s.Secrets.Set(t.Context(), name, value); err != nil {
		t.Fatal(err)
	}
}

// invoke calls the function as Lambda does.
func (s *stack) invoke(t *testing.T) (run archive.Run, err error) {
	t.Helper()
	return s.invokeFor(t, "schedule")
}

func (s *stack) invokeFor(t *testing.T, reason string) (run archive.Run, err error) {
	t.Helper()
	answer, err := lambda.NewHandler(s.Handle).Invoke(t.Context(), []byte(`{"reason":"`+reason+`"}`))
	if err != nil {
		return run, err
	}
	if err := json.Unmarshal(answer, &run); err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	return run, nil
}

func TestPulls(t *testing.T) {
	s := newStack(t)
	s.set(t, store.SecretArchive, secret)
	s.set(t, store.SecretProxy, "user:password")
	run, err := s.invoke(t)
	if err != nil || run.Stopped != "end" || run.Pages != 2 || run.Envelopes != 1200 {
		t.Fatalf("%+v, %v", run, err)
	}
	stored, err := store.ReadObject(t.Context(), s.Objects, archive.PageKey(0))
	if err != nil {
		t.Fatal(err)
	}
	page, err := archive.DecodePage(stored)
	if err != nil || page.Header.SDKVersion != "200215" || page.Header.SDKSHA256 != "abcd" || page.Header.Program != "test" {
		t.Errorf("%+v, %v", page.Header, err)
	}
	if len(s.opened) != 1 || !s.opened[0].closed || s.opened[0].password != "user:password" {
		t.Errorf("libraries: %+v", s.opened)
	}
	if strings.Contains(s.log.String(), secret) || strings.Contains(s.log.String(), "user:password") {
		t.Error("a secret is in the log")
	}
}

// TestWoken: what the queue of the callback brings is pulled for.
func TestWoken(t *testing.T) {
	s := newStack(t)
	s.set(t, store.SecretArchive, secret)
	event, err := os.ReadFile(filepath.Join("..", "..", "events", "puller", "wake.json"))
	if err != nil {
		t.Fatal(err)
	}
	var run archive.Run
	answer, err := lambda.NewHandler(s.Handle).Invoke(t.Context(), event)
	if err != nil || json.Unmarshal(answer, &run) != nil || run.Envelopes != 1200 {
		t.Errorf("%s, %v", answer, err)
	}
}

// TestNewSecret: a secret counts from the next run on.
func TestNewSecret(t *testing.T) {
	s := newStack(t)
	if _, err := s.invoke(t); err == nil || !strings.Contains(err.Error(), "secrets set archive-secret") {
		t.Errorf("without a secret: %v", err)
	}
	s.set(t, store.SecretArchive, "not-that-one")
	if _, err := s.invoke(t); err == nil || !strings.Contains(err.Error(), "40001") || !strings.Contains(err.Error(), "Check the secret") || strings.Contains(err.Error(), "not-that-one") {
		t.Errorf("with a wrong one: %v", err)
	}
	s.set(t, store.SecretArchive, secret)
	if run, err := s.invoke(t); err != nil || run.Envelopes != 1200 {
		t.Errorf("with the right one: %+v, %v", run, err)
	}
	for _, l := range s.opened {
		if !l.closed {
			t.Error("a library stays open")
		}
	}
}

func TestAnotherIsAtWork(t *testing.T) {
	s := newStack(t)
	s.set(t, store.SecretArchive, secret)
	if _, err := s.Catalog.Pages.AcquireLease(t.Context(), "another", time.Now(), time.Minute); err != nil {
		t.Fatal(err)
	}
	run, err := s.invoke(t)
	if err != nil || run.Stopped != "lease" || run.Pages != 0 {
		t.Errorf("%+v, %v", run, err)
	}
}

// TestRetry: the schedule of retries pulls only what the last run did not.
func TestRetry(t *testing.T) {
	s := newStack(t)
	s.set(t, store.SecretArchive, "not-that-one")
	if _, err := s.invoke(t); err == nil {
		t.Fatal("a wrong secret is accepted")
	}
	s.set(t, store.SecretArchive, secret)
	run, err := s.invokeFor(t, "retry")
	if err != nil || run.Envelopes != 1200 || run.Stopped != "end" {
		t.Fatalf("after a failure: %+v, %v", run, err)
	}
	again, err := s.invokeFor(t, "retry")
	if err != nil || again.ID != run.ID || len(s.opened) != 2 {
		t.Errorf("after a success: run %s, want %s; %d libraries, %v", again.ID, run.ID, len(s.opened), err)
	}
	s.Now = func() time.Time { return time.Now().Add(freshFor) }
	late, err := s.invokeFor(t, "retry")
	if err != nil || late.ID == run.ID || late.Stopped != "end" {
		t.Errorf("a day later: %+v, %v", late, err)
	}
}

// TestLimit: a page holds no more than the stack says.
func TestLimit(t *testing.T) {
	s := newStack(t)
	s.Limit = 500
	s.set(t, store.SecretArchive, secret)
	if run, err := s.invoke(t); err != nil || run.Pages != 3 {
		t.Errorf("%+v, %v", run, err)
	}
}

func TestLibraryCannotBeOpened(t *testing.T) {
	s := newStack(t)
	s.set(t, store.SecretArchive, secret)
	s.Open = func(context.Context, string, string) (Library, error) { return nil, errors.New("no such file") }
	if _, err := s.invoke(t); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("%v", err)
	}
	s.Inspect, s.SDK = financesdk.Inspect, filepath.Join(t.TempDir(), "none.so")
	if _, err := s.invoke(t); err == nil || !strings.Contains(err.Error(), "make layer") {
		t.Errorf("without a library: %v", err)
	}
}

// TestDoctor: with nothing in place the function still starts, and says what to do;
// the secret is in no answer.
func TestDoctor(t *testing.T) {
	s := newStack(t)
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "203.0.113.7") }))
	defer outside.Close()
	s.Echo, s.SDK = outside.URL, filepath.Join(t.TempDir(), "none.so")
	states := func() map[string]archive.CheckupState {
		answer, err := lambda.NewHandler(s.Handle).Invoke(t.Context(), []byte(`{"reason":"doctor","trusted_ip":"203.0.113.7"}`))
		var c archive.Checkup
		if err != nil || json.Unmarshal(answer, &c) != nil || c.Where != "puller" || strings.Contains(string(answer), secret) {
			t.Fatalf("%s, %v", answer, err)
		}
		found := map[string]archive.CheckupState{}
		for _, l := range c.Lines {
			found[l.Check] = l.State
		}
		return found
	}
	want := map[string]archive.CheckupState{
		"version": "ok", "library": "act", "corp": "ok", "secret": "act", "address": "ok", "clock": "ok", "wecom": "look", "bucket": "ok", "table": "ok",
	}
	if got := states(); !maps.Equal(got, want) {
		t.Errorf("with nothing in place: %v, want %v", got, want)
	}
	s.set(t, store.SecretArchive, secret)
	want["secret"] = "look" // the simulated one is short
	if got := states(); !maps.Equal(got, want) {
		t.Errorf("with a secret: %v, want %v", got, want)
	}
	if len(s.opened) > 0 {
		t.Error("WeCom was asked without a library")
	}
	if _, err := lambda.NewHandler(s.Handle).Invoke(t.Context(), []byte(`{"reason":"doctor","trusted_ip":"here"}`)); err == nil || !strings.Contains(err.Error(), "trusted_ip") {
		t.Errorf("with a wrong address: %v", err)
	}
}

// TestUnknownSource: a program that nobody can find the source of still captures, where
// all locks for good, too. Refusing would lose messages; doctor says it instead.
func TestUnknownSource(t *testing.T) {
	for _, version := range []string{"(devel)", "v1.2.3+dirty", ""} {
		s := newStack(t)
		s.Program, s.Locks = version, func(context.Context) (bool, error) { return true, nil }
		s.set(t, store.SecretArchive, secret)
		for _, reason := range []string{"schedule", "retry", ""} {
			run, err := s.invokeFor(t, reason)
			if err != nil || run.Stopped != "end" || run.Error != "" {
				t.Fatalf("%q, woken by %q: %+v, %v", version, reason, run, err)
			}
		}
		stored, err := store.ReadObject(t.Context(), s.Objects, archive.PageKey(0))
		if err != nil {
			t.Fatal(err)
		}
		if page, err := archive.DecodePage(stored); err != nil || page.Header.Count != 1000 || page.Header.Program != version {
			t.Errorf("%q: %+v, %v", version, page.Header, err)
		}
		checkup, err := s.examine(t.Context(), "")
		if err != nil || !slices.ContainsFunc(checkup.Lines, func(l archive.CheckupLine) bool {
			return l.Check == doctor.CheckVersion && l.State == archive.CheckupAct
		}) {
			t.Errorf("%q: doctor says %+v, %v", version, checkup.Lines, err)
		}
	}
}

func TestSettings(t *testing.T) {
	all := map[string]string{
		"WECOM_ARCHIVE_CORP": "ww1", "WECOM_ARCHIVE_BUCKET": "b", "WECOM_ARCHIVE_TABLE": "t",
		"WECOM_ARCHIVE_QUEUE_URL": "q", "WECOM_ARCHIVE_SECRET_PREFIX": "/wecom-archive/test/", "WECOM_ARCHIVE_CAPTURE_KEY": "k",
	}
	getenv := func(name string) string { return all[name] }
	got, err := readSettings(getenv)
	want := settings{Corp: "ww1", Bucket: "b", Table: "t", QueueURL: "q", Secrets: "/wecom-archive/test/", Capture: "k", SDK: "/opt/lib/libWeWorkFinanceSdk_C.so", Echo: "https://checkip.amazonaws.com/"}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for name := range all {
		_, err := readSettings(func(asked string) string {
			if asked == name {
				return ""
			}
			return all[asked]
		})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	for _, limit := range []string{"0", "1001", "many"} {
		all["WECOM_ARCHIVE_LIMIT"] = limit
		if _, err := readSettings(getenv); err == nil || !strings.Contains(err.Error(), "WECOM_ARCHIVE_LIMIT") {
			t.Errorf("limit %s: %v", limit, err)
		}
	}
	all["WECOM_ARCHIVE_LIMIT"] = "200"
	if got, err := readSettings(getenv); err != nil || got.Limit != 200 {
		t.Errorf("limit 200: %+v, %v", got, err)
	}
}
