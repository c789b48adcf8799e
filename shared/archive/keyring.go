package archive

import (
	"context"
	"errors"
	"fmt"
	"time"
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

// KeyRecord is the object keys/<id>.json: one key pair of the corp.
type KeyRecord struct {
	Format      int       `json:"format"` // KeyFormat
	ID          string    `json:"id"`
	Corp        string    `json:"corp"`
	PublicPEM   string    `json:"public_pem"`  // SubjectPublicKeyInfo, as pasted into the console
	Fingerprint string    `json:"fingerprint"` // hex SHA-256 of the public key's DER
	Wrapped     []byte    `json:"wrapped"`     // private key as the Keyring wrapped it
	Imported    bool      `json:"imported"`    // made elsewhere, not by us
	CreatedAt   time.Time `json:"created_at"`
}

// PublicKey is what may be shown of a key.
type PublicKey struct {
	ID          string    `json:"id"`
	CreatedAt   time.Time `json:"created_at"`
	Imported    bool      `json:"imported" doc:"Made elsewhere, and used by the company before"`
	Fingerprint string    `json:"fingerprint" doc:"SHA-256 of the public key's DER, hex"`
	PublicPEM   string    `json:"public_pem" doc:"To paste into WeCom's console"`
}

// Public is the record without its private half.
func (r KeyRecord) Public() PublicKey {
	return PublicKey{ID: r.ID, CreatedAt: r.CreatedAt.UTC(), Imported: r.Imported, Fingerprint: r.Fingerprint, PublicPEM: r.PublicPEM}
}

// SavePublicKey notes a stored key in the index, for those who may not read the
// records.
func (c *Catalog) SavePublicKey(ctx context.Context, k PublicKey) error {
	return c.put(ctx, partitionKeys, fmt.Sprintf("public#%013d#%s", k.CreatedAt.UnixMilli(), k.ID), k)
}

// PublicKeys returns the public halves in order of their making.
func (c *Catalog) PublicKeys(ctx context.Context, limit int) ([]PublicKey, error) {
	return list[PublicKey](ctx, c, IndexQuery{Partition: partitionKeys, From: "public#", To: "public$", Limit: limit})
}

// KeyFormat is the version of KeyRecord. A reader refuses a greater one.
const KeyFormat = 1

// GetKeyRecord reads the record of the key with this id, or ErrNotFound.
func GetKeyRecord(ctx context.Context, objects ObjectReader, id string) (KeyRecord, error) {
	var rec KeyRecord
	doc, err := ReadObject(ctx, objects, KeyRecordKey(id))
	if err != nil {
		return rec, err
	}
	if err := decodeJSON(doc, KeyFormat, &rec); err != nil {
		return KeyRecord{}, fmt.Errorf("key %s: %w", id, err)
	}
	if rec.ID != id {
		return KeyRecord{}, fmt.Errorf("key %s: its record says %q: %w", id, rec.ID, ErrDamaged)
	}
	return rec, nil
}

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
	SecretSignIn        = "signin-client-secret" // of the pages' client at the OpenID issuer; a public client has none
	SecretProxy         = "proxy-password"       // as user:password; need not be there
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
