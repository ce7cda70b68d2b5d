"""Asks the servers how every deployed feature set is doing, its dead letters included."""

from feature_platform.deploy.failures import gave_up
from feature_platform.deploy.status import statuses
from feature_platform.deploy.world import World
from feature_platform.orchestration.health import Health


def observe(world: World) -> list[Health]:
    """Return how every deployed feature set is doing, by name.

    Dead letters are counted by the jobs: no topic of theirs is read, whatever lies in it.

    Raises:
        WorldError: A server does not answer.
    """
    starts_max = world.settings.flink.store_starts_max
    return [
        Health.of(status, gave_up=gave_up(status.snapshot, starts_max))
        for status in statuses(world)
    ]
