"""Odd events on real servers: each is told, and none keeps others from being counted."""

import json
import random
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from feature_platform.broker.security import librdkafka_properties
from feature_platform.broker.sender import ensure_topic
from feature_platform.broker.topics import TopicClient
from feature_platform.clock import SystemClock
from feature_platform.definition.loading import load_project
from feature_platform.settings import Settings, password
from feature_platform.store.connect import connect
from feature_platform.testing import Oracle, RawEvent
from feature_platform.testing.deployed import snapshot_of
from tests.integration.commands import fp

MakeProject = Callable[[Mapping[str, str]], Settings]

SOURCE = """
source: {name}
topic: {name}
event_time: at
max_future: {max_future}
columns: {{user_id: BIGINT, page: STRING, name: STRING, at: TIMESTAMP}}
"""
USERS = """
featureset: {name}_users
description: What users do.
owner: tests
entity: user_id
source: {name}
sql: |
  SELECT user_id, COUNT(*) AS seen, LAST_N(name, 200) AS names, FIRST_VALUE(name) AS first_name
  FROM {name}
  GROUP BY user_id
features:
  seen: {{windows: [30m], lifetime: true}}
  names: latest
  first_name: latest
settings: {{checkpoint_interval: 3s, flush_interval: 1s}}
"""
PAGES = """
featureset: {name}_pages
description: How often pages are seen.
owner: tests
entity: page
source: {name}
sql: SELECT page, COUNT(*) AS seen FROM {name} GROUP BY page
features:
  seen: {{lifetime: true}}
settings: {{checkpoint_interval: 3s, flush_interval: 1s}}
"""
LARGE_BYTES_MAX = 2_000_000
LETTERS = "abcdefghijklmnopqrstuvwxyzäöü€😀"


class Site:
    """A project with a topic that takes events of 2 MB, and letters in one that takes less."""

    def __init__(self, settings: Settings, name: str) -> None:
        """Make the topics; nothing is deployed yet."""
        self.settings, self.name = settings, name
        ensure_topic(settings.kafka, name, {"max.message.bytes": str(LARGE_BYTES_MAX)})
        ensure_topic(settings.kafka, f"{name}.dead_letters", {"max.message.bytes": "200000"})
        self._sent: list[RawEvent] = []

    def fp(self, *arguments: str) -> Any:  # noqa: ANN401 (JSON, or nothing)
        """Run a command that succeeds."""
        ran = fp(self.settings.project, *arguments)
        assert ran.code == 0, ran.messages
        return json.loads(ran.out) if "--json" in arguments else ran.out

    def send(self, *values: bytes, key: bytes | None = None) -> list[tuple[int, int]]:
        """Send records as they are; returns where they stand."""
        producer = Producer(
            {**librdkafka_properties(self.settings.kafka), "message.max.bytes": 10_000_000}
        )
        places: dict[int, tuple[int, int]] = {}
        for number, value in enumerate(values):

            def done(error: object, message: Any, number: int = number) -> None:  # noqa: ANN401
                assert error is None, error
                places[number] = (message.partition(), message.offset())
                self._sent.append(
                    RawEvent(
                        value=message.value(),
                        partition=message.partition(),
                        offset=message.offset(),
                        timestamp_ms=message.timestamp()[1],
                    )
                )

            producer.produce(self.name, value, key, on_delivery=done)
            producer.poll(0)
        assert producer.flush(60) == 0
        return [places[number] for number in range(len(values))]

    def served(self, featureset: str, entity: str) -> dict[str, Any]:
        """Return the served values of an entity."""
        (answer,) = self.fp("get", featureset, "--entity", entity, "--json")
        values: dict[str, Any] = answer["values"]
        return values

    def oracle(self, featureset: str) -> Oracle:
        """Recount all events that were sent."""
        wanted = load_project(self.settings.featuresets).checked().featuresets[featureset]
        return Oracle(wanted, snapshot_of(wanted).layout, self._sent)


@pytest.fixture
def site(project: MakeProject) -> Site:
    """Two feature sets on one topic, deployed."""
    name = f"odd_{uuid4().hex[:6]}"
    settings = project(
        {
            f"featuresets/sources/{name}.yaml": SOURCE.format(name=name, max_future="5m"),
            f"featuresets/{name}_users.yaml": USERS.format(name=name),
            f"featuresets/{name}_pages.yaml": PAGES.format(name=name),
        }
    )
    made = Site(settings, name)
    made.fp("apply", "--yes")
    return made


def _event(**columns: object) -> bytes:
    return json.dumps({"at": SystemClock().now_ms() - 1_000} | columns).encode()


