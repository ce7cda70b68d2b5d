"""By whose clock event times are bounded, a deployer learns when the topic is there."""

import pytest

from feature_platform.deploy.apply import apply, make_plans
from tests.unit.stage import Stage


@pytest.mark.parametrize("topics", [(), ("post_events",), ("post_events.dead_letters",)])
def test_a_topic_of_its_producers_clocks_is_reported(stage: Stage, topics: tuple[str, ...]) -> None:
    """By these event times are bounded then; dead letters have no such bound."""
    stage.topics.by_producers = topics
    said: list[str] = []
    apply(stage.world, make_plans(stage.world, stage.define(), ["posts"]), said.append)
    notes = [text for text in said if "their producers' clocks" in text]
    assert [note.split()[5].rstrip(",") for note in notes] == [
        name for name in topics if name == "post_events"
    ]
