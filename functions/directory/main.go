// The directory function learns the names of the people and rooms that occur in the
// archive, and who has a seat (package directory). Schedules start it: daily after the
// pull, and hourly for ids that are new. It holds the secrets of the archive and, if
// there is one, of the company's own app; it has a route out, and no right to read
// messages or private keys.
//
// Settings come from the environment; settings lists them. Only the secrets,
// archive-secret and companion-secret, come from Parameter Store, anew for each run.
package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/environment"
	"wecom-archive/shared/lambdastart"
	"wecom-archive/shared/program"
)

func main() {
	lambdastart.Main("directory", build)
}

// settings are what the stack sets.
type settings struct {
	Corp    string // WECOM_ARCHIVE_CORP: corpid
	Bucket  string // WECOM_ARCHIVE_BUCKET: archive bucket
	Table   string // WECOM_ARCHIVE_TABLE: index
	Secrets string // WECOM_ARCHIVE_SECRET_PREFIX: of the parameters that hold secrets
	Capture string // WECOM_ARCHIVE_CAPTURE_KEY: KMS key of the directory and of events
	API     string // WECOM_ARCHIVE_API: where WeCom answers; optional
}

func readSettings(getenv func(string) string) (settings, error) {
	s := settings{API: getenv("WECOM_ARCHIVE_API")}
	err := environment.Read(getenv,
		environment.Corp(&s.Corp),
		environment.Bucket(&s.Bucket),
		environment.Table(&s.Table),
		environment.SecretPrefix(&s.Secrets),
		environment.CaptureKey(&s.Capture),
	)
	return s, err
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
	objects := aws.Objects(set.Bucket).WithKey(set.Capture, archive.CapturePrefixes()...)
	app := &App{
		Corp: set.Corp, Program: program.Version(), API: set.API,
		Objects: objects, Lock: objects,
		Catalog: catalog.New(aws.Index(set.Table)),
		Secrets: aws.Secrets(set.Secrets),
		Owner:   rand.Text(), Now: time.Now, Log: log,
	}
	return app.Handle, nil
}
