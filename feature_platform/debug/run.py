"""Gathers everything about one entity, in the order in which its events pass the platform.

What is read first can only be older than what is read later: the cut, then the served values, then
the events. So events that came meanwhile are no difference.
"""

import contextlib
import gc
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feature_platform.broker.record_reader import RecordReader
from feature_platform.checks.judge import AsOf
from feature_platform.checks.run import rows_as_of_newest_cut
from feature_platform.checks.scope import Scope
from feature_platform.clock import Clock
from feature_platform.debug.account import Account, account, by_partition, until
from feature_platform.debug.ask_service import ask_service
from feature_platform.debug.changelog_link import changelog_links
from feature_platform.debug.definition import deployed_definition
from feature_platform.debug.event_links import (
    bars,
    definition_link,
    event_lines,
    events_link,
    named_events,
    query_link,
    reading_link,
)
from feature_platform.debug.job_link import Writers, job_link
from feature_platform.debug.late import told_of, too_late
from feature_platform.debug.live import Fresh, fresh_checkpoint
from feature_platform.debug.pattern import pattern_of
from feature_platform.debug.records import Searched, recent, search
from feature_platform.debug.report import DebugReport, Link
from feature_platform.debug.row_links import asking_for_state, rows_link, served_link
from feature_platform.debug.same_minute import in_one_minute
from feature_platform.debug.service_link import Answer, service_link
from feature_platform.debug.state_link import Held, state_link
from feature_platform.debug.value_lines import mixed_names, value_lines
from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.definition.names import unknown
from feature_platform.deploy.control import deployed_snapshot
from feature_platform.deploy.start import unfinished_repair
from feature_platform.engines.flink import FlinkJob
from feature_platform.engines.flink_state import read_heads
from feature_platform.engines.reads import Reads
from feature_platform.errors import FeaturePlatformError, UnknownFeatureError, WorldError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.report import Report, silent
from feature_platform.serving.client import FeatureClient
from feature_platform.serving.keys import stored_key
from feature_platform.store.base import StoredRow
from feature_platform.testing.reference_events import Accepted

