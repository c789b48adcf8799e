package callback

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Errors of Cipher.Open.
var (
	ErrSignature = errors.New("the signature is not made with our token")
	ErrSealed    = errors.New("the message does not open under our EncodingAESKey")
	ErrOtherCorp = errors.New("the message is for another corp")
)

const (
	prefixBytes = 16 // random, before the length
	lengthBytes = 4  // big endian, of the message
	padBlock    = 32 // PKCS#7 to this, not to AES's 16
)

var (
	tokenShape = regexp.MustCompile(`^[0-9A-Za-z]{3,32}$`)
	keyShape   = regexp.MustCompile(`^[0-9A-Za-z]{43}$`)
)

// CheckToken says whether a value has the shape of a callback's token: 3 to 32
// letters and digits.
func CheckToken(token string) error {
	if !tokenShape.MatchString(token) {
		return errors.New("a callback's Token is 3 to 32 letters and digits")
	}
	return nil
}

// CheckAESKey says whether a value has the shape of an EncodingAESKey: 43 letters
// and digits.
func CheckAESKey(key string) error {
	if !keyShape.MatchString(key) {
		return errors.New("an EncodingAESKey is exactly 43 letters and digits")
	}
	return nil
}

// Cipher is WeCom's callback scheme with the token and key of one endpoint. It is
// safe for concurrent use.
type Cipher struct {
	token, corp string
	block       cipher.Block
	iv          []byte
}

// NewCipher makes the scheme for the endpoint of a corp. The values are those of the
// page where the console asks for the URL.
func NewCipher(token, encodingAESKey, corp string) (*Cipher, error) {
	if err := errors.Join(CheckToken(token), CheckAESKey(encodingAESKey)); err != nil {
		return nil, err
	}
	if corp == "" {
		return nil, errors.New("the corp is empty")
	}
	// The last of the 43 characters may carry bits that no byte needs; WeCom sets
	// them, so the decoder must not be strict.
	key, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil {
		return nil, errors.New("the EncodingAESKey is no base64")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("the EncodingAESKey: %w", err)
	}
	return &Cipher{token: token, corp: corp, block: block, iv: key[:aes.BlockSize]}, nil
}

// Signature is the hex SHA-1 that WeCom sends as msg_signature.
func (c *Cipher) Signature(timestamp, nonce, sealed string) string {
	parts := []string{c.token, timestamp, nonce, sealed}
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// Open checks the signature of a sealed message and opens it. Nothing of the message
// is looked at before its signature is found good.
func (c *Cipher) Open(signature, timestamp, nonce, sealed string) ([]byte, error) {
	want := c.Signature(timestamp, nonce, sealed)
	if subtle.ConstantTimeCompare([]byte(want), []byte(signature)) != 1 {
		return nil, ErrSignature
	}
	text, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(text) == 0 || len(text)%aes.BlockSize != 0 {
		return nil, ErrSealed
	}
	cipher.NewCBCDecrypter(c.block, c.iv).CryptBlocks(text, text)
	pad := int(text[len(text)-1])
	if pad < 1 || pad > padBlock || pad > len(text) ||
		!bytes.Equal(text[len(text)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, ErrSealed
	}
	text = text[:len(text)-pad]
	if len(text) < prefixBytes+lengthBytes {
		return nil, ErrSealed
	}
	size := uint64(binary.BigEndian.Uint32(text[prefixBytes:]))
	rest := text[prefixBytes+lengthBytes:]
	if size > uint64(len(rest)) {
		return nil, ErrSealed
	}
	if subtle.ConstantTimeCompare(rest[size:], []byte(c.corp)) != 1 {
		return nil, ErrOtherCorp
	}
	return rest[:size:size], nil
}

// Seal is the other direction, as WeCom does it: for simulators and tests. random is
// 16 bytes.
func (c *Cipher) Seal(random [prefixBytes]byte, message []byte) string {
	text := binary.BigEndian.AppendUint32(random[:], uint32(len(message)))
	text = append(append(text, message...), c.corp...)
	pad := padBlock - len(text)%padBlock
	text = append(text, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(c.block, c.iv).CryptBlocks(text, text)
	return base64.StdEncoding.EncodeToString(text)
}
