"""Asks registry, Flink and Kafka how every deployed feature set is doing."""

from collections import Counter

from feature_platform.broker.topics import Topics
from feature_platform.deploy.flink import FlinkRest
from feature_platform.orchestration.health import UNKNOWN, Health
from feature_platform.plan.job import dead_letter_topic
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Cut, Positions, RegistryReader
from feature_platform.settings import KafkaSettings

ROWS_METRIC = "written_rows"
KERNEL_VERTEX = "kernel"


def observe(registry: RegistryReader, flink: FlinkRest, kafka: KafkaSettings) -> list[Health]:
    """Return how every deployed feature set is doing, by name.

    Raises:
        StoreUnavailableError: The registry does not answer.
        ServerError: Flink does not answer.
        BrokerUnavailableError: Kafka does not answer.
    """
    snapshots = registry.snapshots()
    states = {job.id: job.state for job in flink.jobs()}
    topics = Topics(kafka)
    ends = {topic: topics.ends(topic) for topic in {snapshot.topic for snapshot in snapshots}}
    letters = {topic: topics.dead_letters(dead_letter_topic(topic)) for topic in ends}
    return [
        _health(
            snapshot,
            registry,
            flink,
            state=states.get(snapshot.job_id, UNKNOWN),
            ends=ends[snapshot.topic],
            letters=letters[snapshot.topic].get(snapshot.featureset, Counter()),
        )
        for snapshot in snapshots
    ]


def lag(ends: Positions, cut: Cut | None) -> int | None:
    """Return how many events of the topic a cut does not hold; None without a cut."""
    if cut is None:
        return None
    return sum(max(end - cut.positions.get(place, 0), 0) for place, end in ends.items())


def _health(
    snapshot: Snapshot,
    registry: RegistryReader,
    flink: FlinkRest,
    *,
    state: str,
    ends: Positions,
    letters: Counter[str],
) -> Health:
    name, generation, job_id = snapshot.featureset, snapshot.generation, snapshot.job_id
    known = state != UNKNOWN
    cut = registry.last_cut(name, generation)
    attempts = registry.attempts(name, generation)
    lease = registry.lease(name)
    return Health(
        featureset=name,
        wanted=snapshot.state,
        generation=generation,
        job_id=job_id,
        job_state=state,
        restarts=flink.restarts(job_id) if known else 0,
        attempt=max((attempt.attempt for attempt in attempts), default=0),
        lag=lag(ends, cut),
        checkpoint=flink.last_checkpoint(job_id) if known else None,
        cut=cut,
        rows_written=flink.counter(job_id, KERNEL_VERTEX, ROWS_METRIC) if known else 0,
        dead_letters=dict(letters),
        changed_by=lease.holder if lease else "",
        problem=flink.root_exception(job_id) if known else "",
    )
