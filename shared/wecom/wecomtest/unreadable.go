package wecomtest

import "math/big"

// Ways in which a planted envelope is unreadable, as Corp.Unreadable names them.
const (
	UnknownKeyVersion = "unknown key version" // never uploaded, and nobody has its private key
	BadBase64         = "bad base64"          // encrypt_random_key is not base64
	RandomBlock       = "random bytes"        // encrypt_random_key was never an RSA ciphertext
	WrongLengthBlock  = "wrong length"        // encrypt_random_key is not 256 bytes
	CorruptedBody     = "corrupted body"      // the key is right, a byte of the body is not
	unknownVersions   = 9_000                 // far above what a corp reaches
)

var unreadableWays = [...]string{UnknownKeyVersion, BadBase64, RandomBlock, WrongLengthBlock, CorruptedBody}

// Unreadable says why the envelope of message index cannot be decrypted, or ""
// if it can.
func (c *Corp) Unreadable(index int) string {
	if c.config.Unreadable <= 0 {
		return ""
	}
	r := stream(c.config.Seed, forUnreadable, uint64(index))
	if !r.oneIn(c.config.Unreadable) {
		return ""
	}
	return pick(&r, unreadableWays[:])
}

// envelope is one element of chatdata before it is written as JSON.
type envelope struct {
	version int
	key     []byte // encrypt_random_key before base64
	body    []byte // encrypt_chat_msg before base64
	notB64  bool   // spoil the base64 of key
}

// spoil makes the envelope unreadable in the way of why.
func (e *envelope) spoil(why string, r *rng) {
	switch why {
	case UnknownKeyVersion:
		e.version = unknownVersions + r.n(3)
	case BadBase64:
		e.notB64 = true
	case RandomBlock:
		r.fill(e.key)
		e.key[0] &= 0x3f // below any modulus of 2048 bits
	case WrongLengthBlock:
		e.key = e.key[:r.between(100, len(e.key)-1)]
	case CorruptedBody:
		e.body[nonceLen+r.n(len(e.body)-nonceLen)] ^= byte(1 << r.n(8))
	}
}

// foreignKey is a modulus that nobody knows the factors of: what is encrypted
// under it stays closed, whatever keys are tried.
func foreignKey(seed uint64) publicKey {
	r := stream(seed, forForeignKey, 0)
	n := make([]byte, 256)
	r.fill(n)
	n[0] |= 0x80
	n[len(n)-1] |= 1
	return publicKey{n: new(big.Int).SetBytes(n), e: big.NewInt(65537), size: len(n)}
}
