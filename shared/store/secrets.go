package store

import (
	"context"
	"errors"
	"fmt"
)

// Secrets holds the few values that must not be written anywhere else: the corp
// secret of the archive and of the companion app.
type Secrets interface {
	// Get returns the secret, or ErrNotFound.
	Get(ctx context.Context, name string) (string, error)
	// Set stores the secret under name, replacing an older value. Neither may be
	// empty.
	Set(ctx context.Context, name, value string) error
}

// Names of secrets.
const (
	SecretArchive       = "archive-secret"       // of 会话内容存档
	SecretCompanion     = "companion-secret"     // of the company's own app, which may ask for names; need not be there
	SecretCallbackToken = "callback-token"       // of the address that WeCom calls; need not be there
	SecretCallbackKey   = "callback-aes-key"     // its EncodingAESKey
	SecretProxy         = "proxy-password"       // as user:password; need not be there
	SecretSignIn        = "signin-client-secret" // of the pages' client at the OpenID issuer; a public client has none
)

// ArchiveSecret returns the archive's own secret. If there is none the error says how
// to store it.
func ArchiveSecret(ctx context.Context, secrets Secrets) (string, error) {
	secret, err := secrets.Get(ctx, SecretArchive)
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%w: store it with `wecom-archive secrets set %s`", err, SecretArchive)
	}
	return secret, err
}
