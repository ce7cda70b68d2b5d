"""The protobuf wire format, read for many messages at once with numpy. Hot path.

A *span* is a half-open piece `[start, stop)` of one joined buffer; arrays of starts and stops are
many of them. Whatever the bytes are, the outcome is a value or `CorruptRowError`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_platform.errors import CorruptRowError

Ints = NDArray[np.int64]
UInts = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
VARINT_BYTES_MAX = 10
PADDING = bytes(VARINT_BYTES_MAX)
_KNOWN = np.array([number in (VARINT, FIXED64, LENGTH, FIXED32) for number in range(8)])
_CONTINUES = 0x80
_PAYLOAD = 0x7F
_NARROW_BYTES_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Pieces of a buffer, one for each message (or for each value of one field)."""

    starts: Ints
    stops: Ints

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.starts)

    def __getitem__(self, chosen: NDArray[Any]) -> "Spans":
        """Return the chosen ones, by mask or by index."""
        return Spans(starts=self.starts[chosen], stops=self.stops[chosen])


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFields:
    """All fields of many messages, flat; message by message, in the order of the wire."""

    messages: Ints
    """Index of the message a field belongs to; ascending."""
    numbers: Ints
    wire_types: Ints
    spans: Spans
    """Where the content is; of a varint, the varint's own bytes."""
    varints: UInts
    """Value of a varint field; the length of a length-delimited one."""

    def select(self, number: int, wire_type: int, what: str) -> tuple[Ints, Spans, UInts]:
        """Return messages, spans and varints of a field number, which must have this wire type."""
        mask = self.numbers == number
        check(mask & (self.wire_types != wire_type), self.messages, f"{what} has a wrong wire type")
        return self.messages[mask], self.spans[mask], self.varints[mask]


def check(bad: Mask, messages: Ints, problem: str) -> None:
    """Refuse the batch if any entry is bad.

    Raises:
        CorruptRowError: Names the first bad message and the problem.
    """
    if bad.any():
        msg = f"row {int(messages[int(bad.argmax())])} of the batch: {problem}"
        raise CorruptRowError(msg)


def join(payloads: list[bytes]) -> tuple[Bytes, Spans]:
    """Join payloads into one buffer, padded so that a varint may be read anywhere in it."""
    lengths = np.fromiter(map(len, payloads), dtype=np.int64, count=len(payloads))
    stops = np.cumsum(lengths)
    buffer = np.frombuffer(b"".join([*payloads, PADDING]), dtype=np.uint8)
    return buffer, Spans(starts=stops - lengths, stops=stops)


def read_varints(buffer: Bytes, spans: Spans, messages: Ints) -> tuple[UInts, Ints]:
    """Read the varint at each span's start; return values and the positions behind them."""
    octets = buffer[spans.starts]
    values = (octets & _PAYLOAD).astype(np.uint64)
    ends = spans.starts + 1
    longer = np.flatnonzero(octets & _CONTINUES)
    for place in range(1, VARINT_BYTES_MAX):
        if not len(longer):
            break
        octets = buffer[np.minimum(ends[longer], len(buffer) - 1)]
        values[longer] |= (octets & _PAYLOAD).astype(np.uint64) << np.uint64(7 * place)
        ends[longer] += 1
        longer = longer[(octets & _CONTINUES) != 0]
    check(ends > spans.stops, messages, "ends inside a number")
    check(longer >= 0, messages[longer], "a number is longer than 10 bytes")
    return values, ends


def read_fields(buffer: Bytes, spans: Spans, what: str) -> WireFields:
    """Split messages into their fields; one round for all messages' next field at a time."""
    positions = spans.starts.copy()
    active = np.flatnonzero(positions < spans.stops)
    rounds: list[tuple[Ints, UInts, Ints, Ints, UInts]] = []
    while len(active):
        stops = spans.stops[active]
        tags, begins = read_varints(buffer, Spans(starts=positions[active], stops=stops), active)
        wire_types = (tags & np.uint64(7)).astype(np.int64)
        begins, ends, varints = _contents(buffer, active, wire_types, begins, stops, what)
        rounds.append((active, tags, begins, ends, varints))
        positions[active] = ends
        active = active[ends < stops]
    return _gather(rounds, what)


