"""Which replica answers for which entity: rendezvous hashing. No I/O.

Every entity has a score for every replica, and the highest one has it. So a replica that joins
takes its share of each other one, a replica that leaves gives away its own, and nothing else moves;
clients that know the same replicas agree without talking to each other.
"""

import hashlib
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def key_hashes(kind: str, keys: Sequence[str]) -> NDArray[np.uint64]:
    """Return a number for each key of a kind of entity; two clients agree on it."""
    seed = zlib.crc32(kind.encode())
    hashes = (zlib.crc32(key.encode("utf-8", "surrogatepass"), seed) for key in keys)
    return np.fromiter(hashes, dtype=np.uint64, count=len(keys))


def replica_seed(address: str) -> int:
    """Return the number of a replica: its address alone decides it."""
    return int.from_bytes(hashlib.blake2b(address.encode(), digest_size=8).digest(), "little")


def owners(hashes: NDArray[np.uint64], replicas: Sequence[str]) -> NDArray[np.int64]:
    """Return for each key which of the replicas has it, as its place in the sequence.

    Args:
        hashes: See `key_hashes`.
        replicas: Their addresses, at least one; their order decides nothing.
    """
    best = np.zeros(len(hashes), dtype=np.int64)
    highest = np.zeros(len(hashes), dtype=np.uint64)
    for place, address in enumerate(replicas):
        score = _mixed(hashes ^ np.uint64(replica_seed(address)))
        higher = score >= highest
        best[higher] = place
        highest[higher] = score[higher]
    return best


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return numbers in which each bit depends on all bits of the given ones (splitmix64)."""
    mixed = values + _GAMMA  # arrays wrap around
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    result: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return result
