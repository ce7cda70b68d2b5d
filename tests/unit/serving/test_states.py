"""What a value says is told apart: each state of the table in docs/serving.md is produced."""

from pathlib import Path

import numpy as np
import pytest

from feature_platform.errors import CallerError
from feature_platform.serving import FeatureClient
from feature_platform.testing import Deployed
from feature_platform.testing.neighbours import WatchedReader
from tests.unit.serving.conftest import NOW_MS
from tests.unit.serving.several import young

DOCS = Path(__file__).parents[3] / "docs" / "serving.md"
MINUTE_MS = 60_000


def _states(world: Deployed, name: str, entity: str, *, at: int | None = None) -> str:
    return str(world.client.prepare([name]).get([entity], at=at).states[0, 0])


def produced(world: Deployed) -> dict[str, str]:
    """Return each state, made as the table says."""
    failing = FeatureClient(WatchedReader(world.tiles, ["a"]), world.registry, clock=world.clock)
    aged = world.client.prepare(["posts.action"], max_age={"posts.action": "10s"})
    found = {
        "value": _states(world, "posts.views_30m", "a"),
        "zero": _states(world, "posts.scored_30m", "b"),
        "no_data": _states(world, "posts.views_30m", "nobody"),
        "expired": _states(world, "posts.worst_30m", "b"),
        "not_kept": _states(world, "posts.action", "a", at=NOW_MS),
        "stale": str(aged.get(["a"]).states[0, 0]),
        "unavailable": str(failing.prepare(["posts.action"]).get(["a"]).states[0, 0]),
    }
    young(world, NOW_MS - MINUTE_MS)
    later = FeatureClient(world.tiles, world.registry, clock=world.clock)
    return found | {
        "not_yet_valid": str(later.prepare(["posts.views_30m"]).get(["a"]).states[0, 0])
    }


def test_every_state_of_the_table_is_produced(world: Deployed) -> None:
    """`out_of_range` needs sums beyond 95 bits; it has a test of its own."""
    young(world, 0)
    found = produced(world)
    assert found == {state: state for state in found}
    section = DOCS.read_text().split("## What a value says\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| `")]
    assert {row.strip("`") for row in rows} == {*found, "out_of_range"}


def test_a_property_that_never_had_a_value_is_no_data(world: Deployed) -> None:
    """The entity has events, none of them with this column."""
    young(world, 0)
    assert _states(world, "posts.price", "b") == "no_data"


def test_a_property_older_than_its_age_is_no_value(world: Deployed) -> None:
    """The bound itself is young enough; a list of items goes by its newest one."""
    young(world, 0)
    names = ["posts.action", "posts.price", "posts.actions", "posts.views_30m"]
    prepared = world.client.prepare(
        names, max_age={"posts.action": "30s", "posts.price": "19m", "posts.actions": "30s"}
    )

    matrix = prepared.get(["a", "b", "nobody"])

    assert matrix.states.tolist() == [
        ["value", "stale", "value", "value"],
        ["stale", "no_data", "stale", "value"],
        ["no_data"] * 4,
    ]
    assert matrix.objects["posts.action"] == ["view", None, None]
    assert np.isnan(matrix.values[0, 1])
    world.clock.advance(1)
    assert prepared.get(["a"]).states[0, 0] == "stale"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("posts.views_30m", "it is a COUNT, and only LAST_VALUE and LAST_N have an age"),
        ("posts.discoverer", "it is a FIRST"),
        ("posts.actio", "not among the features; did you mean `posts.action`"),
    ],
)
def test_only_newest_values_have_an_age(world: Deployed, name: str, problem: str) -> None:
    """Of a window or a first value an age says nothing."""
    names = ["posts.action", "posts.views_30m", "posts.discoverer"]
    with pytest.raises(CallerError, match=problem):
        world.client.prepare(names, max_age={name: "7d"})
