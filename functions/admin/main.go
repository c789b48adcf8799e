// The admin function serves the archive's HTTP API (package viewer) behind an API
// Gateway HTTP API with payload format 2.0. It reads the archive bucket, the
// derived bucket and the index, and writes the record of each look. It has no route out and no right to
// any key.
//
// Its settings come from the environment; settings lists them. It refuses to
// start if the bucket does not lock what is put there, since a look could then
// be erased.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/environment"
	"wecom-archive/shared/setup"
	"wecom-archive/shared/viewer"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("stage", "admin")
	app, err := build(context.Background(), os.Getenv, log)
	if err != nil {
		log.Error("cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(app.Handle)
}

// settings are what the stack sets.
type settings struct {
	Bucket     string // WECOM_ARCHIVE_BUCKET: archive bucket
	Derived    string // WECOM_ARCHIVE_DERIVED: derived bucket
	Table      string // WECOM_ARCHIVE_TABLE: index
	RolesClaim string // WECOM_ARCHIVE_ROLES_CLAIM: claim of the token that holds a person's roles
	// WECOM_ARCHIVE_CORP, _TRUSTED_IP, _PULL_SCHEDULE, _RETENTION, _CALLBACK: what operators are
	// shown; optional.
	Setup     setup.Settings
	AskReason bool // WECOM_ARCHIVE_ASK_REASON: "true": readers say why before they see content; optional
}

func readSettings(getenv func(string) string) (settings, error) {
	s := settings{Setup: setup.Settings{
		Corp: getenv("WECOM_ARCHIVE_CORP"), TrustedIP: getenv("WECOM_ARCHIVE_TRUSTED_IP"),
		Schedule: getenv("WECOM_ARCHIVE_PULL_SCHEDULE"), Retention: getenv("WECOM_ARCHIVE_RETENTION"),
		Callback: getenv("WECOM_ARCHIVE_CALLBACK"),
	}}
	switch ask := getenv("WECOM_ARCHIVE_ASK_REASON"); ask {
	case "true":
		s.AskReason = true
	case "", "false":
	default: // a misspelt "true" must not show content unasked
		return s, fmt.Errorf("WECOM_ARCHIVE_ASK_REASON is %q, which is neither true nor false", ask)
	}
	err := environment.Read(getenv,
		environment.Bucket(&s.Bucket),
		environment.Derived(&s.Derived),
		environment.Table(&s.Table),
		environment.Setting{Name: "WECOM_ARCHIVE_ROLES_CLAIM", To: &s.RolesClaim, What: "the claim that holds a person's roles, such as cognito:groups"},
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
	s3Client := s3.NewFromConfig(cfg)
	objects := awsstore.NewObjects(s3Client, s3.NewPresignClient(s3Client), set.Bucket)
	if err := objects.CheckLock(ctx); err != nil {
		return nil, fmt.Errorf("refusing to show content: %w", err)
	}
	return NewApp(viewer.Config{
		Objects: objects,
		Derived: awsstore.NewDerived(s3Client, set.Derived),
		Catalog: archive.NewCatalog(awsstore.NewIndex(dynamodb.NewFromConfig(cfg), set.Table)),
		Access:  &access.Recorder{Objects: objects, Now: time.Now, NewID: rand.Text},
		Auth:    authorizer{rolesClaim: set.RolesClaim},
		Setup:   set.Setup,

		AskReason: set.AskReason,
		Log:       log,
	}), nil
}
