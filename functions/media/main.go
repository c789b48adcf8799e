// The media function fetches the files that messages refer to (images, voice,
// video, documents, recorded calls) from WeCom, and stores them. A queue of
// created-events starts it for each job list that the archiver leaves; a schedule
// starts it to queue again what is unfinished, and to read a share of the files again. It holds the secret of the archive
// and has a route out, and can read neither messages nor private keys.
//
// WeCom's library comes with the layer that infra/layers builds. It runs in
// processes of its own (package financesdk), one for each file in work, which are
// this executable again.
//
// Settings come from the environment; settings lists them. Only the archive's
// secret, archive-secret, and the proxy's password, proxy-password, come from
// Parameter Store, anew for each run.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/clock"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/environment"
	"wecom-archive/shared/lambdastart"
	"wecom-archive/shared/mediafetch"
	"wecom-archive/shared/mediatype"
	"wecom-archive/shared/metrics"
	"wecom-archive/shared/program"
	"wecom-archive/shared/scrub"
	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/native"
)

func main() {
	if status, host := financesdk.RunHost(os.Args); host {
		os.Exit(status)
	}
	lambdastart.Main("media", build)
}

// settings are what the stack sets.
type settings struct {
	Corp     string // WECOM_ARCHIVE_CORP: corpid
	Bucket   string // WECOM_ARCHIVE_BUCKET: archive bucket
	Derived  string // WECOM_ARCHIVE_DERIVED: derived bucket, with the job lists
	Table    string // WECOM_ARCHIVE_TABLE: index
	QueueURL string // WECOM_ARCHIVE_QUEUE_URL: its own queue
	Secrets  string // WECOM_ARCHIVE_SECRET_PREFIX: of the parameters that hold secrets
	Capture  string // WECOM_ARCHIVE_CAPTURE_KEY: KMS key of media and links
	SDK      string // WECOM_ARCHIVE_SDK: path of WeCom's library; optional
	Proxy    string // WECOM_ARCHIVE_PROXY: as http://host:port or socks5://host:port; optional
	Workers  int    // WECOM_ARCHIVE_WORKERS: files in work at a time; optional
	Calls    int    // WECOM_ARCHIVE_CALLS: of GetMediaData a minute, 0 for any number; optional
	Days     int    // WECOM_ARCHIVE_SCRUB_DAYS: in which all files are read again; optional
}

const (
	spoolFolder = "/tmp/media"
	spoolLimit  = 9 << 30 // bytes; of the 10 GB that the template asks for

	defaultWorkers = 12 // a process of the library has about 60 MB
)

func readSettings(getenv func(string) string) (settings, error) {
	s := settings{SDK: cmp.Or(getenv("WECOM_ARCHIVE_SDK"), native.LayerPath), Proxy: getenv("WECOM_ARCHIVE_PROXY"), Workers: defaultWorkers, Days: scrub.DefaultDays}
	err := environment.Read(getenv,
		environment.Corp(&s.Corp),
		environment.Bucket(&s.Bucket),
		environment.Derived(&s.Derived),
		environment.Table(&s.Table),
		environment.Setting{Name: "WECOM_ARCHIVE_QUEUE_URL", To: &s.QueueURL, What: "the URL of the function's own queue"},
		environment.SecretPrefix(&s.Secrets),
		environment.CaptureKey(&s.Capture),
	)
	if err != nil {
		return settings{}, err
	}
	if err := environment.ReadNumbers(getenv,
		environment.Number{Name: "WECOM_ARCHIVE_WORKERS", To: &s.Workers, Least: 1, Most: 100},
		environment.Number{Name: "WECOM_ARCHIVE_CALLS", To: &s.Calls, Least: 0, Most: 1_000_000},
		scrub.DaysSetting(&s.Days),
	); err != nil {
		return settings{}, err
	}
	return s, nil
}

// build makes the handler on AWS.
func build(ctx context.Context, getenv func(string) string, log *slog.Logger) (any, error) {
	set, err := readSettings(getenv)
	if err != nil {
		return nil, err
	}
	if _, err := financesdk.Inspect(set.SDK); err != nil {
		return nil, fmt.Errorf("%w: is the function's layer the one that `make layer` builds?", err)
	}
	aws, err := lambdastart.LoadAWS(ctx)
	if err != nil {
		return nil, err
	}
	meter := metrics.New(os.Stdout, getenv("WECOM_ARCHIVE_STACK"), time.Now)
	objects, catalog := aws.Objects(set.Bucket).WithKey(set.Capture, archive.CapturePrefixes()...), catalog.New(aws.Index(set.Table))
	checker, book := scrub.Checker{Objects: objects, Corp: set.Corp}, damage.New(objects, catalog.Table, set.Corp, time.Now)
	app := &App{
		Bucket:  set.Derived,
		Secrets: aws.Secrets(set.Secrets),
		Open: func(ctx context.Context, secret, proxyPassword string) (Library, error) {
			return financesdk.Open(ctx, financesdk.Config{
				Path: set.SDK, Corp: set.Corp, Secret: secret, Proxy: set.Proxy, ProxyPassword: proxyPassword,
				Children: set.Workers, Log: log,
				OnDeath: func(native.Death) { meter.Put(metrics.Values{metrics.ChildRestarts: 1}) },
			})
		},
		Scrub: scrub.New(scrub.Config{
			Name: scrub.Files, Objects: objects, Journal: catalog.Journal, Parts: checker.Files(), Shares: set.Days,
			Expected: []scrub.Expected{checker.LinkedFiles()},
			Book:     book, Now: time.Now, Log: log,
		}),
		Requeuer: &mediafetch.Requeuer{
			Media: catalog.Media, Queue: aws.Notifier(set.QueueURL, set.Derived), Now: time.Now,
		},
		Stage: mediafetch.Config{
			Corp: set.Corp, Program: program.Version(),
			Objects: objects, Lock: objects,
			Derived: aws.Derived(set.Derived), Media: catalog.Media, Now: time.Now, Sleep: clock.Sleep, Log: log,
			Spool: spoolFolder, SpoolLimit: spoolLimit, Workers: set.Workers, CallsPerMinute: set.Calls,
			Damage: book,
			Sniff:  mediatype.Sniff, Settled: func(l archive.Link) { measure(meter, l) },
		},
	}
	return app.Handle, nil
}

// measure writes the metrics of a reference to a file.
func measure(meter *metrics.Writer, l archive.Link) {
	names := map[archive.MediaState]metrics.Name{
		archive.MediaStored: metrics.MediaStored, archive.MediaFailed: metrics.MediaFailed, archive.MediaLost: metrics.MediaLost,
	}
	if name, ok := names[l.State]; ok {
		meter.Put(metrics.Values{name: 1})
	}
}
