package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/archive/archivetest"
	"wecom-archive/shared/callback"
	"wecom-archive/shared/localstore"
)

const (
	corp  = "ww5117a9e0c0ffee01"
	token = "QDG6eK"
	key   = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
)

type wakes int

func (w *wakes) Wake(context.Context, time.Duration) error { *w++; return nil }

// TestFunction: without secrets the log names the remedy; with them, a minute later,
// the URL is verified and a notify wakes the puller.
func TestFunction(t *testing.T) {
	var log bytes.Buffer
	var woken wakes
	now := time.Unix(1767000000, 0)
	clock := func() time.Time { return now }
	secrets := localstore.OpenSecrets(filepath.Join(t.TempDir(), "secrets.json"))
	cached := &cachedCipher{corp: corp, secrets: secrets, now: clock}
	app := NewApp(callback.Config{
		Corp: corp, Cipher: cached.get, Objects: archivetest.NewObjects(), Catalog: archive.NewCatalog(archivetest.NewIndex()),
		Waker: &woken, Now: clock, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
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
	for name, value := range map[string]string{archive.SecretCallbackToken: token, archive.SecretCallbackKey: key} {
		if err := secrets.Set(t.Context(), name, value); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(freshFor)
	if out := call("GET", "echo"); out.StatusCode != 200 || out.Body != "echo" {
		t.Errorf("echo: %d %q", out.StatusCode, out.Body)
	}
	notify := "<xml><ToUserName>" + corp + "</ToUserName><CreateTime>1767000000</CreateTime><Event>msgaudit_notify</Event></xml>"
	if out := call("POST", notify); out.StatusCode != 200 || woken != 1 {
		t.Errorf("notify: %d, %d wakes", out.StatusCode, woken)
	}
	if s := log.String(); strings.Contains(s, token) || strings.Contains(s, key) {
		t.Error("a secret is in the log")
	}
	if _, err := app.Handle(t.Context(), events.APIGatewayV2HTTPRequest{}); err == nil {
		t.Error("what is no request is taken")
	}
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
