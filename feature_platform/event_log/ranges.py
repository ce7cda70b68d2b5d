"""Which offsets are archived next, and which are gone. Pure."""

from collections.abc import Mapping

from feature_platform.errors import EventLogError, OffsetsGoneError
from feature_platform.event_log.commits import Log, Span

Bounds = Mapping[int, Span]
"""First kept offset and end of each partition of a topic."""

_BEGIN_ANEW = "To begin a new log, move the log folder of this source away"


def check_topic(name: str, topic: str, positions: Mapping[int, int], bounds: Bounds) -> None:
    """Refuse a topic that cannot be the one that was archived.

    Raises:
        EventLogError: There is no such topic, or it ends before what was archived.
    """
    if not bounds:
        msg = (
            f"source {name}: topic {topic} does not exist in Kafka; send an event (fp produce "
            f"{name}), or correct `topic` in the source"
        )
        raise EventLogError(msg)
    for part, position in sorted(positions.items()):
        end = bounds[part][1] if part in bounds else 0
        if position > end:
            msg = (
                f"source {name}: the event log has offsets of {topic}/{part} up to {position}, but "
                f"Kafka ends at {end}: the topic was deleted and recreated. {_BEGIN_ANEW}"
            )
            raise EventLogError(msg)


def check_same(name: str, topic: str, archived: str, present: str) -> None:
    """Refuse a topic with another id than the archived one, wherever it ends by now.

    Raises:
        EventLogError: It has; says both. An id that is not known is no other.
    """
    if archived and present and archived != present:
        msg = (
            f"source {name}: the event log belongs to topic {topic} with id {archived}, but the id "
            f"is now {present}: the topic was deleted and recreated. {_BEGIN_ANEW}"
        )
        raise EventLogError(msg)


def misplaced(name: str, topic: str, root: str) -> str:
    """Say that a log lies in the folder of its source, not of its topic, and what to do."""
    return (
        f"source {name}: {root} is an event log in the old layout, without a folder per topic: "
        f"move its commits, data and staging to {root}/{topic}, or to {root}/<topic> if they "
        "belong to another topic. If that folder already has a log, keep the one that begins "
        "first and move the other away"
    )


def gone(positions: Mapping[int, int], bounds: Bounds) -> dict[int, Span]:
    """Return what is to be archived next and is not in Kafka any more.

    A partition begins at offset 0, whenever its archiving does.
    """
    return {
        part: (positions.get(part, 0), low)
        for part, (low, _) in sorted(bounds.items())
        if positions.get(part, 0) < low
    }


def check_kept(name: str, topic: str, missing: Mapping[int, Span]) -> None:
    """Refuse to continue if offsets are gone.

    Raises:
        OffsetsGoneError: Some are; the message names them and says what may be done.
    """
    if missing:
        msg = (
            f"source {name}: neither the event log nor Kafka has the offsets "
            f"{spans(topic, missing)}; Kafka's retention has deleted them. If you have them "
            "elsewhere, restore them first. To skip them permanently, so that everything computed "
            f"from the log starts after them: fp archive {name} --accept-gap"
        )
        raise OffsetsGoneError(msg)


def next_spans(
    positions: Mapping[int, int], bounds: Bounds, ends: Mapping[int, int], records_max: int
) -> dict[int, Span]:
    """Return the next offsets to archive, up to a limit: of every partition its share."""
    left = {
        part: (max(positions.get(part, low), low), ends.get(part, 0))
        for part, (low, _) in bounds.items()
    }
    left = {part: span for part, span in sorted(left.items()) if span[0] < span[1]}
    total = sum(end - start for start, end in left.values())
    if total <= records_max:
        return left
    shares = {
        part: (start, start + (end - start) * records_max // total)
        for part, (start, end) in left.items()
    }
    found = {part: span for part, span in shares.items() if span[0] < span[1]}
    first = next(iter(left))
    return found or {first: (left[first][0], left[first][0] + 1)}


def tail(name: str, topic: str, log: Log, until: Mapping[int, int], bounds: Bounds) -> Bounds:
    """Return what a reader of all offsets below `until` must read from Kafka, beside the log.

    Raises:
        OffsetsGoneError: Neither has some offset, because retention has passed it, or because
            Kafka ends before it; the message says which.
    """
    missing: dict[int, Span] = {}
    beyond: dict[int, Span] = {}
    wanted: dict[int, Span] = {}
    for part, end in sorted(until.items()):
        low, high = bounds.get(part, (0, 0))
        start = log.positions.get(part, 0)
        if start < end:
            wanted[part] = (start, end)
            if start < low:
                missing[part] = (start, min(low, end))
            if end > high:
                beyond[part] = (max(start, high), end)
    check_kept(name, topic, missing)
    _check_reached(name, topic, beyond)
    return wanted


def _check_reached(name: str, topic: str, beyond: Mapping[int, Span]) -> None:
    if beyond:
        msg = (
            f"source {name}: Kafka ends before the offsets {spans(topic, beyond)}, which were read "
            "from it earlier: the topic was truncated or recreated, or this is another broker. "
            "Correct [kafka] in feature_platform.toml. If events are lost, feature sets that "
            "counted them must start over: fp delete, then fp apply"
        )
        raise OffsetsGoneError(msg)


def spans(topic: str, ranges: Mapping[int, Span]) -> str:
    """Write offsets for a person."""
    return ", ".join(
        f"{topic}/{part}: {start} to {end - 1}" for part, (start, end) in sorted(ranges.items())
    )
