"""Asks the servers how every deployed feature set is doing, its dead letters included."""

from collections import Counter

from feature_platform.broker.topics import Topics
from feature_platform.deploy.failures import gave_up
from feature_platform.deploy.status import statuses
from feature_platform.deploy.world import World
from feature_platform.orchestration.health import Health
from feature_platform.plan.job import dead_letter_topic


def observe(world: World) -> list[Health]:
    """Return how every deployed feature set is doing, by name.

    Raises:
        WorldError: A server does not answer.
    """
    found = statuses(world)
    topics = Topics(world.settings.kafka)
    letters = {
        topic: topics.dead_letters(dead_letter_topic(topic))
        for topic in {status.snapshot.topic for status in found}
    }
    starts_max = world.settings.flink.store_starts_max
    return [
        Health.of(
            status,
            letters[status.snapshot.topic].get(status.snapshot.featureset, Counter()),
            gave_up=gave_up(status.snapshot, starts_max),
        )
        for status in found
    ]
