package localstore

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unicode/utf8"

	"wecom-archive/shared/store"
)

const (
	keyBits        = 2048 // what WeCom accepts
	wrappingKeyLen = 32   // bytes, AES-256
	wrapFormat     = 1    // first byte of a wrapped key; then nonce, ciphertext, tag
)

// Keyring is an store.Keyring that wraps with AES-256-GCM under a key in a
// file, as KMS does under a key that never leaves it. It is safe for concurrent
// use.
type Keyring struct{ aead cipher.AEAD }

var _ store.Keyring = (*Keyring)(nil)

// OpenKeyring reads the wrapping key from the file path, and makes one if there
// is none. Who loses the file loses every private key wrapped under it.
func OpenKeyring(path string) (*Keyring, error) {
	key, err := wrappingKey(path)
	if err != nil {
		return nil, fmt.Errorf("opening the wrapping key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("using the wrapping key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("using the wrapping key: %w", err)
	}
	return &Keyring{aead}, nil
}

func wrappingKey(path string) ([]byte, error) {
	key, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		fresh := make([]byte, wrappingKeyLen)
		rand.Read(fresh) // never fails
		// Link, not rename: of two processes that start at once, both use the
		// key of the one that comes first.
		if err := writeFile(path, fresh, os.Link); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		key, err = readPrivate(path)
	}
	if err != nil {
		return nil, err
	}
	if len(key) != wrappingKeyLen {
		return nil, fmt.Errorf("%s has %d bytes, not %d", path, len(key), wrappingKeyLen)
	}
	return key, nil
}

// NewPair implements store.Keyring.
func (k *Keyring) NewPair(ctx context.Context, kc store.KeyContext) (public, wrapped []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, fmt.Errorf("making a key pair: %w", err)
	}
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, nil, fmt.Errorf("making a key pair: %w", err)
	}
	public, err = x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the public key: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the private key: %w", err)
	}
	wrapped, err = k.Wrap(ctx, kc, pkcs8)
	return public, wrapped, err
}

// Wrap implements store.Keyring.
func (k *Keyring) Wrap(ctx context.Context, kc store.KeyContext, pkcs8 []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("wrapping a private key: %w", err)
	}
	bound, err := encryptionContext(kc)
	if err != nil {
		return nil, fmt.Errorf("wrapping a private key: %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, errors.New("wrapping a private key: it is no PKCS#8 key") // the cause could quote it
	}
	if key, ok := parsed.(*rsa.PrivateKey); !ok || key.N.BitLen() != keyBits {
		return nil, fmt.Errorf("wrapping a private key: it is no RSA key of %d bits", keyBits)
	}
	return k.aead.Seal([]byte{wrapFormat}, nil, pkcs8, bound), nil
}

// Unwrap implements store.Keyring.
func (k *Keyring) Unwrap(ctx context.Context, kc store.KeyContext, wrapped []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("unwrapping private key %q: %w", kc.Key, err)
	}
	bound, err := encryptionContext(kc)
	if err != nil {
		return nil, fmt.Errorf("unwrapping private key %q: %w: %w", kc.Key, store.ErrDamaged, err)
	}
	if len(wrapped) == 0 || wrapped[0] != wrapFormat {
		return nil, fmt.Errorf("unwrapping private key %q: %w: not wrapped by this keyring", kc.Key, store.ErrDamaged)
	}
	pkcs8, err := k.aead.Open(nil, nil, wrapped[1:], bound)
	if err != nil {
		return nil, fmt.Errorf("unwrapping private key %q: %w: it was wrapped under another key or context, or changed: %w", kc.Key, store.ErrDamaged, err)
	}
	return pkcs8, nil
}

// encryptionContext is the encryption context that docs/format.md, "Keys", names, as
// canonical JSON: keys in order, no spaces.
func encryptionContext(kc store.KeyContext) ([]byte, error) {
	if kc.Corp == "" || kc.Key == "" || !utf8.ValidString(kc.Corp) || !utf8.ValidString(kc.Key) {
		return nil, errors.New("the key context does not name corp and key")
	}
	return json.Marshal(struct {
		App  string `json:"app"`
		Corp string `json:"corp"`
		Key  string `json:"key"`
	}{"wecom-archive", kc.Corp, kc.Key})
}
