"""Spark's driver and its executors in processes of their own, as on a cluster."""

from collections.abc import Callable, Mapping
from uuid import uuid4

from feature_platform.broker.sender import ensure_topic
from feature_platform.engines.ports import Submitter
from feature_platform.engines.spark import archive
from feature_platform.engines.world import open_world
from feature_platform.settings import Settings
from feature_platform.testing import Oracle
from tests.integration.everything import EVERYTHING, PARTITIONS, files, random_events
from tests.integration.judge import assert_equal, deploy, load, produce

EVENTS = 3_000
MASTER = "local-cluster[1,1,1024]"
"""One executor with one core and 1,024 MB."""


def test_executors_archive_and_write_rows(
    project: Callable[[Mapping[str, str]], Settings], submitter: Submitter
) -> None:
    """They have the kernel, the connectors and the store's password; rows equal the oracle's."""
    name = f"spread_{uuid4().hex[:6]}"
    on_disk = project(files(name, EVERYTHING.replace("keep: 6h}", "keep: 6h, on_change: rebuild}")))
    spark = on_disk.spark.model_copy(update={"master": MASTER, "driver_memory": "1g"})
    settings = on_disk.model_copy(update={"spark": spark})
    featureset = load(settings).featuresets[name]
    events = random_events(featureset, EVENTS, entities=100, hours=2, seed=5)
    with open_world(settings, submitter) as world:
        assert ensure_topic(settings.kafka, name, clock="producers") == PARTITIONS
        produce(settings, name, events[: EVENTS // 2])
        assert archive(settings, featureset.source, lambda _: None).records == EVENTS // 2
        produce(settings, name, events[EVENTS // 2 :])
        snapshot = deploy(world, settings, name)
        assert_equal(settings, world, Oracle(featureset, snapshot.layout, events), name)
        kinds = [item.kind for item in world.registry.attempts(name, snapshot.generation)]
        assert kinds == ["backfill", "stream"]
