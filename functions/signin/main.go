// The signin function signs people in at the OpenID provider (package signin) and
// stores the provider's public keys where the admin function reads them. It has a
// route out, and no right to content: of the index it may touch only its own items,
// of secrets only the client's, and of KMS keys only that of sessions.
//
// Settings come from the environment; settings lists them. The client's secret,
// signin-client-secret, comes from Parameter Store when the function starts; a public
// client has none. The key of sessions makes itself: KMS draws it when the function
// first starts, and nobody is ever shown it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/environment"
	"wecom-archive/shared/signin"
	"wecom-archive/shared/store"
)

// providerTime is how long the provider may take to answer.
const providerTime = 8 * time.Second

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("stage", "signin")
	app, err := build(context.Background(), os.Getenv, log)
	if err != nil {
		log.Error("cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(app.Handle)
}

// settings are what the stack sets.
type settings struct {
	Stack      string // WECOM_ARCHIVE_STACK
	Table      string // WECOM_ARCHIVE_TABLE: index
	Secrets    string // WECOM_ARCHIVE_SECRET_PREFIX: of the parameters that hold secrets
	SessionKey string // WECOM_ARCHIVE_SESSION_KEY: KMS key that wraps the key of sessions
	Issuer     string // WECOM_ARCHIVE_ISSUER
	ClientID   string // WECOM_ARCHIVE_CLIENT_ID
	RolesClaim string // WECOM_ARCHIVE_ROLES_CLAIM
	Pages      string // WECOM_ARCHIVE_PAGES: address of the pages
}

func readSettings(getenv func(string) string) (settings, error) {
	var s settings
	err := environment.Read(getenv,
		environment.Stack(&s.Stack),
		environment.Table(&s.Table),
		environment.SecretPrefix(&s.Secrets),
		environment.SessionKey(&s.SessionKey),
		environment.Issuer(&s.Issuer),
		environment.Setting{Name: "WECOM_ARCHIVE_CLIENT_ID", To: &s.ClientID, What: "the pages' client id at the OpenID issuer"},
		environment.RolesClaim(&s.RolesClaim),
		environment.Setting{Name: "WECOM_ARCHIVE_PAGES", To: &s.Pages, What: "the address of the pages, https://…"},
	)
	s.Pages = strings.TrimSuffix(s.Pages, "/")
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
	secret, err := awsstore.NewSecrets(ssm.NewFromConfig(cfg), set.Secrets, "").Get(ctx, store.SecretSignIn)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	index := awsstore.NewIndex(dynamodb.NewFromConfig(cfg), set.Table)
	key, err := signin.MakeKey(ctx, index, awsstore.NewSessionKeys(kms.NewFromConfig(cfg), set.SessionKey, set.Stack))
	if err != nil {
		return nil, err
	}
	sessions, err := signin.NewSessions(signin.Settings{Key: key, Index: index})
	if err != nil {
		return nil, err
	}
	return &App{
		SignIn: signin.Config{
			Issuer: set.Issuer, ClientID: set.ClientID, Secret: secret, Base: set.Pages, RolesClaim: set.RolesClaim,
			Sessions: sessions, Client: &http.Client{Timeout: providerTime}, Log: log,
		},
		Index: index, Log: log,
	}, nil
}
