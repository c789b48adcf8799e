package wecomtest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"

	"wecom-archive/shared/wecom"
)

const (
	randomKeyLen = 88 // characters, as seen in production
	minRandomKey = 13 // below, WeCom's library aborts its process
	nonceLen     = 12
	pkcs1Padding = 11 // bytes that PKCS#1 v1.5 needs around a message
)

// publicKey encrypts with PKCS#1 v1.5 and padding of the caller's choice.
//
// crypto/rsa draws the padding itself and ignores the reader that it is given,
// so it yields other bytes each time. WeCom serves the same bytes each time that
// a seq is asked for, and tests compare them, so the exponentiation is done here.
// Nothing in it is secret that would need constant time.
type publicKey struct {
	n, e *big.Int
	size int // bytes
}

func newPublicKey(pub *rsa.PublicKey) (publicKey, error) {
	if pub == nil || pub.N == nil || pub.N.BitLen() != 2048 || pub.E < 3 {
		return publicKey{}, errors.New("not an RSA-2048 public key")
	}
	return publicKey{n: new(big.Int).Set(pub.N), e: big.NewInt(int64(pub.E)), size: pub.Size()}, nil
}

// encrypt returns the RSA block of message, padded from r.
func (k publicKey) encrypt(message []byte, r *rng) []byte {
	block := make([]byte, k.size)
	block[1] = 2
	padding := block[2 : k.size-len(message)-1]
	r.fill(padding)
	for i, b := range padding {
		if b == 0 {
			padding[i] = byte(1 + r.n(255))
		}
	}
	copy(block[k.size-len(message):], message)
	m := new(big.Int).SetBytes(block)
	return m.Exp(m, k.e, k.n).FillBytes(block)
}

// randomKey makes the ASCII string that RSA carries.
func randomKey(r *rng) string {
	var b [64]byte
	r.fill(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

// bodyCipher is the simulator's own: AES-256-GCM under the SHA-256 of the key
// string. Tencent's is not public, and this is not it.
func bodyCipher(key string) (cipher.AEAD, error) {
	sum := sha256.Sum256([]byte(key))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// sealBody returns encrypt_chat_msg: nonce and ciphertext.
func sealBody(key string, raw []byte, r *rng) ([]byte, error) {
	aead, err := bodyCipher(key)
	if err != nil {
		return nil, fmt.Errorf("sealing a message: %w", err)
	}
	body := make([]byte, nonceLen, nonceLen+len(raw)+aead.Overhead())
	r.fill(body)
	return aead.Seal(body, body, raw, nil), nil
}

// Library decrypts what a Corp sealed. It stands in for DecryptData of WeCom's
// native library and, like it, needs neither corp nor network.
//
// Where WeCom's library would abort the process (a key shorter than 13 bytes)
// this one returns code 10008.
type Library struct{}

// DecryptData opens a batch: one result per item, in order. An item that cannot
// be opened carries SDK code 10008. The error is the context's.
func (Library) DecryptData(ctx context.Context, batch []wecom.Sealed) ([]wecom.Opened, error) {
	opened := make([]wecom.Opened, len(batch))
	for i, item := range batch {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("DecryptData: %w", err)
		}
		raw, ok := openBody(item)
		if !ok {
			opened[i].Err = wecom.NewSDKError("DecryptData", 10008)
			continue
		}
		opened[i].Raw = raw
	}
	return opened, nil
}

func openBody(item wecom.Sealed) (raw []byte, ok bool) {
	if len(item.Key) < minRandomKey {
		return nil, false
	}
	body, err := base64.StdEncoding.DecodeString(item.Message)
	if err != nil || len(body) < nonceLen {
		return nil, false
	}
	aead, err := bodyCipher(item.Key)
	if err != nil {
		return nil, false
	}
	raw, err = aead.Open(nil, body[:nonceLen], body[nonceLen:], nil)
	return raw, err == nil
}
