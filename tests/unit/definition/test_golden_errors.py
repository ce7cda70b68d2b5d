"""Broken definitions and what authors are told: one pair of files each in tests/golden/errors.

Renew the expected texts with `GOLDEN_WRITE=1 pytest tests/unit/definition`.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from feature_platform.definition.loading import Project

ERRORS = Path(__file__).parents[2] / "golden" / "errors"
CASES = sorted(ERRORS.glob("*.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_mistakes_are_told_with_place_and_remedy(
    case: Path,
    load: Callable[[dict[str, bytes]], Project],
    golden: Callable[[Path, str], None],
) -> None:
    """The problems of a broken file are those of its golden file, and its neighbour still loads."""
    folder = "sources/" if case.stem.startswith("source_") else ""

    project = load({f"{folder}{case.name}": case.read_bytes()})

    assert list(project.sources) == ["post_events"]
    assert project.problems
    golden(case.with_suffix(".txt"), "".join(f"{problem}\n" for problem in project.problems))
