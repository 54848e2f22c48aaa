// SPDX-License-Identifier: Apache-2.0
//
// SHA-256 of up to three independent streams in one loop, with the SHA extensions of x86-64 (FIPS 180-4 §6.2).
// Why: Docs/Decisions/0014-sha256-lanes.md. Padding, buffering and the choice of a fallback are the caller's.

#ifndef COLDVAULT_CSHA256LANES_H
#define COLDVAULT_CSHA256LANES_H

#include <stddef.h>
#include <stdint.h>

/// The eight working words of one stream, in the order of FIPS 180-4.
typedef struct {
    uint32_t h[8];
} sha256_lane_state;

/// Whether this processor has the instructions. Calling anything below without them traps.
int sha256_lanes_supported(void);

/// Advances each state by `blocks` blocks of 64 bytes from its data, which need no alignment. The states must be
/// distinct; data may be shared. Reads nothing else, keeps nothing, and may be called by any number of threads.
void sha256_lanes_1(sha256_lane_state *a, const void *a_data, size_t blocks);
void sha256_lanes_2(sha256_lane_state *a, const void *a_data,
                    sha256_lane_state *b, const void *b_data, size_t blocks);
void sha256_lanes_3(sha256_lane_state *a, const void *a_data,
                    sha256_lane_state *b, const void *b_data,
                    sha256_lane_state *c, const void *c_data, size_t blocks);

#endif
