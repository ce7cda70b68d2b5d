"""One look at everything for `fp status`: quick, bounded, and as far as anything answers.

Less is loaded and asked than for a deployment: no Spark, no client of Flink's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from feature_platform.broker.topics import TopicClient
from feature_platform.clock import Clock, SystemClock
from feature_platform.engines.flink import FlinkRest
from feature_platform.errors import FeaturePlatformError
from feature_platform.local.last_done import last_done
from feature_platform.local.status import ServerStatus
from feature_platform.local.supervisor import read_state, supervisor_state
from feature_platform.monitor.health import Health, healths_of
from feature_platform.monitor.look import look
from feature_platform.monitor.status import FLINK, KAFKA
from feature_platform.monitor.verdict import (
    Level,
    Verdict,
    of_begun,
    of_event_log,
    of_health,
    of_push,
    of_server,
    of_supervisor,
    overall,
)
from feature_platform.pushes.push_record import read_record
from feature_platform.registry.base import RegistryReader
from feature_platform.registry.cql import open_registry
from feature_platform.settings import Settings, password
from feature_platform.store.connect import connect
from feature_platform.store.service_levels import Isolation

USABLE = ("up", "elsewhere")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What registry, Flink and Kafka know."""

    healths: Sequence[Health] = ()
    begun: Mapping[str, str] = field(default_factory=dict)
    """First deployments that are not done, and who is at it; empty: nobody."""
    isolation: str = ""
    """What keeps jobs from slowing rankers down."""
    problem: str = ""
    """Why nothing is known of feature sets; empty if it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """Everything, as it is now."""

    servers: Sequence[ServerStatus]
    found: Found
    verdicts: Sequence[Verdict]

    @property
    def level(self) -> Level:
        """How everything is; degraded at least if nobody knows."""
        level = overall(self.verdicts)
        return "degraded" if level == "healthy" and self.found.problem else level

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp status --json` prints."""
        return {
            "level": self.level,
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "servers": [_server(server) for server in self.servers],
            "featuresets": [health.to_json() for health in self.found.healths],
            "isolation": self.found.isolation,
            "problem": self.found.problem,
        }


@dataclass(frozen=True, slots=True)
class _Ends:
    """Implements `monitor.status.TopicEnds`."""

    topics: TopicClient

    def end_offsets(self, topic: str) -> Mapping[str, int]:
        """Return the next offset of every partition, by "topic/partition"."""
        return self.topics.ends(topic)

    def waiting_since_ms(self, topic: str, positions: Mapping[str, int]) -> int:
        """Return the timestamp of the oldest record behind the positions; 0 if none is there."""
        return self.topics.waiting_since_ms(topic, positions)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """Implements `monitor.status.Known`."""

    registry: RegistryReader
    cluster: FlinkRest
    topics: _Ends


def glance(
    settings: Settings,
    servers: Sequence[ServerStatus],
    clock: Clock | None = None,
    *,
    detailed: bool = True,
) -> Glance:
    """Look at feature sets as far as servers answer, and judge everything.

    Args:
        settings: Of the project.
        servers: As they answer; those that do not are not asked again.
        clock: Returns the time.
        detailed: Whether Flink is asked for checkpoints and metrics, which no verdict needs.
    """
    clock = clock or SystemClock()
    found = _find(settings, servers, clock, detailed=detailed)
    now_ms = clock.now_ms()
    return Glance(
        servers=servers, found=found, verdicts=_verdicts(settings, servers, found, now_ms)
    )


def _find(
    settings: Settings, servers: Sequence[ServerStatus], clock: Clock, *, detailed: bool
) -> Found:
    states = {server.name: server for server in servers}
    store = states["cassandra"]
    if store.problem or store.state not in USABLE:
        why = store.problem or ("has died" if store.state == "dead" else "is not started")
        return Found(problem=f"cannot list feature sets: the store {why}")
    silent = [name for name in (FLINK, KAFKA) if states[name].problem]
    try:
        admin = password(settings, "admin")
        with connect(settings.store, "fp_admin", admin) as connection:
            registry = open_registry(connection, clock)
            known = _Known(
                registry=registry,
                cluster=FlinkRest(settings.flink.rest_url),
                topics=_Ends(TopicClient(settings.kafka)),
            )
            untold: list[str] = []
            seen = look(known, untold.append, silent, detailed=detailed)
            healths = healths_of(seen, settings.flink.store_starts_max)
            deployed = {health.featureset for health in healths}
            leases = {lease.name: lease.holder for lease in registry.leases()}
            names = [*registry.begun(), *leases]
            return Found(
                healths=healths,
                begun={
                    name: leases.get(name, "")
                    for name in sorted(names)
                    if name not in deployed and "." not in name
                },
                isolation=Isolation.of(connection).in_words(settings.store),
                problem="; ".join(map(without_itself, untold)),
            )
    except FeaturePlatformError as error:
        return Found(problem=f"cannot list feature sets: {without_itself(str(error))}")


def without_itself(text: str) -> str:
    """Leave out of an error's message that one should look at `fp status`: that prints it."""
    return "; ".join(part for part in text.split("; ") if "`fp status`" not in part)


def _verdicts(
    settings: Settings, servers: Sequence[ServerStatus], found: Found, now_ms: int
) -> list[Verdict]:
    revived = read_state(settings)
    judged = [of_server(server, revived.get(server.name), now_ms) for server in servers]
    supervisor = of_supervisor(supervisor_state(settings), servers)
    if supervisor:
        judged.append(supervisor)
    judged += [
        of_health(health, last_done(settings, "checked", health.featureset), now_ms)
        for health in found.healths
    ]
    judged += [of_begun(name, holder) for name, holder in found.begun.items()]
    judged += [
        of_event_log(source, last_done(settings, "archived", source), now_ms)
        for source in sorted({health.source for health in found.healths})
    ]
    if settings.git.repository:
        judged.append(of_push(read_record(settings.data), settings.git.branch, now_ms))
    return judged


def _server(server: ServerStatus) -> dict[str, Any]:
    return {
        "name": server.name,
        "state": server.state,
        "address": server.address,
        "pid": server.pid,
        "resident_bytes": server.resident_bytes,
        "uptime_ms": server.uptime_ms,
        "dead": list(server.dead),
        "problem": server.problem,
    }
