"""The promise of the platform: what is stored and served equals a recount of the raw events."""

from collections import Counter
from collections.abc import Callable, Mapping
from uuid import uuid4

import pytest

from feature_platform.broker.sender import ensure_topic
from feature_platform.broker.topics import TopicClient
from feature_platform.engines.ports import Submitter
from feature_platform.engines.world import open_world
from feature_platform.settings import Settings
from feature_platform.testing import Oracle
from tests.integration.everything import EVERYTHING, LARGE, PARTITIONS, files, random_events
from tests.integration.judge import assert_equal, dead_letters, deploy, load, produce

EVENTS = 200_000
ENTITIES = 2_000
SEED = 20_260


@pytest.mark.parametrize(
    ("definition", "count", "extreme"),
    [(EVERYTHING, EVENTS, 0.001), (LARGE, EVENTS // 20, 0.2)],
    ids=["everything", "large"],
)
def test_everything_stored_and_served_equals_the_recount(
    project: Callable[[Mapping[str, str]], Settings],
    submitter: Submitter,
    definition: str,
    count: int,
    extreme: float,
) -> None:
    """Random events, bad ones among them, give the oracle's rows, byte for byte, and values."""
    name = f"everything_{uuid4().hex[:6]}"
    settings = project(files(name, definition))
    featureset = load(settings).featuresets[name]
    events = random_events(
        featureset, count, entities=ENTITIES, hours=2, seed=SEED, extreme=extreme
    )
    half = count // 2
    with open_world(settings, submitter) as world:
        assert ensure_topic(settings.kafka, name, clock="producers") == PARTITIONS
        produce(settings, name, events[:half])  # A backlog ...
        snapshot = deploy(world, settings, name)
        produce(settings, name, events[half:])  # ... and events while the job runs.
        oracle = Oracle(featureset, snapshot.layout, events)
        assert_equal(settings, world, oracle, name)

    assert len(oracle.dead_letters) == dead_letters(settings, name)
    expected = Counter(letter.reason for letter in oracle.dead_letters)
    assert expected == TopicClient(settings.kafka).dead_letters(f"{name}.dead_letters")[name]
