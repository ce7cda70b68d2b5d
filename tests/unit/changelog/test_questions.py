"""The questions that the documentation asks are answered."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_platform.changelog.embedded import EmbeddedOlap
from feature_platform.testing.changes import Change
from tests.unit.changelog.log_case import START_MS, MemoryTopic, clickhouse, load

PAGE = Path(__file__).parents[3] / "docs" / "changelog.md"
QUESTIONS = [
    each.replace("changes_post_stats_g1", "changes_posts_g1")
    for each in re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
]
ANSWERS = [
    [["42", 3, 1], ["43", 1, 0]],
    [["2026-12-02 21:20:00.000", 7]],
    [["2026-12-02 21:00:00", [1_000, 1_490]]],
]


@pytest.fixture(name="olap")
def _olap(tmp_path: Path) -> Iterator[EmbeddedOlap]:
    with clickhouse(tmp_path) as opened:
        topic = MemoryTopic()
        at = {"entity": "42", "tile_ms": START_MS}
        topic.put(
            [
                Change(seq=0, kind=5, tile_ms=1_000_000_000),
                Change(seq=1, kind=0, values={0: 1, 1: 5}, at_ms=START_MS + 500, **at),  # type: ignore[arg-type]
                Change(seq=2, kind=1, values={0: 1, 1: 5}, **at),  # type: ignore[arg-type]
                Change(seq=3, kind=2, values={0: 2, 1: 7}, **at),  # type: ignore[arg-type]
                Change(
                    seq=4,
                    kind=0,
                    entity="43",
                    tile_ms=START_MS,
                    values={1: 1},
                    at_ms=START_MS + 1_500,
                ),
            ]
        )
        load(opened, topic)
        yield opened


@pytest.mark.parametrize(("question", "answer"), list(zip(QUESTIONS, ANSWERS, strict=True)))
def test_a_question_of_the_documentation(
    olap: EmbeddedOlap, question: str, answer: list[object]
) -> None:
    """As it is written there."""
    assert olap.run(question) == answer
