// SPDX-License-Identifier: Apache-2.0
//
// Each pair of rounds (sha256rnds2) needs the pair before it and takes longer to answer than to begin: one stream
// leaves the unit idle for more than half of the time. Streams that know nothing of each other fill the gaps.

#include "CSHA256Lanes.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

// The rest of the program is compiled for any x86-64; only these functions may use the extensions.
#define SHA_TARGET __attribute__((target("sha,sse4.1,ssse3")))

// FIPS 180-4 §4.2.2.
static const uint32_t K[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

int sha256_lanes_supported(void) {
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return 0;
    const unsigned ssse3 = 1u << 9, sse41 = 1u << 19, sha = 1u << 29;
    if ((ecx & ssse3) == 0 || (ecx & sse41) == 0) return 0;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return 0;
    return (ebx & sha) != 0;
}

// `lanes` is a constant where this is inlined: every loop over lanes and rounds unrolls into one straight line, in
// which neighbouring instructions belong to different streams.
static inline __attribute__((always_inline)) SHA_TARGET
void advance(const int lanes, sha256_lane_state *const state[], const uint8_t *data[], size_t blocks) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i abef[3], cdgh[3];

    // The instructions want the words as (a, b, e, f) and (c, d, g, h), the first in the highest place.
    _Pragma("unroll") for (int i = 0; i < lanes; i++) {
        __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)&state[i]->h[0]), 0xB1);
        __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)&state[i]->h[4]), 0x1B);
        abef[i] = _mm_alignr_epi8(cdab, efgh, 8);
        cdgh[i] = _mm_blend_epi16(efgh, cdab, 0xF0);
    }

    for (; blocks > 0; blocks--) {
        __m128i abef_before[3], cdgh_before[3];
        __m128i w[3][4];  // the last sixteen words of the message schedule
        _Pragma("unroll") for (int i = 0; i < lanes; i++) {
            abef_before[i] = abef[i];
            cdgh_before[i] = cdgh[i];
        }
        _Pragma("unroll") for (int step = 0; step < 16; step++) {  // of four rounds each
            const __m128i k = _mm_load_si128((const __m128i *)&K[4 * step]);
            __m128i wk[3];
            _Pragma("unroll") for (int i = 0; i < lanes; i++) {
                const int now = step & 3, next = (step + 1) & 3, third = (step + 2) & 3, last = (step + 3) & 3;
                if (step < 4) {
                    const __m128i *words = (const __m128i *)(data[i] + 16 * step);
                    w[i][now] = _mm_shuffle_epi8(_mm_loadu_si128(words), big_endian);
                } else {
                    const __m128i sum = _mm_add_epi32(
                        _mm_sha256msg1_epu32(w[i][now], w[i][next]), _mm_alignr_epi8(w[i][last], w[i][third], 4));
                    w[i][now] = _mm_sha256msg2_epu32(sum, w[i][last]);
                }
                wk[i] = _mm_add_epi32(w[i][now], k);
            }
            _Pragma("unroll") for (int i = 0; i < lanes; i++) {
                cdgh[i] = _mm_sha256rnds2_epu32(cdgh[i], abef[i], wk[i]);
            }
            _Pragma("unroll") for (int i = 0; i < lanes; i++) {
                abef[i] = _mm_sha256rnds2_epu32(abef[i], cdgh[i], _mm_shuffle_epi32(wk[i], 0x0E));
            }
        }
        _Pragma("unroll") for (int i = 0; i < lanes; i++) {
            abef[i] = _mm_add_epi32(abef[i], abef_before[i]);
            cdgh[i] = _mm_add_epi32(cdgh[i], cdgh_before[i]);
            data[i] += 64;
        }
    }

    _Pragma("unroll") for (int i = 0; i < lanes; i++) {
        const __m128i feba = _mm_shuffle_epi32(abef[i], 0x1B);
        const __m128i dchg = _mm_shuffle_epi32(cdgh[i], 0xB1);
        _mm_storeu_si128((__m128i *)&state[i]->h[0], _mm_blend_epi16(feba, dchg, 0xF0));
        _mm_storeu_si128((__m128i *)&state[i]->h[4], _mm_alignr_epi8(dchg, feba, 8));
    }
}

SHA_TARGET void sha256_lanes_1(sha256_lane_state *a, const void *a_data, size_t blocks) {
    sha256_lane_state *const states[] = {a};
    const uint8_t *data[] = {a_data};
    advance(1, states, data, blocks);
}

SHA_TARGET void sha256_lanes_2(sha256_lane_state *a, const void *a_data,
                               sha256_lane_state *b, const void *b_data, size_t blocks) {
    sha256_lane_state *const states[] = {a, b};
    const uint8_t *data[] = {a_data, b_data};
    advance(2, states, data, blocks);
}

SHA_TARGET void sha256_lanes_3(sha256_lane_state *a, const void *a_data,
                               sha256_lane_state *b, const void *b_data,
                               sha256_lane_state *c, const void *c_data, size_t blocks) {
    sha256_lane_state *const states[] = {a, b, c};
    const uint8_t *data[] = {a_data, b_data, c_data};
    advance(3, states, data, blocks);
}

#else

int sha256_lanes_supported(void) { return 0; }

void sha256_lanes_1(sha256_lane_state *a, const void *a_data, size_t blocks) {
    (void)a, (void)a_data, (void)blocks;
    __builtin_trap();
}

void sha256_lanes_2(sha256_lane_state *a, const void *a_data,
                    sha256_lane_state *b, const void *b_data, size_t blocks) {
    (void)a, (void)a_data, (void)b, (void)b_data, (void)blocks;
    __builtin_trap();
}

void sha256_lanes_3(sha256_lane_state *a, const void *a_data,
                    sha256_lane_state *b, const void *b_data,
                    sha256_lane_state *c, const void *c_data, size_t blocks) {
    (void)a, (void)a_data, (void)b, (void)b_data, (void)c, (void)c_data, (void)blocks;
    __builtin_trap();
}

#endif