def test_no_odd_event_stops_the_others(site: Site) -> None:
    """Letters larger than their topic takes, texts and rows larger than a store does."""
    drawn = random.Random(7)  # noqa: S311 - no secret
    users, pages = f"{site.name}_users", f"{site.name}_pages"
    large = site.send(drawn.randbytes(1_500_000), drawn.randbytes(1_999_800), b"x" * 1_900_000)
    site.send(drawn.randbytes(150_000), key=drawn.randbytes(1_024))
    site.send(drawn.randbytes(10), key=drawn.randbytes(70_000))
    for _ in range(25):
        texts = ("".join(drawn.choices(LETTERS, k=60_000)) for _ in range(10))
        site.send(*(_event(user_id=1, page="p", name=text) for text in texts))
    site.send(_event(user_id=2, page="q", name="after"))
    for name in (users, pages):
        site.fp("wait", name, "--timeout", "200")
    expected = site.oracle(users)
    now_ms = SystemClock().now_ms()
    for entity in ("1", "2"):
        assert site.served(users, entity) == expected.served(entity, now_ms)
    assert len(site.served(users, "1")["names"]) == 200
    assert site.served(pages, "q") == {"seen_lifetime": 1}
    for name in (users, pages):
        listed = site.fp("dead-letters", name, "--json")
        counted = {"not_json": 0} | listed["reasons"]
        assert (listed["dead_letters"], listed["lost"]) == (5, 0), counted
        assert len(listed["newest"]) == 5
        sizes = {tuple(map(int, item["event"].split("/"))): item for item in listed["newest"]}
        assert [sizes[place]["bytes"] for place in large] == [1_500_000, 1_999_800, 1_900_000]
        assert all(sizes[place]["truncated"] for place in large[:2])
    shown = site.fp("dead-letters", users, "--show", f"{large[1][0]}/{large[1][1]}", "--json")
    assert (shown["whole"], len(bytes.fromhex(shown["value"]["hex"]))) == (True, 1_999_800)


def test_letters_are_sent_again_once(site: Site) -> None:
    """After a mended definition, if no feature set has counted them; a second time nothing is."""
    users, pages = f"{site.name}_users", f"{site.name}_pages"
    ahead_ms = SystemClock().now_ms() + 1_800_000
    both = site.send(*(_event(user_id=5, page="z", name="n", at=ahead_ms) for _ in range(3)))
    (one,) = site.send(_event(user_id=None, page="z"))
    for name in (users, pages):
        site.fp("wait", name)
    source = site.settings.featuresets / "sources" / f"{site.name}.yaml"
    source.write_text(SOURCE.format(name=site.name, max_future="2h"))
    site.fp("apply", "--yes")
    refused = fp(site.settings.project, "dead-letters", users, "--replay")
    assert (refused.code, "pass --yes" in refused.messages) == (2, True)
    sent = site.fp("dead-letters", users, "--replay", "--yes", "--json")
    assert (sent["sent"], sent["held_back"], sent["counted_by"]) == (3, 1, {pages: 1})
    ends = TopicClient(site.settings.kafka).ends(site.name)
    assert sent["offsets"]
    for part, (first, last) in sent["offsets"].items():
        old = [offset for partition, offset in (*both, one) if part.endswith(f"/{partition}")]
        assert max(old) < first <= last < ends[part]
    for name in (users, pages):
        again = site.fp("dead-letters", name, "--replay", "--yes", "--json")
        assert (again["sent"], again["sent_before"]) == (0, 3)
    for name in (users, pages):
        site.fp("wait", name)
    assert site.served(users, "5")["seen_lifetime"] == 3
    assert site.served(pages, "z") == {"seen_lifetime": 4}


def test_without_a_topic_of_letters_events_count(site: Site) -> None:
    """Its deletion costs letters, which are counted as lost; the job stays as it is."""
    users = f"{site.name}_users"
    site.send(b"before")
    site.fp("wait", users)
    TopicClient(site.settings.kafka).delete([f"{site.name}.dead_letters"])
    site.send(b"lost", _event(user_id=3, page="r", name="x"))
    site.fp("wait", users, "--timeout", "200")
    listed = site.fp("dead-letters", users, "--json")
    assert (listed["dead_letters"], listed["lost"], listed["newest"]) == (2, 1, [])
    assert site.served(users, "3")["seen_lifetime"] == 1
    (health,) = (
        found
        for found in site.fp("status", "--json")["featuresets"]
        if found["featureset"] == users
    )
    assert (health["job"]["restarts"], health["dead_letters_lost"]) == (0, 1)


def test_rows_that_outlive_2038_are_written(project: MakeProject) -> None:
    """Twelve years are kept: what a store in compatibility mode cannot expire has no TTL."""
    name = f"long_{uuid4().hex[:6]}"
    long = USERS.format(name=name).replace("30m", "730d")
    long = long.replace("settings: {", "settings: {keep: 3650d, ")
    settings = project(
        {
            f"featuresets/sources/{name}.yaml": SOURCE.format(name=name, max_future="5m"),
            f"featuresets/{name}_users.yaml": long,
        }
    )
    folder = settings.project
    planned = fp(folder, "plan").out
    assert "rows that would expire after 2038-01-18 never expire" in planned
    assert fp(folder, "apply", "--yes").code == 0
    now_ms = SystemClock().now_ms()
    lines = [_event(user_id=1, name="x", at=now_ms - days * 86_400_000) for days in (0, 1, 40)]
    given = b"\n".join(lines).decode()
    assert fp(folder, "produce", name, "--file", "-", given=given).code == 0
    assert fp(folder, "wait", f"{name}_users").code == 0
    with closing(connect(settings.store, "fp_admin", password(settings, "admin"))) as connection:
        rows = connection.run(
            f"SELECT level, TTL(payload) FROM {settings.store.keyspace}.tiles_{name}_users_g1"
            " WHERE entity = '1'"
        )
    assert rows
    assert {ttl for level, ttl in rows if level >= 0} == {None}
