# SPDX-License-Identifier: Apache-2.0
"""SHA-256 tree hashes, written from the algorithm, so that no client library's bug can hide one of ours."""

import hashlib

MIB = 1024 * 1024


def linear_hash(data):
    return hashlib.sha256(data).hexdigest()


def combine(digests):
    """Joins neighbours level by level; a digest without a right neighbour moves up unchanged."""
    level = list(digests)
    while len(level) > 1:
        joined = [hashlib.sha256(left + right).digest() for left, right in zip(level[0::2], level[1::2])]
        level = joined + ([level[-1]] if len(level) % 2 else [])
    return level[0]


def tree_hash(data):
    view = memoryview(data)
    leaves = [hashlib.sha256(view[at : at + MIB]).digest() for at in range(0, len(view), MIB)]
    return combine(leaves or [hashlib.sha256(b"").digest()]).hex()


def combine_hex(hashes):
    """The tree hash of an archive out of the tree hashes of its parts."""
    return combine([bytes.fromhex(value) for value in hashes]).hex()


def is_tree_hash_aligned(first, last, size):
    """True when [first, last] is one node of the tree of an object of `size` bytes."""
    if first % MIB:
        return False
    span = MIB
    while first % span == 0:
        if last == min(first + span, size) - 1:
            return True
        if first + span >= size:
            return False
        span *= 2
    return False
