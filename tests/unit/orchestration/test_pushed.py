"""What a commit would change: each feature set is planned alone, and its trouble is its own."""

from dataclasses import replace
from typing import Protocol

import pytest

from feature_platform.definition.loading import Project, load_project
from feature_platform.deploy.apply import make_plans
from feature_platform.engines.world import World
from feature_platform.errors import PlanRefusedError, WorldError
from feature_platform.orchestration import pushed
from feature_platform.plan.planner import Plan
from feature_platform.pushes.git import Commit
from feature_platform.pushes.push import Pushed, PushedChange
from feature_platform.registry.base import Attempt
from feature_platform.registry.memory import MemoryRegistry
from tests.unit.stage import Stage

HEAD = Commit(id="a" * 40, subject="x")


class _Planner(Protocol):
    def __call__(self, world: World, project: Project, names: list[str]) -> list[Plan]: ...


def _look(stage: Stage) -> tuple[Pushed, dict[str, PushedChange]]:
    """Look at a commit of two new feature sets."""
    stage.define()
    text = (stage.folder / "posts.yaml").read_text()
    other = text.replace("featureset: posts", "featureset: others")
    (stage.folder / "others.yaml").write_text(other)
    found = pushed.look_at(stage.world, HEAD, load_project(stage.folder), None)
    return found, {item.featureset: item for item in found.wanted}


def _fails(name: str, error: Exception) -> _Planner:
    def plan(world: World, project: Project, names: list[str]) -> list[Plan]:
        if names == [name]:
            raise error
        return make_plans(world, project, names)

    return plan


def test_a_new_feature_set_is_launched(stage: Stage) -> None:
    """Each of them."""
    _, wanted = _look(stage)
    assert {name: item.kind for name, item in wanted.items()} == {"posts": "new", "others": "new"}


@pytest.mark.parametrize(
    ("error", "stays", "trouble"),
    [
        (PlanRefusedError("not so"), "not so", ""),
        (WorldError("Flink did not answer"), "", "cannot be planned now: Flink did not answer"),
        (
            ZeroDivisionError("odd"),
            "cannot be planned (ZeroDivisionError: odd): fp plan others",
            "",
        ),
    ],
)
def test_one_that_cannot_be_planned_stops_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, error: Exception, stays: str, trouble: str
) -> None:
    """Refused, for the moment, or by a fault of ours."""
    monkeypatch.setattr(pushed, "make_plans", _fails("others", error))
    _, wanted = _look(stage)
    assert wanted["posts"].kind == "new"
    assert (wanted["others"].stays, wanted["others"].trouble) == (stays, trouble)
    assert wanted["others"].is_refused == bool(stays)


def test_a_row_of_the_registry_that_cannot_be_read_stops_no_other(stage: Stage) -> None:
    """Attempts are asked for each feature set alone."""
    assert stage.apply().error is None

    class Registry(MemoryRegistry):
        """One whose attempts of `posts` cannot be read."""

        def attempts(self, name: str, generation: int) -> list[Attempt]:
            if name == "posts":
                msg = f"{name} {generation}"
                raise ValueError(msg)
            return super().attempts(name, generation)

    registry = Registry(stage.clock)
    registry.save(stage.deployed)
    world = replace(stage.world, registry=registry)
    found = pushed.look_at(world, HEAD, _two(stage), None)
    wanted = {item.featureset: item for item in found.wanted}
    assert wanted["others"].kind == "new"
    assert "ValueError: posts 1" in wanted["posts"].stays


def _two(stage: Stage) -> Project:
    _look(stage)
    return load_project(stage.folder)
