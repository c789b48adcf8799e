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

	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/doctor"
	"wecom-archive/shared/environment"
	"wecom-archive/shared/metrics"
	"wecom-archive/shared/program"
	"wecom-archive/shared/wecom/financesdk"
)

func main() {
	if status, host := financesdk.RunHost(os.Args); host {
		os.Exit(status)
	}
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("stage", "puller")
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
		SDK:   cmp.Or(getenv("WECOM_ARCHIVE_SDK"), financesdk.LayerPath),
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
	if limit := getenv("WECOM_ARCHIVE_LIMIT"); limit != "" {
		var err error
		if s.Limit, err = strconv.Atoi(limit); err != nil || s.Limit < 1 || s.Limit > 1000 {
			return settings{}, fmt.Errorf("the environment variable WECOM_ARCHIVE_LIMIT is %q: it must be 1 to 1000, or not set", limit)
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
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	s3Client := s3.NewFromConfig(cfg)
	objects := awsstore.NewObjects(s3Client, s3.NewPresignClient(s3Client), set.Bucket).WithCaptureKey(set.Capture)
	meter := metrics.New(os.Stdout, getenv("WECOM_ARCHIVE_STACK"), time.Now)
	return &App{
		Corp: set.Corp, Program: program.Version(), Limit: set.Limit,
		SDK: set.SDK, Echo: set.Echo, Inspect: financesdk.Inspect,
		Objects: objects, Versions: objects, Metrics: meter,
		Catalog: catalog.New(awsstore.NewIndex(dynamodb.NewFromConfig(cfg), set.Table)),
		Queue:   awsstore.NewNotifier(sqs.NewFromConfig(cfg), set.QueueURL, set.Bucket),
		Secrets: awsstore.NewSecrets(ssm.NewFromConfig(cfg), set.Secrets, ""),
		Open: func(ctx context.Context, secret, proxyPassword string) (Library, error) {
			return financesdk.Open(ctx, financesdk.Config{
				Path: set.SDK, Corp: set.Corp, Secret: secret, Proxy: set.Proxy, ProxyPassword: proxyPassword, Log: log,
				OnDeath: func(financesdk.Death) { meter.Put(metrics.Values{metrics.ChildRestarts: 1}) },
			})
		},
		Owner: rand.Text(), Now: time.Now, Log: log,
	}, nil
}
