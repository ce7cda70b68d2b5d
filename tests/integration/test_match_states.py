"""What rows can have held, told by Spark: a cut and single events add up to the naive oracle."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from backfill.states import states
from feature_platform.engines.spark_facts import StatesTold
from feature_platform.engines.spark_request import StatesTask
from feature_platform.match.ask import EVENTS_MAX, asked_of_spark
from feature_platform.match.bounds import Bounds, Timeline, chain_of
from feature_platform.match.judge import Read
from feature_platform.match.states import Event, Told
from feature_platform.registry.base import Cut, Positions
from feature_platform.rows.partials import Value
from feature_platform.testing import Mix
from feature_platform.training.answers import feature_columns
from feature_platform.training.asked import AskedList, asked_list
from tests.integration.everything import EVERYTHING
from tests.integration.training_case import END_MS, HOUR_MS, NOBODY, Case, case
from tests.integration.training_judge import settings

pytestmark = pytest.mark.integration

MIX = Mix(count=3_000, entities=40, end_ms=END_MS, span_ms=6 * HOUR_MS, partitions=4, late=0.3)
SHARES = (0.3, 0.5, 0.7, 0.9)
"""How much of each partition the cuts hold."""


@dataclass(kw_only=True)
class Here:
    """Tells in this process's Spark, after the task has been through its JSON."""

    session: SparkSession
    log: Path

    def tell(self, task: StatesTask, again: str) -> StatesTold:
        """Answer the questions."""
        assert again == "fp check --match all"
        parsed = StatesTask.from_json(json.loads(json.dumps(task.to_json())))
        return states(self.session, str(self.log), parsed)


@pytest.fixture(scope="module", name="whole")
def _whole(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case(tmp_path_factory.mktemp("states"), "everything", EVERYTHING, seed=23, mix=MIX)


def cuts(of: Case) -> list[Positions]:
    """Return positions, each a share of every partition of the topic."""
    ends: dict[str, int] = {}
    for event in of.raw:
        place = f"{of.snapshot.topic}/{event.partition}"
        ends[place] = max(ends.get(place, 0), event.offset + 1)
    return [{name: round(end * share) for name, end in ends.items()} for share in SHARES]


def reads_of(of: Case, count: int, seed: int) -> list[Read]:
    """Draw rows that were read, between any two cuts, or none and one."""
    chance, chain = random.Random(seed), [{}, *cuts(of)]  # noqa: S311
    found = []
    for row in range(count):
        lower, upper = sorted(chance.sample(range(len(chain)), 2))
        instant_ms = END_MS - chance.randrange(4 * HOUR_MS)
        found.append(
            Read(
                row=row,
                entity=NOBODY if row == 0 else chance.choice(list(of.oracle.entities)),
                instant_ms=instant_ms,
                read_ms=instant_ms,
                bounds=Bounds(lower=chain[lower], upper=chain[upper], replays=False),
            )
        )
    return found


def told_of(
    spark: SparkSession, of: Case, reads: Sequence[Read], folder: Path
) -> tuple[AskedList, Told]:
    """Ask about rows."""
    asked = asked_list(of.everything, [of.snapshot])
    made = [
        Cut(attempt=1, checkpoint_id=number, recorded_ms=END_MS + number, positions=positions)
        for number, positions in enumerate(cuts(of), 1)
    ]
    teller = Here(session=spark, log=of.log)
    timeline = Timeline([], made)
    assert chain_of(timeline.positions) == [{}, *cuts(of)]
    (part,) = asked.parts
    _, told = asked_of_spark(settings(folder), part, reads, timeline, folder, teller, "all")
    return asked, told


def expected(of: Case, read: Read, held: set[tuple[int, int]]) -> dict[str, Value]:
    """Return what the oracle serves of an entity that has some of its events alone."""
    then, of.oracle.rows = of.oracle.rows, {}
    try:
        rows = then.get(read.entity, [])
        of.oracle.rows = {read.entity: [row for row in rows if (row.partition, row.offset) in held]}
        return of.oracle.served(read.entity, read.instant_ms, edge_ms=0)
    finally:
        of.oracle.rows = then


def test_cuts_and_events_add_up_to_the_oracle(
    spark: SparkSession, whole: Case, tmp_path: Path
) -> None:
    """Every aggregate, of rows that held a cut, all that may follow, and some of that."""
    reads, chance = reads_of(whole, 150, seed=4), random.Random(6)  # noqa: S311
    asked, told = told_of(spark, whole, reads, tmp_path)

    topic, checked, single = whole.snapshot.topic, 0, 0
    for read in reads:
        opened = told.rows[read.row]
        assert not opened.more
        own = whole.oracle.rows.get(read.entity, [])
        places = {(row.partition, row.offset) for row in own}
        lower = {
            (part, offset)
            for part, offset in places
            if offset < read.bounds.lower.get(f"{topic}/{part}", 0)
        }
        upper = {
            (part, offset)
            for part, offset in places
            if offset < read.bounds.upper[f"{topic}/{part}"]
        }
        listed = {(event.partition, event.offset) for event in opened.events}
        arrived = {place for place in places if whole.arrived_ms[place] <= read.instant_ms}
        assert listed == (upper | arrived) - lower
        some = [event for event in opened.events if chance.random() < 0.5]
        for events in ([], list(opened.events), some):
            held = lower | {(event.partition, event.offset) for event in events}
            wanted = expected(whole, read, held)
            found = values(asked, told, read, events)
            assert found == {name: wanted[name] for name in found}, (read, events)
            checked += len(found)
        single += len(opened.events)
    assert checked > 10_000
    assert single > 500


def values(asked: AskedList, told: Told, read: Read, events: Sequence[Event]) -> dict[str, object]:
    """Return the values of a state."""
    state = told.states([(told.rows[read.row], events)])
    columns = feature_columns(state, np.array([read.instant_ms]), asked.wishes)
    return {asked.of.features[at].column: columns[at].to_list()[0] for at in columns}


def test_events_of_a_row_are_bounded(spark: SparkSession, tmp_path: Path) -> None:
    """A row with very many of them says that there are more."""
    mix = Mix(count=2_000, entities=1, end_ms=END_MS, span_ms=HOUR_MS, partitions=2)
    one = case(tmp_path, "everything", EVERYTHING, seed=2, mix=mix)
    last = cuts(one)[-1]
    (entity, *_) = sorted(one.oracle.entities)
    bounds = Bounds(lower={}, upper=last, replays=False)
    read = Read(row=0, entity=entity, instant_ms=END_MS, read_ms=END_MS, bounds=bounds)

    _, told = told_of(spark, one, [read], tmp_path)

    assert told.rows[0].more
    assert len(told.rows[0].events) == EVENTS_MAX
