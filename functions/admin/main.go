// The admin function serves the archive's HTTP API and its pages (package viewer)
// behind an API Gateway HTTP API with payload format 2.0. It reads the archive bucket,
// the derived bucket and the index, and writes the record of each look. It has no route
// out and no right to any key but the one that wraps the key of sessions. Who has signed
// in shows a cookie that the signin function made; the issuer's keys, for tokens, are
// those that it stored.
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
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/environment"
	"wecom-archive/shared/lambdastart"
	"wecom-archive/shared/program"
	"wecom-archive/shared/setup"
	"wecom-archive/shared/signin"
	"wecom-archive/shared/viewer"
)

func main() {
	lambdastart.Main("admin", build)
}

// settings are what the stack sets.
type settings struct {
	Bucket     string // WECOM_ARCHIVE_BUCKET: archive bucket
	Derived    string // WECOM_ARCHIVE_DERIVED: derived bucket
	Table      string // WECOM_ARCHIVE_TABLE: index
	RolesClaim string // WECOM_ARCHIVE_ROLES_CLAIM: claim of the token that holds a person's roles
	Stack      string // WECOM_ARCHIVE_STACK
	SessionKey string // WECOM_ARCHIVE_SESSION_KEY: KMS key that wraps the key of sessions
	Issuer     string // WECOM_ARCHIVE_ISSUER: of the tokens
	Audience   string // WECOM_ARCHIVE_AUDIENCE: of the tokens
	Capture    string // WECOM_ARCHIVE_CAPTURE_KEY: KMS key of events
	Corp       string // WECOM_ARCHIVE_CORP
	// WECOM_ARCHIVE_TRUSTED_IP, _PULL_SCHEDULE, _RETENTION, _CALLBACK: what operators are
	// shown; optional.
	Setup     setup.Settings
	AskReason bool // WECOM_ARCHIVE_ASK_REASON: "true": readers say why before they see content; optional
}

func readSettings(getenv func(string) string) (settings, error) {
	s := settings{Setup: setup.Settings{
		TrustedIP: getenv("WECOM_ARCHIVE_TRUSTED_IP"),
		Schedule:  getenv("WECOM_ARCHIVE_PULL_SCHEDULE"), Retention: getenv("WECOM_ARCHIVE_RETENTION"),
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
		environment.CaptureKey(&s.Capture),
		environment.Corp(&s.Corp),
		environment.Derived(&s.Derived),
		environment.Table(&s.Table),
		environment.RolesClaim(&s.RolesClaim),
		environment.Stack(&s.Stack),
		environment.SessionKey(&s.SessionKey),
		environment.Issuer(&s.Issuer),
		environment.Setting{Name: "WECOM_ARCHIVE_AUDIENCE", To: &s.Audience, What: "the audience of the issuer's access tokens"},
	)
	s.Setup.Corp = s.Corp
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
	if err := objects.CheckLock(ctx); err != nil {
		return nil, fmt.Errorf("refusing to show content: %w", err)
	}
	index := aws.Index(set.Table)
	stored := &signin.Stored{Index: index, Wrapper: aws.SessionKeys(set.SessionKey, set.Stack)}
	tokens := &signin.Verifier{Issuer: set.Issuer, Audience: set.Audience, Index: index, Sessions: stored.Sessions, Now: time.Now}
	app := NewApp(viewer.Config{
		Objects:  objects,
		Derived:  aws.Derived(set.Derived),
		Catalog:  catalog.New(index),
		Corp:     set.Corp,
		Access:   &access.Recorder{Objects: objects, Now: time.Now, NewID: rand.Text},
		Auth:     authorizer{rolesClaim: set.RolesClaim, tokens: tokens},
		Visitors: stored,
		Setup:    set.Setup,
		Version:  program.Version(), Compliance: objects.Compliance,
		Log:       log,
		AskReason: set.AskReason,
		Puller:    pullRequests{objects, set.Corp, time.Now},
	})
	return app.Handle, nil
}
