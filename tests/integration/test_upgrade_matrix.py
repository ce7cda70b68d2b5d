"""Every kind of change on the real stack: the kind that was planned, and rows as the oracle says.

All cases share one topic; each deploys a feature set of its own, changes it while events flow, and
compares every stored byte and every served value.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from feature_platform.broker.sender import ensure_topic
from feature_platform.clock import SystemClock
from feature_platform.deploy.apply import apply, make_plans
from feature_platform.deploy.control import stop
from feature_platform.engines.ports import Submitter
from feature_platform.engines.world import World, open_world
from feature_platform.plan.compare import Kind
from feature_platform.plan.snapshot import Snapshot
from feature_platform.settings import Settings
from feature_platform.testing import Mix, Oracle, RawEvent, generate_events
from tests.integration.judge import assert_equal, load, produce
from tests.integration.switched import SwitchedOracle, Version

TOPIC = f"matrix_{uuid4().hex[:6]}"
SEED = 23
FIRST, EACH = 1_000, 600
"""Events that are there from the start, and that each case adds, half of them after the change."""

SOURCE = f"""
source: {TOPIC}
topic: {TOPIC}
format: json
event_time: at
columns: {{user_id: BIGINT, action: STRING, watch_ms: BIGINT, at: TIMESTAMP}}
"""

BEFORE = f"""
featureset: NAME
description: Before the change.
owner: tests
entity: user_id
source: {TOPIC}
sql: |
  SELECT user_id,
         COUNT(*) AS events,
         COUNT(*) FILTER (WHERE action = 'view') AS views,
         SUM(watch_ms) AS watch_ms,
         MAX(watch_ms) AS longest,
         LAST_N(action, 3) AS recent
  FROM {TOPIC}
  GROUP BY user_id
features:
  events: {{windows: [30m, 2h], lifetime: true}}
  views: {{windows: [30m, 2h], lifetime: true}}
  watch_ms: {{windows: [2h], lifetime: true}}
  longest: {{windows: [2h]}}
  recent: latest
