// The callback function is where WeCom calls the company (package callback): behind
// the one route of the API that nobody signs in for. It holds the token and the key of
// that endpoint and no other secret, puts events and reads no message, and can have
// the puller started.
//
// Settings come from the environment; settings lists them. Only the secrets,
// callback-token and callback-aes-key, come from Parameter Store.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/callback"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/environment"
	"wecom-archive/shared/lambdastart"
	"wecom-archive/shared/metrics"
)

func main() {
	lambdastart.Main("callback", build)
}

// settings are what the stack sets.
type settings struct {
	Corp    string        // WECOM_ARCHIVE_CORP: corpid
	Bucket  string        // WECOM_ARCHIVE_BUCKET: archive bucket
	Table   string        // WECOM_ARCHIVE_TABLE: index
	Wakes   string        // WECOM_ARCHIVE_WAKE_URL: URL of the queue that starts the puller
	Secrets string        // WECOM_ARCHIVE_SECRET_PREFIX: of the parameters that hold secrets
	Capture string        // WECOM_ARCHIVE_CAPTURE_KEY: KMS key of events
	Delay   time.Duration // WECOM_ARCHIVE_WAKE_DELAY: as 10m, 1s to 15m; optional
}

func readSettings(getenv func(string) string) (settings, error) {
	s := settings{Delay: callback.DefaultDelay}
	err := environment.Read(getenv,
		environment.Corp(&s.Corp),
		environment.Bucket(&s.Bucket),
		environment.Table(&s.Table),
		environment.Setting{Name: "WECOM_ARCHIVE_WAKE_URL", To: &s.Wakes, What: "the URL of the queue that starts the puller"},
		environment.SecretPrefix(&s.Secrets),
		environment.CaptureKey(&s.Capture),
	)
	if err != nil {
		return settings{}, err
	}
	if delay := getenv("WECOM_ARCHIVE_WAKE_DELAY"); delay != "" {
		if s.Delay, err = time.ParseDuration(delay); err != nil || s.Delay < time.Second || s.Delay > 15*time.Minute {
			return settings{}, fmt.Errorf("the environment variable WECOM_ARCHIVE_WAKE_DELAY is %q: it must be 1s to 15m, or not set", delay)
		}
	}
	return s, nil
}

// build makes the handler on AWS.
func build(ctx context.Context, getenv func(string) string, log *slog.Logger) (any, error) {
	set, err := readSettings(getenv)
	if err != nil {
		return nil, err
	}
	aws, err := lambdastart.LoadAWS(ctx)
	if err != nil {
		return nil, err
	}
	secrets := &cachedCipher{corp: set.Corp, secrets: aws.Secrets(set.Secrets), now: time.Now}
	known := catalog.New(aws.Index(set.Table))
	app := NewApp(callback.Config{
		Corp: set.Corp, Cipher: secrets.get,
		Objects: aws.Objects(set.Bucket).WithKey(set.Capture, archive.CapturePrefixes()...),
		People:  known.People, Consents: known.Consents, Journal: known.Journal,
		Waker: aws.Waker(set.Wakes),
		Delay: set.Delay, Now: time.Now, Log: log,
	}, metrics.New(os.Stdout, getenv("WECOM_ARCHIVE_STACK"), time.Now))
	return app.Handle, nil
}
