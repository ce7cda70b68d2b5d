"""Fixtures of the checks' tests."""

from pathlib import Path

import pytest

from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from tests.unit.checks.bench import FEATURESET, SOURCE, Bench, counted_bench


@pytest.fixture(scope="session", name="featureset")
def _featureset(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    folder: Path = tmp_path_factory.mktemp("checked")
    (folder / "sources").mkdir()
    (folder / "sources" / "events.yaml").write_text(SOURCE)
    (folder / "posts.yaml").write_text(FEATURESET)
    return load_project(folder).checked().featuresets["posts"]


@pytest.fixture
def bench(featureset: FeatureSet, tmp_path: Path) -> Bench:
    """A feature set whose job has counted all events, with a cut."""
    return counted_bench(featureset, tmp_path)
