"""What a push launches, what an idle tick says, and what is told of a commit."""

from collections.abc import Collection
from dataclasses import replace

import pytest

from feature_platform.pushes.push import (
    TRIES_MAX,
    Memory,
    Pushed,
    PushedChange,
    PushTick,
    decide,
    done,
    left_to_do,
)

FIRST, SECOND = "a" * 40, "b" * 40
MINUTE_MS = 60_000


def wanted(fingerprint: str = "f1", attempt: int = 1, stays: str = "") -> PushedChange:
    """A changed feature set."""
    return PushedChange(
        featureset="posts", kind="forward", fingerprint=fingerprint, attempt=attempt, stays=stays
    )


def pushed(commit: str, *changes: PushedChange, problems: tuple[str, ...] = ()) -> Pushed:
    """A head."""
    return Pushed(
        commit=commit, words=f"{commit[:3]} (x)", problems=problems, wanted=changes, undefined=()
    )


def after(tick: PushTick | None) -> Memory:
    """Return what a tick remembers."""
    return Memory.read(tick.cursor if tick else None)


def tick(
    head: Pushed,
    before: PushTick | None = None,
    running: Collection[str] = (),
    now_ms: int = MINUTE_MS,
) -> PushTick:
    """Decide."""
    return decide(head, after(before), running, now_ms)


def test_a_change_is_launched_once() -> None:
    """While its run is under way nothing is launched; once it is deployed, the commit is done."""
    first = tick(pushed(FIRST, wanted()))
    (launch,) = first.launches
    assert (launch.featureset, launch.commit) == ("posts", FIRST)
    assert launch.run_key == f"push:{FIRST}:posts:f1:1:1"
    second = tick(pushed(FIRST, wanted(attempt=2)), first, running={"posts"})
    assert second.launches == ()
    assert "a run for it is in progress" in second.words
    third = tick(pushed(FIRST), second)
    assert (third.launches, bool(after(third).done)) == ((), True)


def test_a_failure_is_tried_again_a_few_times_and_then_told() -> None:
    """Each time after a longer while."""
    last, keys = tick(pushed(FIRST, wanted()), now_ms=MINUTE_MS), []
    for minute in range(2, 60):
        last = tick(pushed(FIRST, wanted()), last, now_ms=minute * MINUTE_MS)
        keys += [(minute, launch.run_key) for launch in last.launches]
    assert [minute for minute, _ in keys] == [2, 7]
    assert len({key for _, key in keys}) == TRIES_MAX - 1
    assert "was launched 3 times and is still not deployed" in last.words
    again = tick(pushed(SECOND, wanted()), last)
    (launch,) = again.launches
    assert launch.run_key not in {key for _, key in keys}  # Dagster launches a key once


def test_a_revert_is_launched_although_it_was_deployed_before() -> None:
    """The attempt that is deployed then is another one."""
    first = tick(pushed(FIRST, wanted("old", attempt=0)))
    second = tick(pushed(SECOND, wanted("new", attempt=1)), first)
    third = tick(pushed(FIRST, wanted("old", attempt=2)), second)
    keys = {launch.run_key for each in (first, second, third) for launch in each.launches}
    assert len(keys) == 3


def test_a_push_during_a_run_waits_for_its_end() -> None:
    """Then what it changes is launched; the commit in between may never be."""
    first = tick(pushed(FIRST, wanted("f1")))
    second = tick(pushed(SECOND, wanted("f2")), first, running={"posts"})
    assert second.launches == ()
    third = tick(pushed(SECOND, wanted("f2", attempt=2)), second)
    assert [launch.commit for launch in third.launches] == [SECOND]


def test_mistakes_stop_no_other_feature_set() -> None:
    """They are told with file and line."""
    told = tick(pushed(FIRST, wanted(), problems=("featuresets/x.yaml:7:3: no column",)))
    assert "featuresets/x.yaml:7:3: no column" in told.words
    assert len(told.launches) == 1


def test_what_stays_is_told_and_not_looked_at_again() -> None:
    """A stopped feature set, for one."""
    told = tick(pushed(FIRST, wanted(stays="was stopped deliberately")))
    assert told.launches == ()
    assert "posts: was stopped deliberately" in after(told).done


def test_of_a_known_commit_only_what_is_left_is_looked_at() -> None:
    """So a rollback by a person stays."""
    first = tick(pushed(FIRST, wanted()))
    assert left_to_do(after(first), FIRST) == ["posts"]
    assert left_to_do(after(first), SECOND) is None
    assert left_to_do(after(None), FIRST) is None


