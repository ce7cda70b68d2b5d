"""What a service with a cache answers, beside what the events say: how old is it, and may it be."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from feature_platform.clock import to_iso
from feature_platform.debug.account import Account, EventAccount, by_partition, first_of, until
from feature_platform.debug.report import Link, State
from feature_platform.debug.states import is_between, one_way_names, states_between, states_max
from feature_platform.plan.job_history import HISTORY_PARTITION
from feature_platform.registry.base import Cut
from feature_platform.testing.reference_events import LAST_TIME_MS, RawEvent
from feature_platform.words import counted, span

STATES_MAX = 500
"""How many earlier states of the entity an answer is compared with, newest first."""
CUTS_MAX = 1_000
"""How many cuts are looked at for the one that first held an event."""

_OTHER_SETTINGS = (
    "the service runs with another max_staleness_ms than this project's: restart it with the "
    "project's settings"
)

Values = Mapping[str, Any]
ValuesOf = Callable[[Account], Values]
"""Recomputes what is to be served, for the instant of the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a service has answered about the entity."""

    address: str
    values: Values
    """By served name."""
    age_ms: int | None
    """How long ago it says to have read the rows; None: it keeps nothing."""
    asked_ms: int
    left_out: tuple[str, ...] = ()
    """Names of values that the events alone do not say."""

    def without(self, names: Collection[str]) -> "Answer":
        """Return it without values that the events alone do not say."""
        left_out = tuple(name for name in self.values if name in names)
        kept = {name: value for name, value in self.values.items() if name not in names}
        return replace(self, values=kept, left_out=left_out)

    @property
    def told_age(self) -> str:
        """Say how old it claims to be."""
        if self.age_ms is None:
            return "it keeps nothing"
        return f"it says that it has read the rows {span(self.age_ms)} before"


def service_link(
    answer: Answer | str,
    whole: Account,
    values_of: ValuesOf,
    cuts: Iterable[Cut],
    bound_ms: int,
) -> Link:
    """Judge an answer.

    Args:
        answer: What was answered; a text: why nothing was.
        whole: All events of the entity.
        values_of: Recomputes what is served for the instant of the answer.
        cuts: Complete cuts, newest first.
        bound_ms: How old an answer may be, `service.max_staleness_ms`.
    """
    if isinstance(answer, str):
        return Link(place="service", state="unknown", summary=answer)
    different = _different(answer, values_of(whole))
    if not different:
        number = counted(len(answer.values), "value")
        summary = f"{answer.address} answers {number} as the events say; {answer.told_age}"
        if answer.left_out:
            names = ", ".join(answer.left_out)
            summary += f"; not judged, for they hold what an earlier definition counted: {names}"
        state: State = "fine" if answer.values else "note"
        return Link(place="service", state=state, summary=summary)
    states, are_all = _states(whole)
    known = next((each for each in states if not _different(answer, values_of(each))), None)
    if known is None:
        is_foreign = are_all or not _may_be(answer, whole, values_of)
        return _of_no_state(answer, different, bound_ms, is_foreign=is_foreign)
    return _older(answer, different, _missing(whole, known), list(_first(cuts)), bound_ms)


def _of_no_state(
    answer: Answer, different: Sequence[str], bound_ms: int, *, is_foreign: bool
) -> Link:
    """Say of an answer that no state that was compared gives whether it is wrong."""
    said, details = f"{answer.address} answers {different[0]}", tuple(different[1:])
    if is_foreign:
        return Link(
            place="service",
            state="wrong",
            summary=f"{said}; no state that its events had before gives this",
            details=details,
            next_step="see whether the service reads this store and keyspace, and this deployment",
        )
    if answer.age_ms is not None and answer.age_ms > bound_ms:
        return Link(
            place="service",
            state="wrong",
            summary=f"{said}; {answer.told_age}, and service.max_staleness_ms of this project is "
            f"{bound_ms:,}",
            details=details,
            next_step=_OTHER_SETTINGS,
        )
    return Link(
        place="service",
        state="unknown",
        summary=f"{said}; not judged, because its events had more states than are compared; "
        f"{answer.told_age}",
        details=details,
        next_step=f"ask again after {span(bound_ms)} without new events: then the service must "
        "answer as the events say",
    )


def _older(
    answer: Answer,
    different: Sequence[str],
    missing: Sequence[EventAccount],
    cuts: Sequence[Cut],
    bound_ms: int,
) -> Link:
    """Say how old an answer is that lacks events, and whether it may be so old."""
    first = missing[0]
    lacks = (
        f"it lacks {counted(len(missing), 'event')}, the first of them {first.place} of "
        f"{to_iso(first.time_ms)}"
    )
    held_ms = _held_since_ms(first, cuts)
    if held_ms is None:
        summary = f"{answer.address} answers {different[0]}: {lacks}, not yet in a cut"
        return Link(place="service", state="note", summary=summary, details=tuple(different[1:]))
    old_ms = answer.asked_ms - held_ms
    summary = (
        f"{answer.address} answers {different[0]}: {lacks}, which is in the rows since "
        f"{to_iso(held_ms)} at the latest: the answer is at least {span(old_ms)} old"
    )
    details = (
        f"{answer.told_age}; service.max_staleness_ms of this project is {bound_ms:,}",
        *different[1:],
    )
    if old_ms <= bound_ms:
        return Link(place="service", state="note", summary=summary, details=details)
    admits = answer.age_ms is not None and answer.age_ms > bound_ms
    return Link(
        place="service",
        state="wrong",
        summary=summary,
        details=details,
        next_step=(
            _OTHER_SETTINGS
            if admits
            else "the service says that it is younger than it is: restart it, which empties its "
            "cache; service.max_staleness_ms = 0 keeps nothing"
        ),
    )


def _different(answer: Answer, expected: Values) -> list[str]:
    return [
        f"{name} as {value}, its events say {expected[name]}"
        for name, value in answer.values.items()
        if value != expected[name]
    ]


def _states(whole: Account) -> tuple[Iterator[Account], bool]:
    """Return earlier states of the entity's events, the newest first, and whether these are all."""
    most, events = states_max(whole, STATES_MAX), [each.record.event for each in whole.events]
    later = [event for event in events if event.partition != HISTORY_PARTITION]
    ends = states_between({}, later, most)
    if ends is not None:
        ordered = sorted(ends, key=lambda each: _since_ms(later, each), reverse=True)
        return (until(whole, each) for each in ordered), True
    total = len(events)
    numbers = range(total - 1, max(-1, total - 1 - most), -1)
    return (first_of(whole, number) for number in numbers), False


