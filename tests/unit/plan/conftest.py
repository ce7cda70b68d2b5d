"""Definitions as authors write them, changed a little for each test."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from feature_platform.definition.loading import Project, load_project
from feature_platform.plan.ids import FeatureId, assign_ids, column_keys
from feature_platform.plan.planner import Facts, Plan, plan
from feature_platform.plan.snapshot import Snapshot
from feature_platform.plan.target import settled

SOURCE = """\
source: post_events
topic: post_events
format: json
event_time: ts
columns:
  post_id: BIGINT
  user_id: BIGINT
  action: STRING
  watch_ms: BIGINT
  language: STRING
  price: DOUBLE
  ts: TIMESTAMP
"""

POSTS = """\
featureset: posts
description: How people react to a post.
owner: ranking
entity: post_id
source: post_events
sql: |
  SELECT post_id,
         COUNT(*) FILTER (WHERE action = 'view') AS views,
         SUM(watch_ms) AS watch_ms,
         AVG(watch_ms) AS mean_watch_ms,
         LAST_VALUE(language) AS language
  FROM post_events
  GROUP BY post_id
features:
  views: {windows: [30m, 2h], lifetime: true}
  watch_ms: {windows: [1d]}
  mean_watch_ms: {windows: [1d]}
  language: latest
"""

Edit = tuple[str, str]
MakeProject = Callable[..., Project]
MakePlan = Callable[..., Plan]

DEPLOYED_MS = 1_000
JOB = "a" * 32


@pytest.fixture
def project(tmp_path: Path) -> MakeProject:
    """Load the definitions above with some texts replaced; each text must be there."""

    def make(*edits: Edit) -> Project:
        texts = {"sources/post_events.yaml": SOURCE, "posts.yaml": POSTS}
        for old, new in edits:
            assert any(old in text for text in texts.values()), old
            texts = {path: text.replace(old, new) for path, text in texts.items()}
        for path, text in texts.items():
            file = tmp_path / path
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        return load_project(tmp_path).checked()

    return make


@pytest.fixture
def deployed(project: MakeProject) -> Snapshot:
    """What is deployed once the unchanged definition was applied."""
    return _deployed_by(_make_plan(project(), None))


@pytest.fixture
def upgrade(project: MakeProject, deployed: Snapshot) -> MakePlan:
    """Plan the definition with some texts replaced against the unchanged deployed one."""
    ids = _known_ids(project())

    def make(
        *edits: Edit,
        reset: Sequence[str] = (),
        deployed: Snapshot = deployed,
        **facts: Any,  # noqa: ANN401
    ) -> Plan:
        return _make_plan(
            project(*edits), deployed, reset, **{"ids": ids, "next_generation": 2, **facts}
        )

    return make


@pytest.fixture
def known_ids() -> Callable[[Project], list[FeatureId]]:
    """Return the ids that the registry has once a project was deployed."""
    return _known_ids


@pytest.fixture
def make_plan() -> MakePlan:
    """Plan the feature set of a project against what is deployed."""
    return _make_plan


def _known_ids(project: Project) -> list[FeatureId]:
    """Return the ids that the registry has once the feature set was deployed."""
    keys = column_keys(project.featuresets["posts"])
    ids = assign_ids((), keys)
    return [FeatureId(id=ids[key.name], column=key) for key in keys if ids[key.name]]


def _make_plan(
    project: Project,
    deployed: Snapshot | None,
    reset: Sequence[str] = (),
    **facts: Any,  # noqa: ANN401
) -> Plan:
    """Plan the feature set of a project."""
    wanted = project.featuresets["posts"]
    return plan(wanted, deployed, Facts(**facts), definition=project.raw["posts"], reset=reset)


def _deployed_by(item: Plan) -> Snapshot:
    """Return what is deployed after a plan was executed."""
    assert item.target is not None
    target = settled(item.target, DEPLOYED_MS)
    return replace(target, job_id=JOB, deployment=JOB, state="running")
