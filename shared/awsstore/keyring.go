package awsstore

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"wecom-archive/shared/store"
)

const (
	keyBits       = 2048 // what WeCom accepts
	maxCiphertext = 6144 // bytes that Decrypt takes
)

// Keyring is an store.Keyring on one symmetric KMS key. KMS makes the pairs and
// encrypts the private halves under an encryption context, which the key's policy
// can demand. It is safe for concurrent use.
//
// A client with LogRequest or LogResponse bodies switched on would write private
// keys to the log.
type Keyring struct {
	client kmsCalls
	keyID  string
}

var _ store.Keyring = (*Keyring)(nil)

// NewKeyring uses the KMS key with this id, ARN or alias, which exists.
func NewKeyring(client *kms.Client, keyID string) *Keyring {
	return &Keyring{kmsCalls{client.GenerateDataKeyPairWithoutPlaintext, client.Encrypt, client.Decrypt}, keyID}
}

// NewPair implements store.Keyring. The private half never leaves KMS in
// plaintext. KMS makes about one pair a second.
func (k *Keyring) NewPair(ctx context.Context, kc store.KeyContext) (public, wrapped []byte, err error) {
	public, wrapped, err = k.newPair(ctx, kc)
	if err != nil {
		return nil, nil, k.failed("making key pair", kc, err)
	}
	return public, wrapped, nil
}

func (k *Keyring) newPair(ctx context.Context, kc store.KeyContext) (public, wrapped []byte, err error) {
	bound, err := encryptionContext(kc)
	if err != nil {
		return nil, nil, err
	}
	out, err := k.client.GenerateDataKeyPairWithoutPlaintext(ctx, &kms.GenerateDataKeyPairWithoutPlaintextInput{
		KeyId: &k.keyID, KeyPairSpec: types.DataKeyPairSpecRsa2048, EncryptionContext: bound,
	})
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParsePKIXPublicKey(out.PublicKey)
	if err != nil {
		return nil, nil, fmt.Errorf("the public key that KMS made: %w", err)
	}
	if key, ok := parsed.(*rsa.PublicKey); !ok || key.N.BitLen() != keyBits || len(out.PrivateKeyCiphertextBlob) == 0 {
		return nil, nil, fmt.Errorf("KMS did not make an RSA key of %d bits", keyBits)
	}
	return out.PublicKey, out.PrivateKeyCiphertextBlob, nil
}

// Wrap implements store.Keyring. A PKCS#8 key of RSA-2048 has about 1,220
// bytes; KMS encrypts up to 4,096.
func (k *Keyring) Wrap(ctx context.Context, kc store.KeyContext, pkcs8 []byte) ([]byte, error) {
	wrapped, err := k.wrap(ctx, kc, pkcs8)
	if err != nil {
		return nil, k.failed("wrapping private key", kc, err)
	}
	return wrapped, nil
}

func (k *Keyring) wrap(ctx context.Context, kc store.KeyContext, pkcs8 []byte) ([]byte, error) {
	bound, err := encryptionContext(kc)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, errors.New("it is no PKCS#8 key") // the cause could quote it
	}
	if key, ok := parsed.(*rsa.PrivateKey); !ok || key.N.BitLen() != keyBits {
		return nil, fmt.Errorf("it is no RSA key of %d bits", keyBits)
	}
	out, err := k.client.Encrypt(ctx, &kms.EncryptInput{KeyId: &k.keyID, Plaintext: pkcs8, EncryptionContext: bound})
	if err != nil {
		return nil, err
	}
	return out.CiphertextBlob, nil
}

// Unwrap implements store.Keyring.
func (k *Keyring) Unwrap(ctx context.Context, kc store.KeyContext, wrapped []byte) ([]byte, error) {
	pkcs8, err := k.unwrap(ctx, kc, wrapped)
	if err != nil {
		return nil, k.failed("unwrapping private key", kc, err)
	}
	return pkcs8, nil
}

func (k *Keyring) unwrap(ctx context.Context, kc store.KeyContext, wrapped []byte) ([]byte, error) {
	bound, err := encryptionContext(kc)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	if len(wrapped) == 0 || len(wrapped) > maxCiphertext {
		return nil, fmt.Errorf("%w: %d bytes are not what KMS wraps", store.ErrDamaged, len(wrapped))
	}
	// KMS would find its key in the ciphertext; naming it refuses keys that others
	// wrapped for us.
	out, err := k.client.Decrypt(ctx, &kms.DecryptInput{KeyId: &k.keyID, CiphertextBlob: wrapped, EncryptionContext: bound})
	if _, ok := errors.AsType[*types.InvalidCiphertextException](err); ok {
		return nil, fmt.Errorf("%w: it was wrapped under another context, or changed: %w", store.ErrDamaged, err)
	}
	if _, ok := errors.AsType[*types.IncorrectKeyException](err); ok {
		return nil, fmt.Errorf("%w: it was wrapped under another KMS key: %w", store.ErrDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	return out.Plaintext, nil
}

// encryptionContext is the KMS encryption context that docs/format.md, "Keys", names.
func encryptionContext(kc store.KeyContext) (map[string]string, error) {
	if kc.Corp == "" || kc.Key == "" || !utf8.ValidString(kc.Corp) || !utf8.ValidString(kc.Key) {
		return nil, errors.New("the key context does not name corp and key")
	}
	return map[string]string{"app": "wecom-archive", "corp": kc.Corp, "key": kc.Key}, nil
}

func (k *Keyring) failed(doing string, kc store.KeyContext, err error) error {
	return fmt.Errorf("%s %q of corp %q with KMS key %s: %w", doing, kc.Key, kc.Corp, k.keyID, err)
}