def _since_ms(events: Iterable[RawEvent], ends: Mapping[int, int]) -> int:
    """Return when the first event came that a state lacks; of the whole, after all of them."""
    lacking = (each for each in events if each.offset >= ends.get(each.partition, 0))
    return min((each.timestamp_ms for each in lacking), default=LAST_TIME_MS)


def _may_be(answer: Answer, whole: Account, values_of: ValuesOf) -> bool:
    """Return whether a state that was not compared may give an answer."""
    none, full, one_way = values_of(first_of(whole, 0)), values_of(whole), one_way_names(whole)
    return all(
        is_between(none[name], value, full[name])
        for name, value in answer.values.items()
        if name in one_way
    )


def _missing(whole: Account, known: Account) -> list[EventAccount]:
    """Return the events that count and that a state lacks, in the order in which they came."""
    kept = {id(each) for each in known.events}
    missing = [each for each in whole.counted if id(each) not in kept]
    return sorted(missing, key=lambda each: each.record.event.timestamp_ms)


def _first(cuts: Iterable[Cut]) -> Iterable[Cut]:
    for number, cut in enumerate(cuts):
        if number == CUTS_MAX:
            return
        yield cut


def _held_since_ms(event: EventAccount, cuts: Sequence[Cut]) -> int | None:
    """Return when the oldest known cut was recorded that holds an event; None if none does."""
    raw = event.record.event
    if raw.partition == HISTORY_PARTITION:
        return cuts[-1].recorded_ms if cuts else None
    held = [
        cut.recorded_ms
        for cut in cuts
        if by_partition(cut.positions).get(raw.partition, 0) > raw.offset
    ]
    return min(held, default=None)
