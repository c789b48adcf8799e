package store

import (
	"context"
)

// KeyContext names the key that a wrapped private key belongs to. It is bound
// into the wrapping (KMS encryption context): a wrapped key opens only under the
// context it was made with.
type KeyContext struct {
	Corp string // corpid, not empty
	Key  string // our own key id, not empty, see KeyRecord.ID
}

// Keyring makes and opens RSA-2048 private keys that are stored encrypted.
// Private keys are PKCS#8 DER, public keys SubjectPublicKeyInfo DER.
type Keyring interface {
	// NewPair makes a key pair. The private half exists only wrapped.
	NewPair(ctx context.Context, kc KeyContext) (public, wrapped []byte, err error)
	// Wrap encrypts a private key that the company already uses: RSA-2048 only.
	Wrap(ctx context.Context, kc KeyContext, pkcs8 []byte) (wrapped []byte, err error)
	// Unwrap opens a wrapped private key. ErrDamaged if it can never be opened: kc
	// is not the context that the key was wrapped under, a byte was changed, or
	// another keyring wrapped it. Any other error may pass, or needs somebody to put
	// the keyring right (no right to use it, switched off).
	Unwrap(ctx context.Context, kc KeyContext, wrapped []byte) (pkcs8 []byte, err error)
}
