"""Odd events are as odd as they are meant to be, and the oracle knows what becomes of each."""

import random
from collections import Counter
from pathlib import Path

import pytest

from feature_platform.clock import SystemClock
from feature_platform.definition.loading import load_project
from feature_platform.testing import DeadLetter, RawEvent
from feature_platform.testing.reference_events import judge
from tests.chaos.definitions import ENTITY, NAME, write_definitions
from tests.chaos.load import is_watched
from tests.chaos.odd_events import (
    FLOOD,
    KINDS,
    LARGE_BYTES,
    Draw,
    clock_ahead,
    entity,
    flood,
    huge_texts,
    largest_events,
    long_keys,
)


def _judged(draw: Draw, tmp_path: Path) -> Counter[str]:
    write_definitions(tmp_path / "featuresets", 0)
    source = load_project(tmp_path / "featuresets").checked().sources[NAME]
    now_ms = SystemClock().now_ms()
    found = Counter[str]()
    for offset, odd in enumerate(draw(random.Random(3), now_ms)):  # noqa: S311
        raw = RawEvent(
            value=odd.value, partition=0, offset=offset, timestamp_ms=now_ms + odd.ahead_ms
        )
        judged = judge(source, ENTITY, raw)
        found[judged.reason if isinstance(judged, DeadLetter) else "counts"] += 1
        assert len(odd.value) <= LARGE_BYTES
    return found


@pytest.mark.parametrize(
    ("draw", "counts", "refused"),
    [
        (huge_texts, 40, {}),
        (largest_events, 1, {"too_large": 3}),
        (flood, 0, {"not_json": FLOOD}),
        (long_keys, 1, {"bad_entity": 1}),
    ],
)
def test_what_becomes_of_them(
    draw: Draw, counts: int, refused: dict[str, int], tmp_path: Path
) -> None:
    """Some count, the others are refused for their own reason."""
    found = _judged(draw, tmp_path)
    assert (found.pop("counts", 0), dict(found)) == (counts, refused)


def test_every_kind_sends_something(tmp_path: Path) -> None:
    """Times and clocks too, whatever the source makes of them."""
    assert all(_judged(draw, tmp_path / draw.__name__).total() for draw in KINDS)
    assert _judged(clock_ahead, tmp_path / "again").total() == 3


def test_nobody_watches_their_entities() -> None:
    """The watch knows when an event was sent by the load alone."""
    chance = random.Random(1)  # noqa: S311
    assert not any(is_watched(entity(chance)) for _ in range(200))
