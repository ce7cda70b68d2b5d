"""`fp try` on real servers: what it says beside the deployed one, and that nothing is left."""

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from uuid import uuid4

import pytest

from feature_platform.broker.topics import TopicClient
from feature_platform.clock import SystemClock
from feature_platform.deploy.control import deployed_snapshot, stop
from feature_platform.engines.world import open_world
from feature_platform.plan.trial import trial_name
from feature_platform.settings import Settings
from tests.integration.commands import FP, TIMEOUT_S, fp

NAME = f"tried_{uuid4().hex[:6]}"
POSTS = [f"post {number}" for number in range(24)]
LIKES = 2
"""Of each post; and one view."""

SOURCE = f"""
source: {NAME}
topic: {NAME}
format: json
event_time: at
columns: {{post: STRING, action: STRING, at: TIMESTAMP}}
"""
BEFORE = f"""
featureset: {NAME}
entity: post
source: {NAME}
sql: |
  SELECT post, COUNT(*) FILTER (WHERE action = 'view') AS views
  FROM {NAME}
  GROUP BY post
features:
  views: {{windows: [5m], lifetime: true}}
"""
AFTER = (
    BEFORE.replace("action = 'view'", "action = 'like'").replace(
        "AS views", "AS views, LAST_VALUE(action) AS last"
    )
    + "  last: latest\n"
)


@pytest.fixture
def deployed(project: Callable[[Mapping[str, str]], Settings]) -> Iterator[Settings]:
    """A feature set that has counted some events, and its definition changed since."""
    files = {f"featuresets/sources/{NAME}.yaml": SOURCE, f"featuresets/{NAME}.yaml": BEFORE}
    settings = project(files)
    assert fp(settings.project, "apply", NAME, "--yes").code == 0
    now_ms = SystemClock().now_ms()
    events = [
        {"post": post, "action": action, "at": now_ms}
        for post in POSTS
        for action in ("view", *["like"] * LIKES)
    ]
    lines = "\n".join(json.dumps(event) for event in events) + "\nno json\n"
    assert fp(settings.project, "produce", NAME, "--file", "-", given=lines).code == 0
    assert fp(settings.project, "wait", NAME).code == 0
    (settings.featuresets / f"{NAME}.yaml").write_text(AFTER)
    yield settings
    with open_world(settings) as world:
        stop(world, NAME)


def begin(settings: Settings) -> subprocess.Popen[str]:
    """Start a long trial; returns when it has counted the past."""
    process = subprocess.Popen(
        [FP, "--project", settings.project, "try", NAME, "--seconds", "600", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    assert process.stderr is not None
    assert any("past events are counted" in line for line in process.stderr)
    return process


def untouched(settings: Settings) -> None:
    """Make sure that the deployed one runs, and that nothing of a trial is left."""
    with open_world(settings) as world:
        snapshot = deployed_snapshot(world, NAME)
        mine = [job for job in world.cluster.jobs() if job.lives and job.name.startswith(NAME)]
        assert [job.id for job in mine] == [snapshot.job_id]
        name = trial_name(NAME)
        assert (world.registry.generations(name), world.registry.progress(name)) == ([], "")
        assert not world.topics.end_offsets(f"{name}.dead_letters")
        tables = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?"
        found = world.tiles._connection.run(tables, (settings.store.keyspace,))  # type: ignore[attr-defined]
        assert [row[0] for row in found if row[0].startswith("try_")] == []
    letters = TopicClient(settings.kafka).dead_letters(f"{NAME}.dead_letters")
    assert {letter: count.total() for letter, count in letters.items()} == {NAME: 1}


@pytest.mark.long
def test_a_trial_says_what_would_be_different_and_leaves_nothing(deployed: Settings) -> None:
    """Values and tiles beside the deployed ones; however it ends, nothing of it is left."""
    # 1. Everything of the last minutes.
    tried = fp(deployed.project, "try", NAME, "--seconds", "0", "--entity", POSTS[0], "--json")
    assert tried.code == 0, tried.messages
    (found,) = tried.facts["entities"]
    assert found["status"] == {"trial": "ok", "deployed": "ok"}
    assert found["values"]["views_5m"] == {"trial": LIKES, "deployed": 1, "comparable": True}
    assert found["values"]["views_lifetime"]["comparable"] is False
    last = found["values"]["last"]
    assert (last["trial"], last["deployed"], last["comparable"]) == ("like", None, False)
    summary = tried.facts["summary"]
    assert (summary["differ"], summary["differing"]) == (1, {"views_5m": 1})
    assert tried.facts["events"] == len(POSTS) * (LIKES + 1) + 1
    minute = next(tile for tile in found["tiles"] if tile["level"] == "1m")
    assert (minute["trial"]["views"], minute["deployed"]["views"]) == (LIKES, 1)
    assert tried.facts["dead_letters"] == 1
    untouched(deployed)
    # 2. Half of the entities: those whose hash is in the lower half.
    half = ("--sample", "50%", "--seconds", "0", *(f"--entity={post}" for post in POSTS))
    tried = fp(deployed.project, "try", NAME, *half, "--json")
    assert tried.code == 0, tried.messages
    met = {item["entity"] for item in tried.facts["entities"] if item["status"]["trial"] == "ok"}
    lower = {post for post in POSTS if hashlib.md5(post.encode()).hexdigest() < "8"}  # noqa: S324
    assert met == lower
    assert 0 < len(met) < len(POSTS)
    untouched(deployed)
    # 3. Ended by Ctrl-C it removes itself.
    process = begin(deployed)
    process.send_signal(signal.SIGINT)
    out, messages = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, messages
    assert len(json.loads(out)["entities"]) == 5
    untouched(deployed)
    # 4. What a killed one leaves, the next one removes.
    process = begin(deployed)
    process.kill()
    process.communicate(timeout=TIMEOUT_S)
    with open_world(deployed) as world:
        lease = world.registry.lease(trial_name(NAME))
        assert lease is not None
        world.registry.release_lease(lease.name, lease.holder)  # as it does by itself in a minute
    tried = fp(deployed.project, "try", NAME, "--seconds", "0", "--json")
    assert tried.code == 0, tried.messages
    untouched(deployed)
