"""Fixtures of the definition tests: small projects in a folder, and golden files."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from feature_platform.definition.loading import Project, load_project

GOLDEN = Path(__file__).parents[2] / "golden"
SOURCE = (GOLDEN / "sql" / "sources" / "post_events.yaml").read_text()

LoadFiles = Callable[[Mapping[str, str | bytes]], Project]
CompareGolden = Callable[[Path, str], None]


@pytest.fixture
def load(tmp_path: Path) -> LoadFiles:
    """Load a project of these files (path -> content) and the source post_events."""

    def make(files: Mapping[str, str | bytes]) -> Project:
        folder = tmp_path / "featuresets"
        for path, content in {"sources/post_events.yaml": SOURCE, **files}.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_project(folder)

    return make


@pytest.fixture
def golden() -> CompareGolden:
    """Compare a text with a golden file; GOLDEN_WRITE=1 renews the file first."""

    def compare(path: Path, text: str) -> None:
        if os.environ.get("GOLDEN_WRITE") == "1":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert path.read_text() == text

    return compare
