// The reindexer function makes the index again from the archive's objects (package
// rebuild). The command reindex starts it, nothing else does: so that no function that
// works daily has the right to empty the index. It reads everything but media and
// access records, writes events of incidents, opens no key and has no route out.
//
// It works until its time is nearly over; the next invocation goes on. Pages that the
// archiver has to look at again it hands to the command, which queues them: no
// endpoint leads to the queue from where it runs.
//
// Settings come from the environment; settings lists them.
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
	"wecom-archive/shared/rebuild"
)

func main() {
	lambdastart.Main("reindexer", build)
}

// settings are what the stack sets.
type settings struct {
	Corp    string // WECOM_ARCHIVE_CORP: corpid
	Bucket  string // WECOM_ARCHIVE_BUCKET: archive bucket
	Table   string // WECOM_ARCHIVE_TABLE: index
	Capture string // WECOM_ARCHIVE_CAPTURE_KEY: KMS key of events
}

func readSettings(getenv func(string) string) (settings, error) {
	var s settings
	err := environment.Read(getenv,
		environment.Corp(&s.Corp),
		environment.Bucket(&s.Bucket),
		environment.Table(&s.Table),
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
	index := aws.Index(set.Table)
	app := &App{MaxQueued: 20_000, Config: rebuild.Config{
		Corp: set.Corp, Objects: objects, Versions: objects, Catalog: catalog.New(index), Dropper: index, Now: time.Now, Log: log,
		Owner: "reindexer-" + rand.Text(), // of this process: two at a time would be in each other's way
	}}
	return app.Handle, nil
}
