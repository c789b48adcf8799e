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
	"log/slog"
	"os"
	"time"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/environment"
	"wecom-archive/shared/lambdastart"
	"wecom-archive/shared/metrics"
	"wecom-archive/shared/program"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/wecom"
)

func main() {
	lambdastart.Main("compactor", build)
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
	app := NewApp(catalog.New(aws.Index(set.Table)), compact.Config{
		Objects: aws.Objects(set.Bucket), Derived: aws.Derived(set.Derived),
		Program: program.Version(), Read: reading.Read, Parser: wecom.ParserVersion, Log: log,
	}, time.Now, metrics.New(os.Stdout, getenv("WECOM_ARCHIVE_STACK"), time.Now))
	return app.Handle, nil
}
