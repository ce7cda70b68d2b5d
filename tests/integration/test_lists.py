"""A feature list on real servers: stored, served over two kinds of entity, and protected."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from feature_platform.broker.sender import ensure_topic
from feature_platform.clock import SystemClock
from feature_platform.definition.loading import load_project
from feature_platform.deploy.apply import apply, make_plans
from feature_platform.deploy.lists import apply_lists, make_list_plans
from feature_platform.deploy.wait import wait
from feature_platform.engines.ports import Submitter
from feature_platform.engines.world import World, open_world
from feature_platform.errors import CallerError, UnknownFeatureError
from feature_platform.serving import FeatureClient
from feature_platform.settings import Settings, password
from feature_platform.testing import Mix, Oracle, RawEvent, generate_events
from tests.integration.case import MakeProject, drawn_name
from tests.integration.commands import fp
from tests.integration.judge import load, produce, short_grace
from tests.integration.waiting import PATIENCE_S

EVENTS, ENTITIES, SEED = 600, 12, 7
SOURCE = """
source: {name}
topic: {name}
format: json
event_time: at
columns: {{user_id: BIGINT, post_id: STRING, watch_ms: BIGINT, at: TIMESTAMP}}
"""
DEFINITION = """
featureset: {name}_{entity}
owner: tests
entity: {entity}
source: {name}
sql: |
  SELECT {entity}, COUNT(*) AS events, SUM(watch_ms) AS watch_ms, LAST_N(watch_ms, 3) AS recent
  FROM {name}
  GROUP BY {entity}
features:
  events: {{windows: [2h], lifetime: true}}
  watch_ms: {{windows: [2h]}}
  recent: latest
settings: {{checkpoint_interval: 3s, flush_interval: 1s}}
"""
LIST = """
list: {name}
version: 1
owner: ranking
features:
  - {name}_user_id.events_lifetime
  - {{name: {name}_post_id.watch_ms_2h, as: watch}}
  - {{name: {name}_post_id.recent, as: recent, default: []}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Two feature sets of one topic, deployed with a list, all events counted."""

    settings: Settings
    world: World
    name: str
    events: list[RawEvent]

    def oracle(self, entity: str) -> Oracle:
        """Return what one of the feature sets must serve."""
        name = f"{self.name}_{entity}"
        snapshot = self.world.registry.snapshot(name)
        assert snapshot is not None
        return Oracle(load(self.settings).featuresets[name], snapshot.layout, self.events)


@pytest.fixture
def served(project: MakeProject, submitter: Submitter) -> Iterator[Served]:
    """Deploy, send, wait; the jobs are cancelled at the end."""
    name = drawn_name("lists")
    files = {f"featuresets/sources/{name}.yaml": SOURCE.format(name=name)}
    files[f"featuresets/lists/{name}.yaml"] = LIST.format(name=name)
    for entity in ("user_id", "post_id"):
        text = DEFINITION.format(name=name, entity=entity)
        files[f"featuresets/{name}_{entity}.yaml"] = text
    settings = short_grace(project(files))
    ensure_topic(settings.kafka, name, clock="producers")
    mix = Mix(count=EVENTS, entities=ENTITIES, end_ms=SystemClock().now_ms(), span_ms=3_600_000)
    events = list(generate_events(load(settings).sources[name], "user_id", mix, seed=SEED))
    with open_world(settings, submitter) as world:
        defined = load(settings)
        assert [outcome.error for outcome in apply(world, make_plans(world, defined))] == [None] * 2
        outcomes = apply_lists(world, make_list_plans(world, defined))
        assert [(each.change, each.error) for each in outcomes if each.name == name] == [
            ("added", None)
        ]
        produce(settings, name, events)
        for entity in ("user_id", "post_id"):
            wait(world, f"{name}_{entity}", timeout_s=PATIENCE_S)
        yield Served(settings=settings, world=world, name=name, events=events)
        for snapshot in world.registry.snapshots():
            world.cluster.cancel(snapshot.job_id)


def test_a_list_is_served_over_two_kinds_of_entity(served: Served) -> None:
    """Every row is what both oracles say of its keys."""
    users, posts = served.oracle("user_id"), served.oracle("post_id")
    keys = [key for key in posts.entities if key][:20]
    user = users.entities[0]
    store = served.settings.store
    with FeatureClient.connect(
        [f"{store.host}:{store.port}"],
        user="fp_service",
        password=password(served.settings, "service"),
        keyspace=store.keyspace,
        local_dc=store.local_dc,
    ) as client:
        prepared = client.prepare(list=served.name)
        now_ms = SystemClock().now_ms()
        matrix = prepared.get({"user_id": user, "post_id": [*keys, "nobody"]})
        with pytest.raises(CallerError, match="entities has no 'user_id'"):
            prepared.get({"post_id": keys})
        with pytest.raises(UnknownFeatureError, match="has no version 2; stored are 1"):
            client.prepare(list=served.name, version=2)

    rows = matrix.to_dicts()
    assert [row["entities"]["post_id"] for row in rows] == [*keys, "nobody"]
    total = users.served(user, now_ms)["events_lifetime"]
    for row, key in zip(rows, keys, strict=False):
        expected = posts.served(key, now_ms)
        assert list(row["values"].values()) == [total, expected["watch_ms_2h"], expected["recent"]]
    assert list(rows[-1]["values"].values()) == [total, 0, []]
    assert matrix.states[-1].tolist() == ["value", "no_data", "no_data"]


def test_a_feature_of_a_list_is_not_removed(served: Served) -> None:
    """By any command, until the list changes with it; the versions are shown."""
    file = served.settings.featuresets / f"{served.name}_user_id.yaml"
    file.write_text(file.read_text().replace(", lifetime: true", ""))
    folder, name = served.settings.project, served.name

    plan = fp(folder, "plan", f"{name}_user_id")
    assert plan.code == 1
    assert f"feature list {name} of ranking (version 1) uses {name}_user_id.events_l" in plan.out
    assert fp(folder, "apply", f"{name}_user_id", "--yes").code == 1
    deleted = fp(folder, "delete", f"{name}_post_id", "--yes")
    assert deleted.code == 1
    assert f"feature list {name} of ranking" in deleted.messages

    changed = served.settings.featuresets / "lists" / f"{name}.yaml"
    text = changed.read_text().replace("version: 1", "version: 2")
    changed.write_text(text.replace("events_lifetime", "events_2h"))
    assert load_project(served.settings.featuresets).problems == ()
    done = fp(folder, "apply", f"{name}_user_id", "--yes", "--json")
    assert (done.code, done.messages.count("failed")) == (0, 0)
    assert {"list": name, "change": "changed", "error": None} in done.facts
    assert fp(folder, "lists", name, "--json").facts["stored_versions"] == [1, 2]
