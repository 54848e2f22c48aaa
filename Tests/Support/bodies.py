# SPDX-License-Identifier: Apache-2.0
"""Deterministic bodies: random (incompressible), compressible, and a mix, always the same for one seed."""

import random

from .hashes import MIB


def incompressible(size, seed=0):
    return random.Random(f"incompressible-{seed}-{size}").randbytes(size)


def compressible(size, seed=0):
    """Text-like lines; LZ4 more than halves them."""
    source = random.Random(f"compressible-{seed}")
    words = [f"{source.choice('bcdfghklmnprst')}{source.choice('aeiou')}{source.randrange(1000)}" for _ in range(64)]
    lines = []
    length = 0
    while length < min(size, MIB):
        line = " ".join(source.choice(words) for _ in range(12)) + "\n"
        lines.append(line)
        length += len(line)
    block = "".join(lines).encode()
    return (block * (size // len(block) + 1))[:size]


def mixed(size, seed=0):
    """Alternating compressible and incompressible MiBs, so that both frame codecs occur in one part."""
    pieces = []
    for index, at in enumerate(range(0, size, MIB)):
        make = compressible if index % 2 == 0 else incompressible
        pieces.append(make(min(MIB, size - at), f"{seed}-{index}"))
    return b"".join(pieces)


def numbered_mebibytes():
    """The 6.5 MiB archive of the published tree-hash vectors: MiB i is filled with byte i."""
    return b"".join(bytes([value]) * MIB for value in range(6)) + bytes([6]) * (MIB // 2)