EVENTS_SHOWN = 200
LATE_SHOWN = 5
RECENT = 5_000
"""Newest events of the topic that FILTERs are tried on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DebugRequest:
    """What is asked about."""

    featureset: str
    entity: str
    feature: str = ""
    """A feature or a served name; empty: all."""
    at_ms: int | None = None
    """A past instant that values are served for; None: the present."""
    state: bool = False
    """Read what the job holds, too, from its newest checkpoint."""
    live: bool = False
    """Of `state`: ask the job for a checkpoint first."""
    service: str = ""
    """Address of a service that is asked, too; empty: none is."""


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Do not look for cycles: a busy entity's events are a million objects, and in none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_uncollected()
def debug(
    reads: Reads, client: FeatureClient, ask: DebugRequest, report: Report = silent
) -> DebugReport:
    """Follow an entity from its events to its served values.

    Args:
        reads: What is deployed; nothing is changed.
        client: A client without a cache.
        ask: About what.
        report: Called with what is being looked at.

    Raises:
        UnknownFeatureError: The feature set is not deployed, or has no such feature.
        CallerError: The key cannot be one of the feature set's.
        WorldError: The store did not answer.
    """
    snapshot = deployed_snapshot(reads, ask.featureset)
    features = _features(snapshot, ask.feature)
    entity = stored_key(ask.entity, snapshot, "ENTITY")
    deployed = deployed_definition(snapshot)
    report("reading its rows")
    rows = rows_as_of_newest_cut(reads, snapshot, unfinished_repair(reads, snapshot))
    stored = reads.tiles.read_entity(snapshot.table, entity)
    served, asked_ms = _served(reads.clock, client, snapshot, entity, ask, features)
    at_ms = asked_ms if ask.at_ms is None else ask.at_ms
    answer = _answered(reads, ask, snapshot, entity, served)
    fresh = _fresh(reads, snapshot, report) if ask.live else None
    report("looking for its events")
    topic = RecordReader(reads.settings.kafka, snapshot.topic)
    pattern = pattern_of(deployed.entity, dict(deployed.reads)[deployed.entity], entity)
    searched = search(snapshot.job.source, reads.settings.event_log_folder, topic, pattern)
    report("recounting")
    whole = account(deployed, snapshot.layout, entity, searched.records)
    held = Held(fresh=fresh, ends=searched.ends)
    as_of_cut = _as_of_cut(whole, rows)
    columns = _columns(snapshot, features) if ask.feature else None
    scope = Scope.of(snapshot, reads.clock.now_ms(), None, searched.complete_ms)
    found = rows_link(snapshot, rows, scope, as_of_cut, stored, columns)
    mixed = mixed_names(snapshot, at_ms, "now" if ask.at_ms is None else "past")
    values = value_lines(served, whole, as_of_cut, at_ms, ask.at_ms, mixed)
    behind = len(whole.events) - len(as_of_cut.events)
    line = rows.line if rows else None
    compared = (
        *changelog_links(reads, snapshot, line, scope, as_of_cut, found.differences, columns),
        *_state(reads, ask, snapshot, whole, scope, held),
        found.link if ask.state else asking_for_state(found.link),
        served_link(values, found.link.state, behind, mixed),
        *_service(reads, snapshot, whole, answer, mixed),
    )
    links = (
        definition_link(snapshot, _defined(reads, ask.featureset), features),
        events_link(searched, whole, deployed.entity),
        reading_link(
            whole, ask.featureset, told_of(snapshot, too_late(snapshot, whole), LATE_SHOWN)
        ),
        query_link(whole, features, _recent_rows(whole, topic, searched)),
        _job(reads, snapshot, stored),
        *(_unless(each, unseen=bool(searched.notes)) for each in compared),
    )
    return DebugReport(
        featureset=ask.featureset,
        entity=entity,
        at_ms=at_ms,
        is_past=ask.at_ms is not None,
        links=links,
        events=event_lines(whole, features, EVENTS_SHOWN, named_events(links)),
        events_total=len(whole.events),
        bars=bars(whole),
        tiles=found.tiles,
        values=values,
    )


def _fresh(reads: Reads, snapshot: Snapshot, report: Report) -> Fresh | str:
    """Return a checkpoint that the job is asked for; a text: why there is none."""
    report("asking its job for a checkpoint")
    try:
        return fresh_checkpoint(reads, snapshot)
    except FeaturePlatformError as error:
        return str(error)


def _job(reads: Reads, snapshot: Snapshot, stored: Sequence[StoredRow]) -> Link:
    ids = reads.registry.feature_ids(snapshot.featureset)
    jobs, restarts = _jobs(reads, snapshot.job_id)
    return job_link(snapshot, jobs, _writers(reads, snapshot), ids, stored, restarts)


def _state(
    reads: Reads,
    ask: DebugRequest,
    snapshot: Snapshot,
    whole: Account,
    scope: Scope,
    held: Held,
) -> list[Link]:
    if not ask.state:
        return []

    def read(path: str, entities: Sequence[str], ttl_ms: int) -> Mapping[str, bytes]:
        backend = reads.cluster.state_backend(snapshot.job_id)
        return read_heads(reads.settings, path, entities, ttl_ms, backend)

    return [state_link(reads, snapshot, whole, scope, read, held)]


def _answered(
    reads: Reads,
    ask: DebugRequest,
    snapshot: Snapshot,
    entity: str,
    served: Mapping[str, Any] | str,
) -> Answer | str | None:
    """Return what the service answers; None if none is to be asked."""
    if not ask.service:
        return None
    if isinstance(served, str):
        return f"service {ask.service} is not asked, because a client without a cache failed"
    return ask_service(
        reads.settings.service, reads.clock, ask.service, snapshot, entity, list(served)
    )


def _service(
    reads: Reads,
    snapshot: Snapshot,
    whole: Account,
    answer: Answer | str | None,
    mixed: Collection[str],
) -> list[Link]:
    if answer is None:
        return []
    if isinstance(answer, Answer):
        answer = answer.without(mixed)
    asked_ms = reads.clock.now_ms() if isinstance(answer, str) else answer.asked_ms
    cuts = reads.registry.cuts(snapshot.featureset, snapshot.generation)
    bound_ms = reads.settings.service.max_staleness_ms
    found = service_link(
        answer,
        whole,
        lambda state: state.oracle.served(state.entity, asked_ms),
        cuts,
        bound_ms,
    )
    return [found]


def _unless(link: Link, *, unseen: bool) -> Link:
    """Return a comparison; unknown where not all events could be read."""
    if not unseen or link.state != "wrong":
        return link
    return Link(
        place=link.place,
        state="unknown",
        summary=f"cannot be judged without all events: {link.summary}",
        details=link.details,
    )


def _features(snapshot: Snapshot, wanted: str) -> list[str]:
    """Return the features that are asked about.

    Raises:
        UnknownFeatureError: There is none of that name.
    """
    if not wanted:
        return [each.name for each in snapshot.features]
    names = {each.name: each.name for each in snapshot.features}
    names |= {served: each.name for each in snapshot.features for served in each.served}
    if wanted not in names:
        raise UnknownFeatureError(unknown("feature", wanted, names))
    return [names[wanted]]


def _columns(snapshot: Snapshot, features: Sequence[str]) -> list[str]:
    return [name for each in snapshot.features if each.name in features for name in each.columns]


def _defined(reads: Reads, name: str) -> FeatureSet | None:
    return load_project(reads.settings.featuresets).featuresets.get(name)


def _jobs(reads: Reads, job_id: str) -> tuple[list[FlinkJob] | str, int]:
    """Return all jobs, or why they are not known, and how often one was restarted."""
    try:
        jobs = reads.cluster.jobs()
        lives = any(job.id == job_id and job.lives for job in jobs)
        return jobs, reads.cluster.restarts(job_id) if lives else 0
    except WorldError as error:
        return str(error), 0


def _writers(reads: Reads, snapshot: Snapshot) -> Writers:
    name, generation = snapshot.featureset, snapshot.generation
    return Writers(
        attempts=reads.registry.attempts(name, generation),
        owner=reads.registry.owner(name, generation),
        deploying=bool(reads.registry.progress(name)),
    )


def _served(
    clock: Clock,
    client: FeatureClient,
    snapshot: Snapshot,
    entity: str,
    ask: DebugRequest,
    features: Sequence[str],
) -> tuple[Mapping[str, Any] | str, int]:
    """Return the served values by name, and when; a text: why there are none."""
    wanted = [
        served for each in snapshot.features if each.name in features for served in each.served
    ]
    try:
        prepared = client.prepare(wanted, featureset=snapshot.featureset)
        matrix, asked_ms = in_one_minute(clock, lambda: prepared.get([entity], at=ask.at_ms))
    except FeaturePlatformError as error:
        return str(error), clock.now_ms()
    (answer,) = matrix.to_dicts()
    if answer["status"] == "unavailable":
        return str(answer["error"]), asked_ms
    values = sorted(answer["values"].items(), key=lambda item: item[0] != ask.feature)
    return dict(values), asked_ms


def _as_of_cut(whole: Account, rows: AsOf | None) -> Account:
    return until(whole, by_partition(rows.cut.positions) if rows else {})


def _recent_rows(whole: Account, topic: RecordReader, searched: Searched) -> list[Accepted]:
    """Return what is aggregated of the topic's newest events; nothing if Kafka is silent."""
    if not searched.looked_at.get("Kafka") and searched.notes:
        return []
    try:
        events = recent(topic, RECENT)
    except WorldError:
        return []
    read = (whole.oracle.read(each) for each in events)
    return [each for each in read if isinstance(each, Accepted)]
