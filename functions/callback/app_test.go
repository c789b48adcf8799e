package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"wecom-archive/shared/callback"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/metrics"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

const (
	corp  = "ww5117a9e0c0ffee01"
	token = "QDG6eK"
	key   = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
)

type wakes int

func (w *wakes) Wake(context.Context, time.Duration) error { *w++; return nil }

// TestFunction: without secrets the log names the remedy; with them, five seconds
// later, the URL is verified and a notify wakes the puller.
func TestFunction(t *testing.T) {
	var log, measured bytes.Buffer
	var woken wakes
	now := time.Unix(1767000000, 0)
	clock := func() time.Time { return now }
	secrets := localstore.OpenSecrets(filepath.Join(t.TempDir(), "secrets.json"))
	cached := &cachedCipher{corp: corp, secrets: secrets, now: clock}
	known := catalog.New(storetest.NewIndex())
	app := NewApp(callback.Config{
		Corp: corp, Cipher: cached.get, Objects: storetest.NewObjects(),
		People: known.People, Consents: known.Consents, Journal: known.Journal,
		Waker: &woken, Now: clock, Log: slog.New(slog.NewTextHandler(&log, nil)),
	}, metrics.New(&measured, "s", clock))
	cipher, err := callback.NewCipher(token, key, corp)
	if err != nil {
		t.Fatal(err)
	}
	call := func(method, message string) events.APIGatewayV2HTTPResponse {
		sealed, at := cipher.Seal([16]byte{}, []byte(message)), strconv.FormatInt(now.Unix(), 10)
		q := url.Values{"msg_signature": {cipher.Signature(at, "n", sealed)}, "timestamp": {at}, "nonce": {"n"}, "echostr": {sealed}}
		event := events.APIGatewayV2HTTPRequest{Version: "2.0", RawPath: "/callback", RawQueryString: q.Encode(), Body: callback.Body(corp, sealed)}
		event.RequestContext.HTTP.Method = method
		out, err := app.Handle(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := call("GET", "echo"); out.StatusCode != 500 || !strings.Contains(log.String(), "secrets set callback-token") {
		t.Errorf("no secrets: %d, %s", out.StatusCode, log.String())
	}
	if !strings.Contains(measured.String(), `"CallbackFails":1`) {
		t.Errorf("the answer 500 is not counted: %q", measured.String())
	}
	measured.Reset()
	for name, value := range map[string]string{store.SecretCallbackToken: token, store.SecretCallbackKey: key} {
		if err := secrets.Set(t.Context(), name, value); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(againAfter)
	if out := call("GET", "echo"); out.StatusCode != 200 || out.Body != "echo" {
		t.Errorf("echo: %d %q", out.StatusCode, out.Body)
	}
	notify := "<xml><ToUserName>" + corp + "</ToUserName><CreateTime>1767000000</CreateTime><Event>msgaudit_notify</Event></xml>"
	if out := call("POST", notify); out.StatusCode != 200 || woken != 1 {
		t.Errorf("notify: %d, %d wakes", out.StatusCode, woken)
	}
	if measured.Len() > 0 {
		t.Errorf("what went well is counted: %s", measured.String())
	}
	if s := log.String(); strings.Contains(s, token) || strings.Contains(s, key) {
		t.Error("a secret is in the log")
	}
	if _, err := app.Handle(t.Context(), events.APIGatewayV2HTTPRequest{}); err == nil {
		t.Error("what is no request is taken")
	}
}

// vault counts the reads of secrets, and may fail.
type vault struct {
	values map[string]string
	reads  int
	err    error
}

func (v *vault) Get(ctx context.Context, name string) (string, error) {
	v.reads++
	if err := errors.Join(ctx.Err(), v.err); err != nil {
		return "", err
	}
	if v.values[name] == "" {
		return "", store.ErrNotFound
	}
	return v.values[name], nil
}

func (v *vault) Set(context.Context, string, string) error { return errors.New("nobody sets these") }

// TestSecretsChange: changed secrets count at the first message that the old ones do
// not open, but nobody's wrong signatures make more than one read in five seconds.
func TestSecretsChange(t *testing.T) {
	const otherToken, otherKey = "another", "kWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
	now := time.Unix(1767000000, 0)
	v := &vault{values: map[string]string{store.SecretCallbackToken: token, store.SecretCallbackKey: key}}
	c := &cachedCipher{corp: corp, secrets: v, now: func() time.Time { return now }}
	handler := callback.New(callback.Config{Corp: corp, Cipher: c.get, Now: c.now, Log: slog.New(slog.DiscardHandler)})
	call := func(ctx context.Context, token, key string) int {
		cipher, err := callback.NewCipher(token, key, corp)
		if err != nil {
			t.Fatal(err)
		}
		sealed, at := cipher.Seal([16]byte{}, []byte("echo")), strconv.FormatInt(now.Unix(), 10)
		q := url.Values{"msg_signature": {cipher.Signature(at, "n", sealed)}, "timestamp": {at}, "nonce": {"n"}, "echostr": {sealed}}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/?"+q.Encode(), nil))
		return w.Code
	}
	expect := func(what string, status, wantStatus, wantReads int) {
		t.Helper()
		if status != wantStatus || v.reads != wantReads {
			t.Errorf("%s: %d after %d reads, want %d after %d", what, status, v.reads, wantStatus, wantReads)
		}
		v.reads = 0
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expect("whoever called is gone", call(cancelled, token, key), 500, 1)
	expect("that says nothing to the next", call(t.Context(), token, key), 200, 2)
	expect("read already", call(t.Context(), token, key), 200, 0)
	now = now.Add(againAfter)
	expect("a stranger", call(t.Context(), otherToken, key), 403, 2)
	expect("a stranger again", call(t.Context(), otherToken, key), 403, 0)
	for name, value := range map[string]string{store.SecretCallbackToken: otherToken, store.SecretCallbackKey: otherKey} {
		v.values[name] = value
	}
	expect("changed, less than five seconds after a stranger", call(t.Context(), otherToken, otherKey), 403, 0)
	now = now.Add(againAfter)
	expect("changed", call(t.Context(), otherToken, otherKey), 200, 2)
	expect("the old ones", call(t.Context(), token, key), 403, 0)

	v.values[store.SecretCallbackKey] = key
	now = now.Add(againAfter)
	expect("another key alone", call(t.Context(), otherToken, key), 200, 2)

	v.err = errors.New("Parameter Store does not answer")
	now = now.Add(againAfter)
	expect("a stranger while they cannot be read", call(t.Context(), token, key), 403, 1)
	expect("nobody else minds", call(t.Context(), otherToken, key), 200, 0)
	now = now.Add(freshFor)
	expect("too old, and not to be read", call(t.Context(), otherToken, key), 500, 1)
	v.err = nil
	expect("an error is believed for five seconds", call(t.Context(), otherToken, key), 500, 0)
	now = now.Add(againAfter)
	expect("and no longer", call(t.Context(), otherToken, key), 200, 2)
}

func TestSettings(t *testing.T) {
	all := map[string]string{
		"WECOM_ARCHIVE_CORP": corp, "WECOM_ARCHIVE_BUCKET": "b", "WECOM_ARCHIVE_TABLE": "t", "WECOM_ARCHIVE_WAKE_URL": "q",
		"WECOM_ARCHIVE_SECRET_PREFIX": "/p/", "WECOM_ARCHIVE_CAPTURE_KEY": "k",
	}
	with := func(name, value string) func(string) string {
		return func(asked string) string {
			if asked == name {
				return value
			}
			return all[asked]
		}
	}
	if s, err := readSettings(with("", "")); err != nil || s.Delay != callback.DefaultDelay || s.Wakes != "q" {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := readSettings(with("WECOM_ARCHIVE_WAKE_DELAY", "90s")); err != nil || s.Delay != 90*time.Second {
		t.Errorf("%+v, %v", s, err)
	}
	for missing := range all {
		if _, err := readSettings(with(missing, "")); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: %v", missing, err)
		}
	}
	for _, delay := range []string{"x", "0s", "16m"} {
		if _, err := readSettings(with("WECOM_ARCHIVE_WAKE_DELAY", delay)); err == nil {
			t.Errorf("a delay of %s is taken", delay)
		}
	}
}
