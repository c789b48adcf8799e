// The puller function fetches what is new from WeCom and stores it, encrypted as
// it is, in pages. A schedule starts it, and the operator's `wecom-archive pull`.
// It holds the secret of the archive and has a route out, and no private key.
//
// WeCom's library comes with the layer that infra/layers builds. It runs in a
// process of its own (package financesdk), which is this executable again.
//
// Settings come from the environment; settings lists them. Only the archive's
// secret, archive-secret, and the proxy's password, proxy-password, come from
// Parameter Store, anew for each run.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/doctor"
	"wecom-archive/shared/environment"
	"wecom-archive/shared/lambdastart"
	"wecom-archive/shared/metrics"
	"wecom-archive/shared/program"
	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/native"
)

func main() {
	if status, host := financesdk.RunHost(os.Args); host {
		os.Exit(status)
	}
	lambdastart.Main("puller", build)
}

// settings are what the stack sets.
type settings struct {
	Corp     string // WECOM_ARCHIVE_CORP: corpid
	Bucket   string // WECOM_ARCHIVE_BUCKET: archive bucket
	Table    string // WECOM_ARCHIVE_TABLE: index
	QueueURL string // WECOM_ARCHIVE_QUEUE_URL: queue of the archiver
	Secrets  string // WECOM_ARCHIVE_SECRET_PREFIX: of the parameters that hold secrets
	Capture  string // WECOM_ARCHIVE_CAPTURE_KEY: KMS key of pages
	SDK      string // WECOM_ARCHIVE_SDK: path of WeCom's library; optional
	Proxy    string // WECOM_ARCHIVE_PROXY: as http://host:port or socks5://host:port; optional
	Echo     string // WECOM_ARCHIVE_ECHO: service that tells our address; optional, see doctor.Echo
	Limit    int    // WECOM_ARCHIVE_LIMIT: most messages per page, 1 to 1,000; optional
}

func readSettings(getenv func(string) string) (settings, error) {
	s := settings{
		SDK:   cmp.Or(getenv("WECOM_ARCHIVE_SDK"), native.LayerPath),
		Proxy: getenv("WECOM_ARCHIVE_PROXY"),
		Echo:  cmp.Or(getenv("WECOM_ARCHIVE_ECHO"), doctor.DefaultEcho),
	}
	err := environment.Read(getenv,
		environment.Corp(&s.Corp),
		environment.Bucket(&s.Bucket),
		environment.Table(&s.Table),
		environment.Setting{Name: "WECOM_ARCHIVE_QUEUE_URL", To: &s.QueueURL, What: "the URL of the archiver's queue"},
		environment.SecretPrefix(&s.Secrets),
		environment.CaptureKey(&s.Capture),
	)
	if err != nil {
		return settings{}, err
	}
	if err := environment.ReadNumbers(getenv, environment.Number{Name: "WECOM_ARCHIVE_LIMIT", To: &s.Limit, Least: 1, Most: 1000}); err != nil {
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
	aws, err := lambdastart.LoadAWS(ctx)
	if err != nil {
		return nil, err
	}
	objects := aws.Objects(set.Bucket).WithKey(set.Capture, archive.CapturePrefixes()...)
	meter := metrics.New(os.Stdout, getenv("WECOM_ARCHIVE_STACK"), time.Now)
	app := &App{
		Corp: set.Corp, Program: program.Version(), Limit: set.Limit,
		SDK: set.SDK, Echo: set.Echo, Inspect: financesdk.Inspect,
		Objects: objects, Lock: objects, Versions: objects, Locks: objects.Compliance, Metrics: meter,
		Catalog: catalog.New(aws.Index(set.Table)),
		Queue:   aws.Notifier(set.QueueURL, set.Bucket),
		Secrets: aws.Secrets(set.Secrets),
		Open: func(ctx context.Context, secret, proxyPassword string) (Library, error) {
			return financesdk.Open(ctx, financesdk.Config{
				Path: set.SDK, Corp: set.Corp, Secret: secret, Proxy: set.Proxy, ProxyPassword: proxyPassword, Log: log,
				OnDeath: func(native.Death) { meter.Put(metrics.Values{metrics.ChildRestarts: 1}) },
			})
		},
		Owner: rand.Text(), Now: time.Now, Log: log,
	}
	return app.Handle, nil
}
