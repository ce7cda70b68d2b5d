"""Recomputes every served number from the raw events in the broker, in processes of its own."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from feature_platform.broker.topics import TopicClient
from feature_platform.definition.model import FeatureSet
from feature_platform.registry.base import Positions
from feature_platform.rows.partials import Value
from feature_platform.settings import KafkaSettings
from feature_platform.testing.reference import Oracle
from feature_platform.testing.reference_events import RawEvent
from feature_platform.tiles.layout import Layout

PROCESSES = 2
EVENTS_MAX = 10_000_000

Values = Mapping[str, Mapping[str, Value]]
"""For each entity its values by served name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to recompute of one feature set."""

    featureset: FeatureSet
    layout: Layout
    now_ms: int
    since: Mapping[str, Positions]
    """Features that count only from some positions on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What one feature set must serve."""

    values: Values
    dead_letters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The served values of one feature set beside the recomputed ones."""

    featureset: str
    entities: int
    values: int
    wrong: tuple[str, ...]
    """One line for each value that differs."""
    dead_letters: tuple[int, int]
    """As counted in the topic of dead letters, and as recomputed."""

    @property
    def is_right(self) -> bool:
        """Return whether everything agrees."""
        return not self.wrong and self.dead_letters[0] == self.dead_letters[1] and self.values > 0


def recount_all(kafka: KafkaSettings, tasks: Sequence[Task]) -> Iterator[Expected]:
    """Recompute feature sets in parallel; yields in the order of the tasks.

    Raises:
        BrokerUnavailableError: The events cannot be read.
    """
    with get_context("spawn").Pool(PROCESSES, initializer=_leave_interrupts_alone) as pool:
        yield from pool.imap(partial(recount, kafka), tasks)


def recount(kafka: KafkaSettings, task: Task) -> Expected:
    """Compute what a feature set must serve for every entity there is."""
    featureset = task.featureset
    events = list(_events(kafka, featureset.source.topic))
    whole = Oracle(featureset, task.layout, events)
    values = {entity: whole.served(entity, task.now_ms) for entity in whole.entities}
    names = {feature.name: feature.served_names for feature in featureset.features}
    for feature, positions in task.since.items():
        later = [event for event in events if _is_at_or_after(featureset, event, positions)]
        part = Oracle(featureset, task.layout, later)
        for entity in values:
            served = part.served(entity, task.now_ms)
            values[entity] |= {name: served[name] for name in names[feature]}
    return Expected(values=values, dead_letters=len(whole.dead_letters))


def compare(featureset: str, expected: Expected, served: Values, dead_letters: int) -> Comparison:
    """Compare what is served with what must be."""
    wrong = [
        f"{featureset}.{name} of {entity}: served {values.get(name)!r}, recomputed {value!r}"
        for entity, wanted in expected.values.items()
        for values in (served.get(entity, {}),)
        for name, value in wanted.items()
        if name not in values or values[name] != value
    ]
    return Comparison(
        featureset=featureset,
        entities=len(expected.values),
        values=sum(map(len, expected.values.values())),
        wrong=tuple(wrong),
        dead_letters=(dead_letters, expected.dead_letters),
    )


def _events(kafka: KafkaSettings, topic: str) -> list[RawEvent]:
    return [
        RawEvent(
            value=message.value(),
            partition=message.partition() or 0,
            offset=message.offset() or 0,
            timestamp_ms=message.timestamp()[1],
        )
        for message in TopicClient(kafka).messages(topic, EVENTS_MAX)
    ]


def _is_at_or_after(featureset: FeatureSet, event: RawEvent, positions: Positions) -> bool:
    return event.offset >= positions.get(f"{featureset.source.topic}/{event.partition}", 0)


def _leave_interrupts_alone() -> None:
    """Let Ctrl-C reach the parent alone, which ends its helpers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
