"""What is logged no more: some watched entities, or all of it."""

from dataclasses import replace

import pytest

from feature_platform.errors import PlanRefusedError
from feature_platform.registry.watches import Watch, added_to, without

TWO = Watch(version=3, mode="watched", entities=frozenset({"a", "b"}))


@pytest.mark.parametrize(
    ("before", "entities", "left"),
    [
        (TWO, ["a"], Watch(version=3, mode="watched", entities=frozenset({"b"}))),
        (TWO, ["a", "b"], Watch(version=3)),
        (TWO, [], Watch(version=3)),
        (Watch(version=1, mode="all"), [], Watch(version=1)),
        (
            Watch(version=1, mode="sampled", share=0.1, entities=frozenset({"a"})),
            ["a"],
            Watch(version=1, mode="sampled", share=0.1),
        ),
    ],
)
def test_what_is_left(before: Watch, entities: list[str], left: Watch) -> None:
    """The last named one ends it, unless a share is logged; without names all ends."""
    assert without("posts", before, entities) == left


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (TWO, "c, d; 2 others are"),
        (Watch(mode="all"), "c, d; all entities are logged, which leaves none out"),
        (Watch(), "c, d; nothing is"),
    ],
)
def test_who_is_not_watched_is_named(before: Watch, why: str) -> None:
    """And nothing ends: one of all cannot be left out."""
    with pytest.raises(PlanRefusedError, match=f"not watched by name: {why}") as raised:
        without("posts", before, ["d", "c"])
    assert "fp changelog off posts" in str(raised.value)


def test_what_is_added_to_all_is_refused() -> None:
    """It would end the log of all others; beside a share, and what is named, it is added."""
    with pytest.raises(PlanRefusedError, match=r"all entities are logged.*--only"):
        added_to("posts", Watch(version=1, mode="all"), ["a"])
    assert added_to("posts", TWO, ["c"]).entities == {"a", "b", "c"}
    sampled = Watch(version=1, mode="sampled", share=0.1)
    assert added_to("posts", sampled, ["a"]) == replace(sampled, entities=frozenset({"a"}))
    assert added_to("posts", Watch(), ["a"]).mode == "watched"
