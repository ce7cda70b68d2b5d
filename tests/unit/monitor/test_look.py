"""A look at everything deployed, as far as servers answer: one that is odd stops no other."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from feature_platform.engines.world import World
from feature_platform.errors import (
    BrokerUnavailableError,
    ServerError,
    StoreUnavailableError,
    WorldError,
)
from feature_platform.monitor.look import look
from feature_platform.monitor.status import SILENT
from feature_platform.registry.base import Attempt
from feature_platform.registry.memory import MemoryRegistry
from tests.unit.stage import FakeFlink, FakeTopics, Stage


@pytest.fixture
def world(stage: Stage) -> World:
    """Two feature sets are deployed."""
    assert stage.apply().error is None
    other = replace(stage.deployed, featureset="others", job_id="j9", deployment="j9")
    stage.registry.save(other)
    return stage.world


def _states(world: World) -> tuple[dict[str, str], list[str]]:
    said: list[str] = []
    return {item.snapshot.featureset: item.job_state for item in look(world, said.append)}, said


def test_all_is_looked_at_and_nothing_is_said(world: World) -> None:
    """As a rule."""
    states, said = _states(world)
    assert states == {"posts": "RUNNING", "others": "UNKNOWN"}
    assert said == []


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("x"), WorldError("no answer")])
def test_trouble_with_one_leaves_the_others(stage: Stage, world: World, error: Exception) -> None:
    """Whatever it is: a dead job of another one is started all the same."""

    class Registry(MemoryRegistry):
        """One whose attempts of `others` cannot be read."""

        def attempts(self, name: str, generation: int) -> list[Attempt]:
            if name == "others":
                raise error
            return super().attempts(name, generation)

    registry = Registry(stage.clock)
    for snapshot in stage.registry.snapshots():
        registry.save(snapshot)
    states, said = _states(replace(world, registry=registry))
    assert states == {"posts": "RUNNING"}
    (told,) = said
    assert told.startswith(f"others cannot be observed: {type(error).__name__}")


def test_kafka_that_does_not_answer_leaves_the_jobs(world: World) -> None:
    """They are started again as before; nobody knows how far they are behind."""

    class Topics(FakeTopics):
        """A broker that is down."""

        def end_offsets(self, topic: str) -> Mapping[str, int]:
            raise BrokerUnavailableError(topic)

    found = replace(world, topics=Topics())
    states, said = _states(found)
    assert states == {"posts": "RUNNING", "others": "UNKNOWN"}
    assert said == ["kafka is skipped at this tick: post_events"]
    assert {item.ends is None for item in look(found, said.append)} == {True}


def test_a_flink_that_does_not_answer_is_no_death_of_its_jobs(world: World) -> None:
    """Nothing could be started there."""

    class Flink(FakeFlink):
        """A job manager that is down."""

        def jobs(self) -> list[object]:  # type: ignore[override]
            msg = "connection refused"
            raise ServerError(msg)

    flink = Flink(folder=world.settings.project)
    states, said = _states(replace(world, cluster=flink))  # type: ignore[arg-type]
    assert set(states.values()) == {SILENT}
    assert said == ["flink is skipped at this tick: connection refused"]


def test_without_the_registry_nothing_is_known(stage: Stage, world: World) -> None:
    """That is an error: the tick is red."""

    class Registry(MemoryRegistry):
        """A store that is down."""

        def snapshots(self) -> list[object]:  # type: ignore[override]
            msg = "no store"
            raise StoreUnavailableError(msg)

    with pytest.raises(StoreUnavailableError):
        look(replace(world, registry=Registry(stage.clock)), print)  # type: ignore[arg-type]


def test_a_look_without_details_asks_for_no_checkpoint_and_no_metric(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They cost several requests for each job, and no line of `fp status` says them."""
    asked: list[str] = []

    def asking(name: str) -> Callable[..., dict[str, float]]:
        def ask(*_: object) -> dict[str, float]:
            asked.append(name)
            return {}

        return ask

    for name in ("last_checkpoint", "metrics"):
        monkeypatch.setattr(FakeFlink, name, asking(name))
    states = [item.job_state for item in look(world, print, detailed=False)]
    assert (sorted(states), asked) == (["RUNNING", "UNKNOWN"], [])
    look(world, print)
    assert set(asked) == {"last_checkpoint", "metrics"}
