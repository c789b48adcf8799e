#include "crypt.h"

#include <string.h>

static uint32_t ror(uint32_t x, int n) { return x >> n | x << (32 - n); }

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static void sha256_block(uint32_t h[8], const uint8_t *p) {
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t b = ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    memcpy(s, h, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = s[7] + (ror(s[4], 6) ^ ror(s[4], 11) ^ ror(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + round_constants[i] + w[i];
        uint32_t t2 = (ror(s[0], 2) ^ ror(s[0], 13) ^ ror(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) h[i] += s[i];
}

void sha256(const uint8_t *data, size_t len, uint8_t out[32]) {
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint64_t bits = (uint64_t)len * 8;
    for (; len >= 64; data += 64, len -= 64) sha256_block(h, data);
    uint8_t last[128] = {0};
    memcpy(last, data, len);
    last[len] = 0x80;
    size_t end = len < 56 ? 64 : 128;
    for (int i = 0; i < 8; i++) last[end - 1 - i] = (uint8_t)(bits >> 8 * i);
    sha256_block(h, last);
    if (end == 128) sha256_block(h, last + 64);
    for (int i = 0; i < 32; i++) out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

/* Multiplication in GF(2^8), from which the S-box follows. */
static uint8_t times2(uint8_t x) { return (uint8_t)(x << 1 ^ (x & 0x80 ? 0x1b : 0)); }

static uint8_t sbox[256];

__attribute__((constructor)) static void make_sbox(void) {
    uint8_t p = 1, q = 1;
    do {
        p ^= times2(p); /* p * 3 */
        q ^= q << 1, q ^= q << 2, q ^= q << 4;
        if (q & 0x80) q ^= 0x09; /* q / 3 */
        uint8_t x = q ^ (uint8_t)(q << 1 | q >> 7) ^ (uint8_t)(q << 2 | q >> 6) ^ (uint8_t)(q << 3 | q >> 5) ^ (uint8_t)(q << 4 | q >> 4);
        sbox[p] = x ^ 0x63;
    } while (p != 1);
    sbox[0] = 0x63;
}

enum { rounds = 14 };

static void expand(const uint8_t key[32], uint8_t w[16 * (rounds + 1)]) {
    memcpy(w, key, 32);
    uint8_t rcon = 1;
    for (int i = 32; i < 16 * (rounds + 1); i += 4) {
        uint8_t t[4];
        memcpy(t, w + i - 4, 4);
        if (i % 32 == 0) {
            uint8_t first = t[0];
            t[0] = sbox[t[1]] ^ rcon, t[1] = sbox[t[2]], t[2] = sbox[t[3]], t[3] = sbox[first];
            rcon = times2(rcon);
        } else if (i % 32 == 16) {
            for (int j = 0; j < 4; j++) t[j] = sbox[t[j]];
        }
        for (int j = 0; j < 4; j++) w[i + j] = w[i + j - 32] ^ t[j];
    }
}

static void encrypt(const uint8_t w[16 * (rounds + 1)], const uint8_t in[16], uint8_t out[16]) {
    uint8_t s[16], t[16];
    for (int i = 0; i < 16; i++) s[i] = in[i] ^ w[i];
    for (int r = 1; r <= rounds; r++) {
        for (int c = 0; c < 4; c++)
            for (int i = 0; i < 4; i++) t[4 * c + i] = sbox[s[4 * ((c + i) % 4) + i]];
        for (int c = 0; c < 4 && r < rounds; c++) {
            uint8_t *a = t + 4 * c, all = a[0] ^ a[1] ^ a[2] ^ a[3], first = a[0];
            for (int i = 0; i < 4; i++) a[i] ^= all ^ times2(a[i] ^ (i < 3 ? a[i + 1] : first));
        }
        for (int i = 0; i < 16; i++) s[i] = t[i] ^ w[16 * r + i];
    }
    memcpy(out, s, 16);
}

/* y = (y ^ x) * h in GCM's field. */
static void ghash(uint8_t y[16], const uint8_t h[16], const uint8_t x[16]) {
    uint64_t z[2] = {0}, v[2] = {0};
    for (int i = 0; i < 16; i++) v[i / 8] = v[i / 8] << 8 | h[i];
    for (int i = 0; i < 128; i++) {
        uint64_t bit = (uint64_t)0 - ((y[i / 8] ^ x[i / 8]) >> (7 - i % 8) & 1);
        z[0] ^= v[0] & bit, z[1] ^= v[1] & bit;
        uint64_t carry = (uint64_t)0 - (v[1] & 1);
        v[1] = v[1] >> 1 | v[0] << 63;
        v[0] = v[0] >> 1 ^ (carry & 0xe100000000000000u);
    }
    for (int i = 0; i < 16; i++) y[i] = (uint8_t)(z[i / 8] >> (56 - 8 * (i % 8)));
}

int aes256_gcm_open(const uint8_t key[32], const uint8_t nonce[12], const uint8_t *in, size_t len,
                    const uint8_t tag[16], uint8_t *out) {
    uint8_t w[16 * (rounds + 1)], h[16] = {0}, y[16] = {0}, counter[16] = {0}, mask[16], block[16];
    expand(key, w);
    encrypt(w, h, h);
    memcpy(counter, nonce, 12);
    counter[15] = 1;
    encrypt(w, counter, mask);
    for (size_t at = 0; at < len; at += 16) {
        size_t n = len - at < 16 ? len - at : 16;
        uint8_t padded[16] = {0};
        memcpy(padded, in + at, n);
        ghash(y, h, padded);
        for (int i = 15; i > 11 && ++counter[i] == 0; i--) {
        }
        encrypt(w, counter, block);
        for (size_t i = 0; i < n; i++) out[at + i] = padded[i] ^ block[i];
    }
    uint8_t lengths[16] = {0};
    for (int i = 0; i < 8; i++) lengths[15 - i] = (uint8_t)((uint64_t)len * 8 >> 8 * i);
    ghash(y, h, lengths);
    uint8_t differs = 0;
    for (int i = 0; i < 16; i++) differs |= y[i] ^ mask[i] ^ tag[i];
    return differs != 0;
}
