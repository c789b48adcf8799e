// The media function fetches the files that messages refer to (images, voice,
// video, documents, recorded calls) from WeCom, and stores them. A queue of
// created-events starts it for each job list that the archiver leaves; a schedule
// starts it to queue again what is unfinished. It holds the secret of the archive
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
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/environment"
	"wecom-archive/shared/mediafetch"
	"wecom-archive/shared/mediatype"
	"wecom-archive/shared/metrics"
	"wecom-archive/shared/program"
	"wecom-archive/shared/wecom/financesdk"
)

func main() {
	if status, host := financesdk.RunHost(os.Args); host {
		os.Exit(status)
	}
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("stage", "media")
	app, err := build(context.Background(), os.Getenv, log)
	if err != nil {
		log.Error("cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(app.Handle)
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
}

const (
	spoolFolder = "/tmp/media"
	spoolLimit  = 9 << 30 // bytes; of the 10 GB that the template asks for

	defaultWorkers = 12 // a process of the library has about 60 MB
)

func readSettings(getenv func(string) string) (settings, error) {
	s := settings{SDK: cmp.Or(getenv("WECOM_ARCHIVE_SDK"), financesdk.LayerPath), Proxy: getenv("WECOM_ARCHIVE_PROXY"), Workers: defaultWorkers}
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
	for _, n := range []struct {
		name         string
		to           *int
		least, limit int
	}{{"WECOM_ARCHIVE_WORKERS", &s.Workers, 1, 100}, {"WECOM_ARCHIVE_CALLS", &s.Calls, 0, 1_000_000}} {
		text := getenv(n.name)
		if text == "" {
			continue
		}
		var err error
		if *n.to, err = strconv.Atoi(text); err != nil || *n.to < n.least || *n.to > n.limit {
			return settings{}, fmt.Errorf("the environment variable %s is %q: it must be %d to %d, or not set", n.name, text, n.least, n.limit)
		}
	}
	return s, nil
}

// build makes the App on AWS.
func build(ctx context.Context, getenv func(string) string, log *slog.Logger) (*App, error) {
	set, err := readSettings(getenv)
	if err != nil {
		return nil, err
	}
	if _, err := financesdk.Inspect(set.SDK); err != nil {
		return nil, fmt.Errorf("%w: is the function's layer the one that `make layer` builds?", err)
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	s3Client := s3.NewFromConfig(cfg)
	meter := metrics.New(os.Stdout, getenv("WECOM_ARCHIVE_STACK"), time.Now)
	catalog := catalog.New(awsstore.NewIndex(dynamodb.NewFromConfig(cfg), set.Table))
	return &App{
		Bucket:  set.Derived,
		Secrets: awsstore.NewSecrets(ssm.NewFromConfig(cfg), set.Secrets, ""),
		Open: func(ctx context.Context, secret, proxyPassword string) (Library, error) {
			return financesdk.Open(ctx, financesdk.Config{
				Path: set.SDK, Corp: set.Corp, Secret: secret, Proxy: set.Proxy, ProxyPassword: proxyPassword,
				Children: set.Workers, Log: log,
				OnDeath: func(financesdk.Death) { meter.Put(metrics.Values{metrics.ChildRestarts: 1}) },
			})
		},
		Requeuer: &mediafetch.Requeuer{
			Catalog: catalog, Queue: awsstore.NewNotifier(sqs.NewFromConfig(cfg), set.QueueURL, set.Derived), Now: time.Now,
		},
		Stage: mediafetch.Config{
			Corp: set.Corp, Program: program.Version(),
			Objects: awsstore.NewObjects(s3Client, s3.NewPresignClient(s3Client), set.Bucket).WithCaptureKey(set.Capture),
			Derived: awsstore.NewDerived(s3Client, set.Derived), Catalog: catalog, Now: time.Now, Sleep: sleep, Log: log,
			Spool: spoolFolder, SpoolLimit: spoolLimit, Workers: set.Workers, CallsPerMinute: set.Calls,
			Sniff: mediatype.Sniff, Settled: func(l archive.Link) { measure(meter, l) },
		},
	}, nil
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
