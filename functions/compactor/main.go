// The compactor function sorts what was archived by conversation, for readers. A
// schedule starts it, daily. It reads segments and writes below compactions/ of the
// derived bucket; it can open no key and has no route out.
//
// With the same rights it does what the commands compact, reparse and consent ask it
// for (app.go): no role of the stack for people reads messages and changes the index.
//
// What it does not finish in its time the next run goes on with: it never invokes
// itself.
//
// Settings come from the environment; settings lists them.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/environment"
	"wecom-archive/shared/metrics"
	"wecom-archive/shared/program"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/wecom"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("stage", "compactor")
	app, err := build(context.Background(), os.Getenv, log)
	if err != nil {
		log.Error("cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(app.Handle)
}

// settings are what the stack sets.
type settings struct {
	Bucket  string // WECOM_ARCHIVE_BUCKET: archive bucket
	Derived string // WECOM_ARCHIVE_DERIVED: derived bucket
	Table   string // WECOM_ARCHIVE_TABLE: index
}

func readSettings(getenv func(string) string) (settings, error) {
	var s settings
	err := environment.Read(getenv,
		environment.Bucket(&s.Bucket),
		environment.Derived(&s.Derived),
		environment.Table(&s.Table),
	)
	return s, err
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
	client := s3.NewFromConfig(cfg)
	return NewApp(compact.Config{
		Objects: awsstore.NewObjects(client, s3.NewPresignClient(client), set.Bucket), Derived: awsstore.NewDerived(client, set.Derived),
		Catalog: catalog.New(awsstore.NewIndex(dynamodb.NewFromConfig(cfg), set.Table)),
		Program: program.Version(), Read: reading.Read, Parser: wecom.ParserVersion, Log: log,
	}, time.Now, metrics.New(os.Stdout, getenv("WECOM_ARCHIVE_STACK"), time.Now)), nil
}
