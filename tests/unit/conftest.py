"""Fixtures of several folders."""

from pathlib import Path

import pytest

from tests.unit.stage import Stage, empty_stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """An empty world in memory."""
    return empty_stage(tmp_path)
