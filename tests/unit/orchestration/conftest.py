"""A project on disk, and a fake platform that has it deployed."""

from dataclasses import replace
from pathlib import Path

import pytest

from feature_platform.definition.loading import load_project
from feature_platform.plan.planner import Facts, plan
from feature_platform.plan.snapshot import Snapshot
from tests.unit.orchestration.fake import BROKEN, GOOD, SOURCE, World


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a good feature set."""
    (tmp_path / "featuresets" / "sources").mkdir(parents=True)
    (tmp_path / "featuresets" / "sources" / "posts.yaml").write_text(SOURCE)
    (tmp_path / "featuresets" / "engagement.yaml").write_text(GOOD)
    return tmp_path


@pytest.fixture
def snapshot(folder: Path) -> Snapshot:
    """What is deployed once the good feature set is."""
    project = load_project(folder / "featuresets").checked()
    made = plan(
        project.featuresets["engagement"], None, Facts(), definition=project.raw["engagement"]
    )
    assert made.target is not None
    return replace(made.target, job_id="j1", deployment="j1", state="running")


@pytest.fixture
def world(snapshot: Snapshot) -> World:
    """A fake, with the good feature set deployed."""
    return World(snapshot=snapshot)


@pytest.fixture
def broken(folder: Path) -> Path:
    """A second feature set in the project, which does not load."""
    path = folder / "featuresets" / "reactions.yaml"
    path.write_text(BROKEN)
    return path
