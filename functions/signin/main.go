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
	"log/slog"
	"net/http"
	"strings"
	"time"

	"wecom-archive/shared/environment"
	"wecom-archive/shared/lambdastart"
	"wecom-archive/shared/signin"
	"wecom-archive/shared/store"
)

// providerTime is how long the provider may take to answer.
const providerTime = 8 * time.Second

func main() {
	lambdastart.Main("signin", build)
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
	secret, err := aws.Secrets(set.Secrets).Get(ctx, store.SecretSignIn)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	index := aws.Index(set.Table)
	key, err := signin.MakeKey(ctx, index, aws.SessionKeys(set.SessionKey, set.Stack))
	if err != nil {
		return nil, err
	}
	sessions, err := signin.NewSessions(signin.Settings{Key: key, Index: index})
	if err != nil {
		return nil, err
	}
	app := &App{
		SignIn: signin.Config{
			Issuer: set.Issuer, ClientID: set.ClientID, Secret: secret, Base: set.Pages, RolesClaim: set.RolesClaim,
			Sessions: sessions, Client: &http.Client{Timeout: providerTime}, Log: log,
		},
		Index: index, Log: log,
	}
	return app.Handle, nil
}
