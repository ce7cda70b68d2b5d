"""Days of a list that was served, archived in a folder."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.definition.limits import Limit, StatisticsRules
from feature_platform.feature_log.sample import Sample
from tests.unit.feature_log.samples import column, matrix, sample
from tests.unit.feature_log.topic import MemoryTopic, archived

DAY_MS = 86_400_000
FIRST_MS = 1_700_000_000_000
"""An instant of the first day."""
DAYS = tuple(f"2023-11-{day}" for day in range(14, 31))
ROWS = 50
"""Of an answer."""
Values = dict[str, tuple[str, Sequence[Any]]]


def answer(values: Values, *, day: int = 0, number: int = 0, version: int = 1) -> Sample:
    """Return what was served, a row for each value."""
    count = len(next(iter(values.values()))[1])
    columns = {name: (type_, column(type_, each)) for name, (type_, each) in values.items()}
    keys = tuple(f"p{row}" for row in range(count))
    made = sample(matrix(columns, {"post": keys}), version=version)
    return replace(made, request_id=f"{number:016x}", instant_ms=FIRST_MS + day * DAY_MS + number)


def drawn(seed: int, shift: int = 0) -> Values:
    """Return an answer about views, languages and flags."""
    draw = random.Random(seed)  # noqa: S311
    return {
        "views": (
            "BIGINT",
            [
                None if draw.random() < 0.1 else int(draw.expovariate(0.1)) + shift
                for _ in range(ROWS)
            ],
        ),
        "language": ("STRING", [draw.choice(["en", "de", "fr"]) for _ in range(ROWS)]),
        "flag": ("BOOLEAN", [draw.random() < 0.3 for _ in range(ROWS)]),
    }


def served(
    folder: Path,
    days: Sequence[int],
    answers: int = 20,
    values: Callable[[int, int], Values] = lambda _, number: drawn(number),
    topic: MemoryTopic | None = None,
) -> MemoryTopic:
    """Archive answers of some days.

    Args:
        folder: Of the project.
        days: Counted from the first.
        answers: Of each day.
        values: Called with the day and the number of the answer.
        topic: What was sent before.
    """
    topic = topic or MemoryTopic()
    for day in days:
        for number in range(answers):
            topic.send_samples(answer(values(day, number), day=day, number=number))
    archived(topic, folder, records_max=1_000)
    return topic


def listed(*limits: Limit, columns: Sequence[str] = ("views", "language", "flag")) -> FeatureList:
    """Return the list with limits; a day of 500 rows is enough."""
    return FeatureList(
        name="home",
        version=1,
        features=tuple(ListedFeature(name=f"posts.{name}", shown_as=name) for name in columns),
        statistics=StatisticsRules(limits=limits, rows_min=500),
    )
