"""Says of each record of an entity what became of it: counted, by which features, or why not. Pure.

The reading is the reference's (`testing.reference`), which shares no code with the kernel.
"""

import json
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from feature_platform.clock import to_iso
from feature_platform.debug.records import FoundRecord
from feature_platform.definition.model import FeatureSet, Source
from feature_platform.plan.job_history import HISTORY_PARTITION
from feature_platform.store.base import TileKey
from feature_platform.testing.reference import ExpectedTile, Oracle
from feature_platform.testing.reference_events import (
    LAST_TIME_MS,
    TICKS_PER_SECOND,
    Accepted,
    DeadLetter,
    RawEvent,
    judge,
)
from feature_platform.tiles.grid import format_duration
from feature_platform.tiles.layout import Layout
from feature_platform.words import hours

Outcome = Literal["counted", "left out by WHERE", "dead letter", "other side"]
"""`other side`: of the seam between history and topic."""
UNIT_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
NEAR_MS = 30 * 86_400_000
"""An event time this near to the broker's time is taken for a right one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAccount:
    """What became of one record."""

    record: FoundRecord
    outcome: Outcome
    reason: str = ""
    """Of a dead letter."""
    row: Accepted | None = None
    """What is aggregated."""
    hint: str = ""
    """What may be wrong with the event, in words."""

    @property
    def place(self) -> str:
        """Partition and offset."""
        event = self.record.event
        part = "history" if event.partition == HISTORY_PARTITION else str(event.partition)
        return f"{part}/{event.offset}"

    @property
    def time_ms(self) -> int:
        """The event time, or the broker's where there is none."""
        return self.row.time_ms if self.row else self.record.event.timestamp_ms


@dataclass(frozen=True, kw_only=True)
class Account:
    """What became of all records of an entity."""

    entity: str
    oracle: Oracle
    """Holds the rows of all events that count."""
    events: Sequence[EventAccount]
    """In the order of their times."""
    outcomes: Counter[str] = field(default_factory=Counter)

    @cached_property
    def counted(self) -> list[EventAccount]:
        """Those that count."""
        return [each for each in self.events if each.outcome == "counted"]

    def counted_within(self, start_ms: int, end_ms: int) -> list[EventAccount]:
        """Return those that count and whose times are in `[start, end)`."""
        times = self._counted_times
        return self.counted[bisect_left(times, start_ms) : bisect_left(times, end_ms)]

    @cached_property
    def _counted_times(self) -> list[int]:
        return [each.time_ms for each in self.counted]

    @cached_property
    def dead(self) -> list[EventAccount]:
        """Those that are dead letters."""
        return [each for each in self.events if each.outcome == "dead letter"]

    @cached_property
    def tiles(self) -> dict[TileKey, ExpectedTile]:
        """What the store must hold of them: worked out once for all places."""
        made = self.oracle.entity(self.entity)
        return {(tile.level, tile.start_ms): tile for tile in made.tiles} if made else {}

    @property
    def payloads(self) -> dict[TileKey, bytes]:
        """The same, encoded."""
        return {key: tile.payload for key, tile in self.tiles.items()}


def account(
    featureset: FeatureSet, layout: Layout, entity: str, records: Iterable[FoundRecord]
) -> Account:
    """Judge records; those of other entities are left out.

    Args:
        featureset: The definition that is deployed.
        layout: Grid and ids as deployed.
        entity: The key as the store has it.
        records: That may be the entity's.
    """
    oracle = Oracle(featureset, layout)
    events: list[EventAccount] = []
    for record in records:
        found = _judged(oracle, featureset, entity, record)
        if found is None:
            continue
        if found.outcome == "counted" and found.row:
            oracle.add_row(found.row)
        events.append(found)
    events.sort(key=lambda each: (each.time_ms, each.place))
    return Account(
        entity=entity,
        oracle=oracle,
        events=events,
        outcomes=Counter(each.outcome for each in events),
    )


def by_partition(positions: Mapping[str, int]) -> dict[int, int]:
    """Return positions by partition that a cut has by "topic/partition"."""
    return {int(name.rpartition("/")[2]): at for name, at in positions.items()}


def until(whole: Account, positions: Mapping[int, int]) -> Account:
    """Return the account of the events below some offsets alone, by partition."""
    return _only(
        whole,
        [
            each
            for each in whole.events
            if each.record.event.partition == HISTORY_PARTITION
            or each.record.event.offset < positions.get(each.record.event.partition, 0)
        ],
    )


