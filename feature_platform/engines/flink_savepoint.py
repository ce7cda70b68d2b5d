"""Looking into a savepoint before it is relied upon: are these operators in it?

With `-n` Flink drops state whose operator it does not find, silently, so a renamed uid would lose
every count. This reads no state: it only looks for the operators' ids in the savepoint's file
`_metadata`, 16 bytes each, which cannot be there by chance. The kernel refuses an empty state
itself.
"""

import struct
from pathlib import Path

from feature_platform.errors import RestoreFailedError
from feature_platform.paths import local_path

STATEFUL_UIDS = ("source", "intake", "kernel")
"""Uids that no change of a definition changes; the kernel's Java names the same."""

_HEAD = struct.Struct(">iiq")
_MAGIC = 0x4960672D
"""Flink's metadata begins with magic number, version and checkpoint id."""

_MASK = (1 << 64) - 1
_C1, _C2 = 0x87C37B91114253D5, 0x4CF5AD432745937F


def check_savepoint(path: str, uids: tuple[str, ...] = STATEFUL_UIDS) -> bool:
    """Make sure that every operator is in a savepoint.

    Args:
        path: The savepoint's folder as Flink names it.
        uids: Uids of the operators that must be in it.

    Returns:
        False if it cannot be looked into from here, because it is not on a local file system.

    Raises:
        RestoreFailedError: It is not there, or damaged, or an operator is missing.
    """
    metadata = _metadata(path)
    if metadata is None:
        return False
    if not metadata.is_file():
        msg = (
            f"no savepoint at {path}: {metadata} is missing; was the folder moved? Put it back, or "
            "restart from the store with `fp recover`"
        )
        raise RestoreFailedError(msg)
    content = metadata.read_bytes()
    if not checkpoint_id(path):
        msg = (
            f"{metadata} of {len(content)} bytes is not valid checkpoint metadata; restart from "
            "the store with `fp recover`"
        )
        raise RestoreFailedError(msg)
    missing = [uid for uid in uids if operator_id(uid) not in content]
    if missing:
        msg = (
            f"the savepoint {path} has no state for {', '.join(missing)}: starting from it would "
            "lose counts; restart from the store with `fp recover`"
        )
        raise RestoreFailedError(msg)
    return True


def checkpoint_id(path: str) -> int:
    """Return the id in a checkpoint's metadata; 0 if it cannot be read from here, or is damaged."""
    metadata = _metadata(path)
    if metadata is None or not metadata.is_file():
        return 0
    with metadata.open("rb") as file:
        head = file.read(_HEAD.size)
    magic, _, number = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, 0, 0)
    return int(number) if magic == _MAGIC else 0


def _metadata(path: str) -> Path | None:
    """Return the metadata file of a checkpoint; None if it is not on a local file system."""
    folder = local_path(path)
    return folder / "_metadata" if folder else None


def operator_id(uid: str) -> bytes:
    """Return the id that Flink gives to an operator with this uid: murmur3 of its 128 bits."""
    first, second = _murmur3_128(uid.encode())
    return first.to_bytes(8, "little") + second.to_bytes(8, "little")


def _murmur3_128(data: bytes) -> tuple[int, int]:
    """Return murmur3's 128 bits (x64 variant, seed 0) as two numbers."""
    h1 = h2 = 0
    whole = len(data) // 16 * 16
    for at in range(0, whole, 16):
        k1 = int.from_bytes(data[at : at + 8], "little")
        k2 = int.from_bytes(data[at + 8 : at + 16], "little")
        h1 = (_rotate(h1 ^ _mix1(k1), 27) + h2) * 5 + 0x52DCE729 & _MASK
        h2 = (_rotate(h2 ^ _mix2(k2), 31) + h1) * 5 + 0x38495AB5 & _MASK
    tail = data[whole:]
    h1 ^= _mix1(int.from_bytes(tail[:8], "little"))
    h2 ^= _mix2(int.from_bytes(tail[8:], "little"))
    h1 ^= len(data)
    h2 ^= len(data)
    h1 = h1 + h2 & _MASK
    h2 = h2 + h1 & _MASK
    h1, h2 = _finish(h1), _finish(h2)
    h1 = h1 + h2 & _MASK
    return h1, h2 + h1 & _MASK


def _mix1(k: int) -> int:
    return _rotate(k * _C1 & _MASK, 31) * _C2 & _MASK


def _mix2(k: int) -> int:
    return _rotate(k * _C2 & _MASK, 33) * _C1 & _MASK


def _finish(k: int) -> int:
    k = (k ^ k >> 33) * 0xFF51AFD7ED558CCD & _MASK
    k = (k ^ k >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
    return k ^ k >> 33


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> 64 - bits) & _MASK
