/* The simulator's cipher (shared/wecom/wecomtest, seal.go): AES-256-GCM under the
 * SHA-256 of the key string. Slow and plain; for tests only. */
#include <stddef.h>
#include <stdint.h>

void sha256(const uint8_t *data, size_t len, uint8_t out[32]);

/* Decrypts len bytes of ciphertext and checks the 16-byte tag. 0: good. */
int aes256_gcm_open(const uint8_t key[32], const uint8_t nonce[12], const uint8_t *in, size_t len,
                    const uint8_t tag[16], uint8_t *out);