def first_of(whole: Account, number: int) -> Account:
    """Return the account of the first events alone, in the order in which the broker took them."""
    came = sorted(whole.events, key=lambda each: each.record.event.timestamp_ms)
    kept = {id(each) for each in came[:number]}
    return _only(whole, [each for each in whole.events if id(each) in kept])


def _only(whole: Account, kept: Sequence[EventAccount]) -> Account:
    if len(kept) == len(whole.events):
        return whole
    rows = (each.row for each in kept if each.outcome == "counted" and each.row)
    return Account(
        entity=whole.entity,
        oracle=whole.oracle.only(rows),
        events=kept,
        outcomes=Counter(each.outcome for each in kept),
    )


def _judged(
    oracle: Oracle, featureset: FeatureSet, entity: str, record: FoundRecord
) -> EventAccount | None:
    """Return what became of a record; None if it is another entity's."""
    event, column, source = record.event, featureset.entity, featureset.source
    found = oracle.read(event)
    if isinstance(found, Accepted):
        if str(found.columns[column]) != entity:
            return None
        side: Outcome = "counted" if _is_on_its_side(source, found) else "other side"
        hint = _unit_hint(source, event.value, event.timestamp_ms, found.time_ms)
        return EventAccount(record=record, outcome=side, row=found, hint=hint)
    if not _names(event.value, column, entity):
        return None
    if found is None:
        return EventAccount(record=record, outcome="left out by WHERE")
    assert isinstance(found, DeadLetter)  # noqa: S101 (there is no third)
    hint = _unit_hint(source, event.value, event.timestamp_ms, None)
    if not hint and found.reason == "event_time_too_old":
        hint = _age_hint(featureset, event)
    return EventAccount(record=record, outcome="dead letter", reason=found.reason, hint=hint)


def _age_hint(featureset: FeatureSet, event: RawEvent) -> str:
    """Say by how much an event is older than its source takes."""
    source = replace(featureset.source, columns=featureset.reads, max_past_ms=LAST_TIME_MS)
    read = judge(source, featureset.entity, event)
    if not isinstance(read, Accepted):
        return ""
    age_ms, most_ms = event.timestamp_ms - read.time_ms, featureset.source.max_past_ms
    return (
        f"its time is {to_iso(read.time_ms)}, {hours(age_ms)} before the broker took it; "
        f"max_past of source {featureset.source.name} is {format_duration(most_ms)}: too old by "
        f"{hours(age_ms - most_ms)}"
    )


def _is_on_its_side(source: Source, row: Accepted) -> bool:
    """Do what the kernel's `SourceSchema.counts` does."""
    since_ms = source.history.until_ms if source.history else None
    is_history = row.partition == HISTORY_PARTITION
    return is_history == (since_ms is not None and row.time_ms < since_ms)


def _names(value: bytes | None, column: str, entity: str) -> bool:
    """Return whether a refused record is of an entity, as far as that can be known."""
    text = (value or b"").decode("utf-8", "replace")
    data = _object(text)
    if data is not None:
        return _spelled(data.get(column)) == entity
    field = rf'"{re.escape(column)}"\s*:\s*"?{re.escape(entity)}(?![0-9A-Za-z_])'
    return re.search(field, text) is not None


def _object(text: str) -> dict[str, Any] | None:
    try:
        data = json.loads(text[text.find("{") :], parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _spelled(value: object) -> str:
    """Return a key as the store has it, of a number with a point, too: however long it is."""
    text = str(value)
    whole = text.partition(".")[0] if re.fullmatch(r"-?[0-9]+\.0+", text) else text
    return "0" if whole == "-0" else whole


def _unit_hint(source: Source, value: bytes | None, timestamp_ms: int, time_ms: int | None) -> str:
    """Say in which other unit an event's time would be near the broker's; empty if it is near."""
    if time_ms is not None and abs(time_ms - timestamp_ms) <= NEAR_MS:
        return ""
    data = _object((value or b"").decode("utf-8", "replace")) or {}
    text = str(data.get(source.event_time))
    if not re.fullmatch(r"[0-9]{1,20}", text):
        return ""
    for unit, ticks in TICKS_PER_SECOND.items():
        meant_ms = int(text) * 1000 // ticks
        if unit != source.event_time_unit and abs(meant_ms - timestamp_ms) <= NEAR_MS:
            return (
                f"{source.event_time} is {text}: in {UNIT_NAMES[unit]} that is {to_iso(meant_ms)}, "
                f"when the broker took it; source {source.name} reads it in "
                f"{UNIT_NAMES[source.event_time_unit]}"
            )
    return ""