settings: {{parallelism: 1, checkpoint_interval: 5s, keep: 6h}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A change, and what is to come of it."""

    edits: tuple[tuple[str, str], ...] = ()
    reset: tuple[str, ...] = ()
    kind: Kind
    ids: Mapping[str, int] = field(default_factory=dict)
    """Columns whose ids are not those of before."""


CASES = {
    "add": Case(
        edits=(
            ("AS longest,", "AS longest,\n         MIN(watch_ms) AS shortest,"),
            ("  recent: latest", "  recent: latest\n  shortest: {windows: [30m, 2h]}"),
        ),
        kind="forward",
        ids={"shortest": 7},
    ),
    "remove": Case(
        edits=(
            ("         COUNT(*) FILTER (WHERE action = 'view') AS views,\n", ""),
            ("  views: {windows: [30m, 2h], lifetime: true}\n", ""),
            (",\n         LAST_N(action, 3) AS recent", ""),
            ("  recent: latest\n", ""),
        ),
        kind="forward",
    ),
    "rename": Case(
        edits=(("AS watch_ms", "AS watched"), ("  watch_ms: {", "  watched: {")),
        kind="forward",
        ids={"watched": 7, "watched#high": 8},
    ),
    "edit": Case(
        edits=(
            ("action = 'view'", "action IN ('like', 'share')"),
            ("SUM(watch_ms)", "SUM(watch_ms + 1)"),
            ("LAST_N(action, 3)", "LAST_N(UPPER(action), 3)"),
        ),
        kind="forward",
        ids={"watch_ms#beyond": 7},  # The sum keeps its own; `watch_ms + 1` may leave int64.
    ),
    "where": Case(
        edits=((f"FROM {TOPIC}", f"FROM {TOPIC}\n  WHERE action <> 'view' AND watch_ms > 0"),),
        kind="forward",
    ),
    "settings": Case(
        edits=(("parallelism: 1", "parallelism: 2, flush_interval: 2s"),), kind="forward"
    ),
    "reformat": Case(
        edits=(("  SELECT user_id,\n         COUNT(*) AS", "  select user_id, COUNT( * )   as"),),
        kind="none",
    ),
    "metadata": Case(
        edits=(("Before the change.", "After it."), ("[30m, 2h], lifetime", "[1h, 2h], lifetime")),
        kind="metadata",
    ),
    "reset": Case(
        reset=("views", "longest", "recent"),
        kind="forward",
        ids={"views": 7, "longest": 8, "recent": 9},
    ),
    "entity": Case(
        edits=(
            ("entity: user_id", "entity: action"),
            ("SELECT user_id", "SELECT action"),
            ("GROUP BY user_id", "GROUP BY action"),
        ),
        kind="rebuild",
    ),
    "grid": Case(
        edits=(("entity: user_id", "entity: user_id\ngrid: [1m, 10m, 30m, 2h]"),), kind="rebuild"
    ),
}

QUIET = [name for name, case in CASES.items() if case.kind in ("none", "metadata")]
"""They restart no job, so they need no deployment of their own: another change comes after them."""
RUNS = [(*QUIET, name) if name == "where" else (name,) for name in CASES if name not in QUIET]


@dataclass
class Flow:
    """The topic's events. Mutable: knows how many of them were sent."""

    events: list[RawEvent] = field(default_factory=list)
    sent: int = 0

    def send(self, settings: Settings, count: int) -> None:
        """Send the next ones."""
        produce(settings, TOPIC, self.events[self.sent : self.sent + count])
        self.sent += count


@pytest.fixture(scope="module")
def flow() -> Flow:
    """All events that the cases are going to send, in order."""
    return Flow()


@pytest.fixture
def deployed(
    flow: Flow,
    project: Callable[[Mapping[str, str]], Settings],
    request: pytest.FixtureRequest,
    submitter: Submitter,
) -> Iterator[tuple[str, Settings, World]]:
    """A feature set of its own over the shared topic, running; and its project and world."""
    name = f"m_{request.node.callspec.params['run'][-1]}_{uuid4().hex[:6]}"
    settings = project(
        {
            f"featuresets/sources/{TOPIC}.yaml": SOURCE,
            f"featuresets/{name}.yaml": BEFORE.replace("NAME", name),
        }
    )
    ensure_topic(settings.kafka, TOPIC, clock="producers")
    if not flow.events:
        count = FIRST + EACH * len(CASES)
        mix = Mix(
            count=count, entities=60, end_ms=SystemClock().now_ms(), span_ms=7_200_000, bad=0.002
        )
        flow.events += generate_events(load(settings).sources[TOPIC], "user_id", mix, seed=SEED)
        flow.send(settings, FIRST)
    with open_world(settings, submitter) as world:
        plans = make_plans(world, load(settings), [name])
        assert [outcome.error for outcome in apply(world, plans)] == [None]
        yield name, settings, world
        stop(world, name)


@pytest.mark.parametrize("run", RUNS, ids="-".join)
def test_changes_do_what_their_plans_say(
    run: Sequence[str], deployed: tuple[str, Settings, World], flow: Flow
) -> None:
    """Events before, during and after each add up to the oracle's rows and served values."""
    name, settings, world = deployed
    for case in run:
        _change(CASES[case], name, settings, world, flow)


def _change(case: Case, name: str, settings: Settings, world: World, flow: Flow) -> None:
    before = Version(
        featureset=load(settings).featuresets[name], layout=_snapshot(world, name).layout
    )
    flow.send(settings, EACH // 2)  # Being read while the job stops.
    path = settings.featuresets / f"{name}.yaml"
    text = path.read_text()
    for old, new in case.edits:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    (plan,) = make_plans(world, load(settings), [name], reset=case.reset, start_empty=True)
    assert plan.change.kind == case.kind
    (outcome,) = apply(world, [plan])
    assert outcome.error is None
    flow.send(settings, EACH - EACH // 2)

    snapshot = _snapshot(world, name)
    known = {column.name: column.id for column in before.layout.columns}
    ids = {column.name: column.id for column in snapshot.layout.columns}
    assert {key: value for key, value in ids.items() if known.get(key) != value} == case.ids
    assert snapshot.generation == (2 if case.kind == "rebuild" else 1)
    after = Version(featureset=load(settings).featuresets[name], layout=snapshot.layout)
    oracle = _oracle(world, snapshot, before, after, flow.events[: flow.sent])
    assert_equal(settings, world, oracle, name)


def _oracle(
    world: World, snapshot: Snapshot, before: Version, after: Version, events: list[RawEvent]
) -> Oracle:
    """Return the oracle of an upgrade at its savepoint's cut; of all events without one."""
    attempt = world.registry.attempts(snapshot.featureset, snapshot.generation)[-1]
    if attempt.attempt == 1:
        return Oracle(after.featureset, after.layout, events)
    place = attempt.restore_point
    cut = world.registry.cut(snapshot.featureset, snapshot.generation, *place)
    assert cut is not None
    offsets = {int(key.rpartition("/")[2]): offset for key, offset in cut.positions.items()}
    oracle = SwitchedOracle(before, after, events, offsets)
    assert 0 < sum(cut.positions.values()) < len(events)
    assert oracle.switched > 0
    return oracle


def _snapshot(world: World, name: str) -> Snapshot:
    found = world.registry.snapshot(name)
    assert found is not None
    return found
