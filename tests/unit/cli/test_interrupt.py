"""Ctrl-C: what was broken off, what still runs, and the command that finishes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from feature_platform.cli import changes, waiting
from feature_platform.cli.interrupt import interruptible
from feature_platform.cli.main import run
from feature_platform.cli.walked import Walked
from feature_platform.definition.loading import load_project
from feature_platform.deploy import apply as applying
from feature_platform.deploy import lists
from feature_platform.deploy import wait as waits
from feature_platform.plan.planner import Facts, Plan, plan
from feature_platform.plan.stages import AwaitCheckpoint, OwnGeneration, Stage, SubmitJob
from tests.unit.cli.running import RunFp


@pytest.fixture
def new(folder: Path) -> Plan:
    """The plan of a new feature set."""
    wanted = load_project(folder / "featuresets").featuresets["shop"]
    return plan(wanted, None, Facts())


def _walk(walked: Walked, plan: Plan, last: type[Stage]) -> None:
    """Report stages up to one of a kind."""
    walked.begin(plan)
    for stage in plan.stages:
        walked.report(f"shop: {stage.words}")
        walked.report("shop: 3 of 4 done")
        if isinstance(stage, last):
            return


@pytest.mark.parametrize(
    ("last", "told"),
    [
        (None, "nothing was changed"),
        (OwnGeneration, "no new job is running yet"),
        (SubmitJob, "the new job may have been submitted and may be running in Flink"),
        (AwaitCheckpoint, "the new job is running in Flink but is not recorded as deployed yet"),
    ],
)
def test_it_says_what_runs(new: Plan, last: type[Stage] | None, told: str) -> None:
    """By the stage that it was broken off in."""
    walked = Walked("fp apply")
    walked.expect([new])
    if last is None:
        walked.begin(new)
    else:
        _walk(walked, new, last)
    words = walked.in_words()
    assert words.startswith("shop was interrupted: ")
    assert told in words
    assert words.endswith("\nto finish: fp apply shop")


def test_done_begun_and_waiting_are_told_apart(new: Plan) -> None:
    """Of several feature sets; the command names those that are not done, and its options."""
    plans = [replace(new, featureset=name) for name in ("a", "b", "c")]
    walked = Walked("fp apply", "--start-empty")
    walked.expect(plans)
    assert walked.in_words() == "not started: a, b, c\nto finish: fp apply a b c --start-empty"
    _walk(walked, plans[0], AwaitCheckpoint)
    walked.end()
    _walk(walked, plans[1], SubmitJob)
    lines = walked.in_words().splitlines()
    assert lines[0].startswith("done: a; b was interrupted: at the stage `submit the job")
    assert lines[0].endswith("; not started: c")
    assert lines[1] == "to finish: fp apply b c --start-empty"


def test_without_a_plan_nothing_was_changed() -> None:
    """Also where nothing differs."""
    assert Walked("fp apply").in_words() == "nothing was changed"


@contextmanager
def _opened(_: object) -> Iterator[None]:
    yield


def _interrupted(*_: object, **__: object) -> NoReturn:
    raise KeyboardInterrupt


def test_an_interrupted_apply_ends_with_130(
    fp: RunFp, new: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with the command that finishes it."""
    monkeypatch.setattr(changes, "open_project", _opened)
    monkeypatch.setattr(applying, "make_plans", lambda *_, **__: [new])
    monkeypatch.setattr(applying, "apply", _interrupted)
    monkeypatch.setattr(lists, "make_list_plans", lambda *_, **__: [])
    ran = fp("apply", "--yes")
    assert (ran.code, ran.out) == (130, "")
    assert "interrupted: shop was interrupted: nothing was changed" in ran.messages
    assert ran.messages.endswith("to finish: fp apply shop\n")


def test_an_interrupted_wait_says_that_nothing_changed(
    fp: RunFp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs go on."""
    monkeypatch.setattr(waiting, "open_project", _opened)
    monkeypatch.setattr(waits, "wait", _interrupted)
    ran = fp("wait", "shop")
    assert ran.code == 130
    assert ran.messages.endswith("nothing was changed\nto wait again: fp wait shop\n")


def test_any_other_command_says_that_it_was_interrupted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    """`fp up` among them."""
    monkeypatch.setattr(load_project.__module__ + ".load_project", _interrupted)
    assert run(["--project", str(folder), "validate"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_what_is_not_interrupted_passes() -> None:
    """Errors keep their way."""
    with interruptible(str):
        pass
    with pytest.raises(ValueError, match="x"), interruptible(str):
        raise ValueError("x")  # noqa: EM101
