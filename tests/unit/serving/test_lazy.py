"""Texts and lists stay encoded until they are asked for."""

import pytest

from feature_platform.rows.codec import decode_items
from feature_platform.rows.partials import Item
from feature_platform.serving import finish
from feature_platform.testing import Deployed
from feature_platform.tiles.layout import Carrier


@pytest.fixture(name="decoded")
def _decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Item, ...]]:
    """Note what is decoded."""
    noted: list[tuple[Item, ...]] = []

    def note(encoded: bytes, carrier: Carrier) -> tuple[Item, ...]:
        noted.append(decode_items(encoded, carrier))
        return noted[-1]

    monkeypatch.setattr(finish, "decode_items", note)
    return noted


def test_counters_decode_no_texts(world: Deployed, decoded: list[tuple[Item, ...]]) -> None:
    """The rows hold them, the request does not want them."""
    matrix = world.client.prepare(["posts.views_1d", "posts.score_2h"]).get(["a", "b"])
    assert matrix.to_dicts()[0]["values"]["posts.views_1d"] == 2
    assert decoded == []


def test_a_text_is_decoded_where_there_is_one(
    world: Deployed, decoded: list[tuple[Item, ...]]
) -> None:
    """One of each entity that has it; neither the other properties nor an entity without."""
    world.client.prepare(["posts.action", "posts.views_1d"]).get(["a", "b", "nobody", "a"])
    assert [[item.value for item in items] for items in decoded] == [["view"], ["view"]]


def test_a_past_instant_decodes_no_property(
    world: Deployed, decoded: list[tuple[Item, ...]]
) -> None:
    """Properties keep no past."""
    world.client.prepare(["posts.action"]).get(["a"], at=world.clock.now_ms())
    assert decoded == []
