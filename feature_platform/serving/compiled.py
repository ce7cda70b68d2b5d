"""The compiled core of serving, `native/tiles.c`: loaded at first use, or known to be missing.

Nothing depends on it being there: without it `serving.tiles` computes the same with numpy. It knows
no Python, so calls release the GIL and may run in parallel.
"""

import ctypes
import logging
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from feature_platform.paths import CLONE, SHIPPED

CORRUPT, FULL, REFUSED = -1, -2, -3
"""Outcomes: malformed rows; more room, please; nothing that the core takes on."""
INTERFACE = 3
LIBRARY = f"fp-tiles-{sys.platform}-{platform.machine()}.so"

_log = logging.getLogger(__name__)
_Pointer, _Number, _Byte = ctypes.c_void_p, ctypes.c_int64, ctypes.c_char


class Decode(ctypes.Structure):
    """`DecodeRequest` of the core. Mutable: the core fills in `used` and `tiles`."""

    _fields_ = (
        ("buffer", _Pointer),
        ("buffer_bytes", _Number),
        ("row_starts", _Pointer),
        ("row_stops", _Pointer),
        ("row_levels", _Pointer),
        ("row_starts_ms", _Pointer),
        ("entity_rows", _Pointer),
        ("entities", _Number),
        ("level_ms", _Pointer),
        ("level_back_ms", _Pointer),
        ("levels", _Number),
        ("finest", _Number),
        ("slot_by_id", _Pointer),
        ("line_by_id", _Pointer),
        ("counter_ids", _Number),
        ("feature_ids", _Number),
        ("additive", _Number),
        ("slots", _Number),
        ("numbers", _Pointer),
        ("row_slots", _Pointer),
        ("room", _Number),
        ("arena", _Pointer),
        ("arena_bytes", _Number),
        ("head_starts", _Pointer),
        ("head_stops", _Pointer),
        ("closed_starts", _Pointer),
        ("closed_stops", _Pointer),
        ("newest_ms", _Pointer),
        ("used", _Number),
        ("tiles", _Number),
    )


class Add(ctypes.Structure):
    """`AddRequest` of the core. Mutable: its scratch and outputs are."""

    _fields_ = (
        ("arena", _Pointer),
        ("arena_bytes", _Number),
        ("head_starts", _Pointer),
        ("head_stops", _Pointer),
        ("closed_starts", _Pointer),
        ("closed_stops", _Pointer),
        ("newest_ms", _Pointer),
        ("entities", _Number),
        ("level_ms", _Pointer),
        ("level_back_ms", _Pointer),
        ("levels", _Number),
        ("additive", _Number),
        ("slots", _Number),
        ("smallest", _Pointer),
        ("keys", _Pointer),
        ("key_windows", _Pointer),
        ("windows_of", _Pointer),
        ("key_count", _Number),
        ("windows", _Number),
        ("lifetime_level", _Number),
        ("lifetime_windows", _Pointer),
        ("lifetime_count", _Number),
        ("table", _Pointer),
        ("table_bits", _Number),
        ("sums", _Pointer),
        ("seen", _Pointer),
        ("out_windows", _Pointer),
        ("out_slots", _Pointer),
        ("outs", _Number),
        ("out", _Pointer),
        ("present", _Pointer),
    )


class Find(ctypes.Structure):
    """`FindRequest` of the core. Mutable: its outputs are."""

    _fields_ = (
        ("line", _Number),
        ("window", _Number),
        ("entities", _Pointer),
        ("starts", _Pointer),
        ("stops", _Pointer),
        ("room", _Number),
    )


class Census(ctypes.Structure):
    """`CensusRequest` of the core. Mutable: its outputs are."""

    _fields_ = (("slot", _Number), ("head", _Pointer), ("closed", _Pointer))


_REQUESTS = (Decode, Add, Find, Census)


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The functions of the core; arguments by `ctypes.byref`, outcomes as in `native/tiles.c`."""

    decode: Callable[[Any], int]
    add: Callable[[Any], int]
    find: Callable[[Any, Any], int]
    census: Callable[[Any, Any], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The core, or why there is none."""

    core: Core | None
    why_not: str = ""


@cache
def loaded() -> Loaded:
    """Load the core once per process; without one, say so in the log, at INFO."""
    found = load(library_path())
    if found.core is None:
        _log.info("serving computes with numpy, correctly but slower: %s", found.why_not)
    return found


def core() -> Core | None:
    """Return the core, None where there is none."""
    return loaded().core


def library_path() -> Path:
    """Return where the library of this machine should be; in a clone `make setup` builds it."""
    return (CLONE / "native" / "target" if CLONE else SHIPPED / "native") / LIBRARY


def load(path: Path) -> Loaded:
    """Load a library. One that is missing, foreign or of another build is no error."""
    if not path.is_file():
        return Loaded(core=None, why_not=f"this build has no {path.name}")
    try:
        library = ctypes.CDLL(str(path))
        found = (library.fp_interface(), library.fp_request_bytes())
    except (OSError, AttributeError) as error:
        return Loaded(core=None, why_not=f"{path} cannot be used: {error}")
    wanted = (INTERFACE, sum(ctypes.sizeof(request) for request in _REQUESTS))
    if found != wanted:
        why = f"{path} is of another build, {found} instead of {wanted}; run `make setup`"
        return Loaded(core=None, why_not=why)
    functions = (library.fp_decode, library.fp_add, library.fp_find, library.fp_census)
    for function in functions:
        function.restype = _Number
    return Loaded(
        core=Core(**dict(zip(("decode", "add", "find", "census"), functions, strict=True)))
    )


def address(array: NDArray[Any]) -> int:
    """Return where an array's memory is; the caller keeps the array until the call has ended."""
    try:  # three times as fast as numpy's own way
        return ctypes.addressof(_Byte.from_buffer(array.data))
    except (TypeError, ValueError):  # nobody may write into it, or it is empty
        return array.ctypes.data


def content_address(content: bytes) -> int:
    """Return where the bytes of an object are; the caller keeps it until the call has ended."""
    return id(content) + _CONTENT_AT


def _content_at() -> int:
    """Return how far behind an object's identity its bytes begin: in CPython that is an address."""
    locate = ctypes.pythonapi.PyBytes_AsString
    locate.argtypes, locate.restype = (ctypes.py_object,), _Pointer
    probe = b"where are the bytes?"
    return int(locate(probe)) - id(probe)


_CONTENT_AT = _content_at()