def test_a_commit_is_judged_once_and_for_all_that_is_of_it() -> None:
    """Under way, then done; the same verdict is not told twice."""
    first = tick(pushed(FIRST, wanted()))
    assert verdict(first) == ("pending", True)
    second = tick(pushed(FIRST, wanted(attempt=2)), first, running={"posts"})
    assert verdict(second) == ("pending", False)
    third = tick(pushed(FIRST), second)
    assert verdict(third) == ("success", True)


def test_a_commit_with_a_mistake_has_failed_whatever_else_of_it_is_deployed() -> None:
    """It is told at once, and once: what is right goes on."""
    told = ("featuresets/x.yaml:7:3: no column",)
    first = tick(pushed(FIRST, wanted(), problems=told))
    assert verdict(first) == ("failure", True)
    assert first.verdict is not None
    assert first.verdict.text == told[0]
    second = tick(pushed(FIRST, problems=told), first)
    assert verdict(second) == ("failure", False)
    assert verdict(tick(pushed(SECOND), second)) == ("success", True)


def test_what_cannot_be_deployed_as_it_was_pushed_has_failed() -> None:
    """A refused change; what was stopped on purpose is no failure of whoever pushed."""
    refused = replace(wanted(stays="a rebuild has to be asked for"), kind="")
    first = tick(pushed(FIRST, refused, replace(wanted(), featureset="users")))
    assert verdict(first) == ("failure", True)
    second = tick(pushed(FIRST), first)  # users is done, and is all that was looked at
    assert verdict(second) == ("failure", False)
    assert "a rebuild has to be asked for" in after(second).done
    assert verdict(tick(pushed(FIRST, wanted(stays="was stopped deliberately")))) == (
        "success",
        True,
    )


def test_what_does_not_deploy_has_failed_once_it_is_tried_no_more() -> None:
    """Not before: a try may still succeed, and a person may end it by hand."""
    last = tick(pushed(FIRST, wanted()), now_ms=MINUTE_MS)
    states = [verdict(last)]
    for minute in range(2, 10):
        last = tick(pushed(FIRST, wanted()), last, now_ms=minute * MINUTE_MS)
        states.append(verdict(last))
    news = [state for state, is_news in states if is_news]
    assert news == ["pending", "failure"]
    assert verdict(tick(pushed(FIRST), last)) == ("success", True)


def test_what_cannot_be_planned_for_the_moment_is_looked_at_again() -> None:
    """A server that did not answer for one feature set; the others are launched."""
    silent = replace(wanted(), featureset="users", kind="", trouble="Flink did not answer")
    first = tick(pushed(FIRST, silent, wanted()))
    assert [launch.featureset for launch in first.launches] == ["posts"]
    assert left_to_do(after(first), FIRST) == ["posts", "users"]
    second = tick(pushed(FIRST, replace(wanted(), featureset="users")), first)
    assert [launch.featureset for launch in second.launches] == ["users"]


def test_a_commit_that_cannot_be_read_has_failed_and_is_tried_again() -> None:
    """It is as if it had not been seen, but for its verdict."""
    huge = replace(pushed(SECOND), unreadable="it holds 1,000,000 definitions")
    first = tick(pushed(FIRST))
    second = tick(huge, first)
    assert verdict(second) == ("failure", True)
    assert after(second).commit == FIRST
    assert verdict(tick(huge, second)) == ("failure", False)
    third = tick(pushed(SECOND, wanted()), second)
    assert len(third.launches) == 1
    assert verdict(third) == ("pending", True)


def test_thousands_of_mistakes_are_told_in_a_few_words() -> None:
    """The cursor is written at each tick, and read by people."""
    told = tick(pushed(FIRST, problems=tuple(f"f.yaml:{line}:1: x" for line in range(10_000))))
    assert "and 9,980 more errors" in told.words
    assert len(told.cursor) < 5_000


def test_a_commit_that_is_done_keeps_its_verdict() -> None:
    """It is kept at each tick: a moment without a server would else be the last thing known."""
    told = ("featuresets/x.yaml:7:3: no column",)
    for head, state in ((pushed(FIRST, problems=told), "failure"), (pushed(FIRST), "success")):
        last = tick(head)
        again = done(after(last))
        assert verdict(again) == (state, False)
        assert again.verdict == last.verdict
        assert after(again) == after(last)


@pytest.mark.parametrize("cursor", ["", "{", "[]", '"x"', '{"tries": 3}', '{"nobody": 1}', "null"])
def test_a_cursor_of_another_version_is_none(cursor: str) -> None:
    """What is deployed already is found so, and not launched."""
    assert Memory.read(cursor) == Memory()


def verdict(told: PushTick) -> tuple[str, bool]:
    """Return how a commit is judged, and whether that is news."""
    assert told.verdict is not None
    return told.verdict.state, told.is_news