def _contents(
    buffer: Bytes, active: Ints, wire_types: Ints, begins: Ints, stops: Ints, what: str
) -> tuple[Ints, Ints, UInts]:
    check(~_KNOWN[wire_types], active, f"{what} has a field of an unknown wire type")
    varints = np.zeros(len(active), dtype=np.uint64)
    ends = begins + np.where(wire_types == FIXED64, 8, 4)
    numeric = np.flatnonzero((wire_types == VARINT) | (wire_types == LENGTH))
    if len(numeric):
        heads = Spans(starts=begins[numeric], stops=stops[numeric])
        values, after = read_varints(buffer, heads, active[numeric])
        varints[numeric] = values
        delimited = wire_types[numeric] == LENGTH
        room = (stops[numeric] - after).astype(np.uint64)
        check(delimited & (values > room), active[numeric], f"{what} is cut off")
        begins = begins.copy()
        begins[numeric] = np.where(delimited, after, begins[numeric])
        ends[numeric] = after + np.where(delimited, values, 0).astype(np.int64)
    check(ends > stops, active, f"{what} is cut off")
    return begins, ends, varints


def _gather(rounds: list[tuple[Ints, UInts, Ints, Ints, UInts]], what: str) -> WireFields:
    if not rounds:
        none = np.zeros(0, dtype=np.int64)
        return WireFields(
            messages=none,
            numbers=none,
            wire_types=none,
            spans=Spans(starts=none, stops=none),
            varints=none.astype(np.uint64),
        )
    messages = np.concatenate([entry[0] for entry in rounds])
    order = np.argsort(messages, kind="stable")
    messages = messages[order]
    tags = np.concatenate([entry[1] for entry in rounds])[order]
    check((tags >> np.uint64(3)) == 0, messages, f"{what} has a field of number 0")
    check(tags > np.uint64(0xFFFFFFFF), messages, f"{what} has a field number out of range")
    return WireFields(
        messages=messages,
        numbers=(tags >> np.uint64(3)).astype(np.int64),
        wire_types=(tags & np.uint64(7)).astype(np.int64),
        spans=Spans(
            starts=np.concatenate([entry[2] for entry in rounds])[order],
            stops=np.concatenate([entry[3] for entry in rounds])[order],
        ),
        varints=np.concatenate([entry[4] for entry in rounds])[order],
    )


def read_packed(
    buffer: Bytes, spans: Spans, messages: Ints, what: str
) -> tuple[NDArray[np.unsignedinteger[Any]], Ints]:
    """Read packed varints; return them flat, as narrow as they fit, and how many each span has."""
    octets = _joined(buffer, spans)
    lengths = spans.stops - spans.starts
    if not len(octets):
        return octets, lengths
    last = np.cumsum(lengths)
    final = octets < _CONTINUES
    check(~final[last - 1] & (lengths > 0), messages, f"{what} end inside a number")
    ends = np.flatnonzero(final)
    if len(ends) == len(octets):
        return octets, lengths
    counts = np.diff(np.searchsorted(ends, last, side="left"), prepend=0)
    positions = np.empty_like(ends)
    positions[0] = 0
    np.add(ends[:-1], 1, out=positions[1:])
    piece = octets[positions]
    longer = np.flatnonzero(piece >= _CONTINUES)
    positions = positions[longer]
    values: NDArray[np.unsignedinteger[Any]] = (piece & _PAYLOAD).astype(np.uint32)
    for place in range(1, VARINT_BYTES_MAX):
        if not len(longer):
            return values, counts
        if place == _NARROW_BYTES_MAX:
            values = values.astype(np.uint64)
        positions += 1
        piece = octets[positions]
        values[longer] |= (piece & _PAYLOAD).astype(values.dtype) << values.dtype.type(7 * place)
        more = np.flatnonzero(piece >= _CONTINUES)
        longer, positions = longer[more], positions[more]
    check(longer >= 0, np.repeat(messages, counts)[longer], f"{what} hold a number too long")
    return values, counts


def _joined(buffer: Bytes, spans: Spans) -> Bytes:
    """Copy the spans together; slices of bytes cost a third of what index arithmetic does."""
    whole = buffer.tobytes()
    pieces = [
        whole[start:stop]
        for start, stop in zip(spans.starts.tolist(), spans.stops.tolist(), strict=True)
    ]
    return np.frombuffer(b"".join(pieces), dtype=np.uint8)


def zigzag(values: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.signedinteger[Any]]:
    """Turn sint64 on the wire into the number it stands for, as narrow as it was read."""
    one = values.dtype.type(1)
    signed = np.dtype(f"i{values.dtype.itemsize}")
    numbers = (values >> one).view(signed)
    signs = (values & one).view(signed)
    np.negative(signs, out=signs)
    numbers ^= signs
    return numbers
