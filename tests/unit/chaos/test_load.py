"""The load knows which of its events count, and the watch what a served count means."""

from collections import Counter
from pathlib import Path

import pytest

from feature_platform.definition.loading import load_project
from feature_platform.settings import load_settings
from feature_platform.testing import Oracle, RawEvent
from feature_platform.testing.deployed import snapshot_of
from tests.chaos.definitions import NAME, write_definitions
from tests.chaos.load import Deliveries, Load
from tests.chaos.watch import Watch

WATCHED, UNWATCHED = "post-13", "post-14"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """A load that was never started."""
    write_definitions(tmp_path / "featuresets", 0)
    source = load_project(tmp_path / "featuresets").checked().sources[NAME]
    return Load(load_settings(tmp_path, {}), source, rate=1, partitions=4, seed=1)


def test_the_load_knows_what_counts(load: Load, tmp_path: Path) -> None:
    """What the load takes for a counted event of an entity, the oracle counts, and no other."""
    featureset = load_project(tmp_path / "featuresets").checked().featuresets[NAME]
    believed, events = Counter[str](), []
    for offset in range(3_000):
        value, entity = load._draw()
        believed.update([entity] if entity else [])
        at_ms = load._clock.now_ms()
        events.append(RawEvent(value=value, partition=0, offset=offset, timestamp_ms=at_ms))
    oracle = Oracle(featureset, snapshot_of(featureset).layout, events)

    assert oracle.dead_letters
    assert believed == {entity: len(rows) for entity, rows in oracle.rows.items()}


def test_the_load_is_drawn_by_its_seed(load: Load) -> None:
    """Entities come from the seed."""
    first = [load._entity() for _ in range(5)]
    load._chance.seed(1)

    assert first == [load._entity() for _ in range(5)]


def test_entities_move_on(load: Load) -> None:
    """Later events are of newer entities; a few are of cold ones."""
    load.sent = 150_000
    numbers = [int(load._entity().rpartition("-")[2]) for _ in range(2_000)]

    assert max(numbers) >= 200
    assert 0 < sum(number < 100 for number in numbers) < 200


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """A watch over one entity with three delivered events; another one is not watched."""
    deliveries = Deliveries()
    for entity in (WATCHED, UNWATCHED, WATCHED, WATCHED):
        deliveries.hand_over(entity)
        deliveries.note(entity)
    return Watch(load_settings(tmp_path, {}), deliveries)


def test_a_step_back_is_noted(watch: Watch) -> None:
    """A count below an earlier one is wrong until it is reached again."""
    watch._note(WATCHED, 3)
    assert watch.worst.wrong_s == 0.0
    watch._note(WATCHED, 1)
    watch._note(WATCHED, 1)
    longest = watch.worst.wrong_s
    watch._note(WATCHED, 3)
    watch._note(WATCHED, 3)

    assert longest > 0
    assert watch.worst.wrong_s == longest


def test_a_missing_event_is_noted(watch: Watch) -> None:
    """A count that lacks a delivered event is behind by that event's age."""
    watch._note(WATCHED, 3)
    assert watch.worst.behind_s == 0.0
    watch._note(WATCHED, 2)

    assert watch.worst.behind_s > 0


def test_more_than_was_sent_is_told(watch: Watch) -> None:
    """A count above what was sent until then is never right, whatever is sent later."""
    watch._note(WATCHED, 3)
    assert watch.too_many == set()
    watch._note(WATCHED, 4)
    watch.deliveries.hand_over(WATCHED)

    assert watch.too_many == {f"{WATCHED}: 4 served, 3 sent"}
