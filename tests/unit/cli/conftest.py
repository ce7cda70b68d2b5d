"""Commands as a person runs them, in this process; a feature set that is served from memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from feature_platform.cli import reading
from feature_platform.cli.main import run
from feature_platform.definition.loading import load_project
from feature_platform.serving import FeatureClient
from feature_platform.serving import opened as opened_client
from feature_platform.testing import Deployed, RawEvent, deploy_in_memory
from tests.unit.cli.running import FEATURE_SET, NOW_MS, SOURCE, Ran, RunFp, Serve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a feature set and its source."""
    (tmp_path / "featuresets" / "sources").mkdir(parents=True)
    (tmp_path / "featuresets" / "sources" / "events.yaml").write_text(SOURCE)
    (tmp_path / "featuresets" / "shop.yaml").write_text(FEATURE_SET)
    return tmp_path


@pytest.fixture
def fp(folder: Path, capsys: pytest.CaptureFixture[str]) -> RunFp:
    """Run `fp` on the project."""

    def call(*arguments: str) -> Ran:
        try:
            code = run(["--project", str(folder), *arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return Ran(code=code, out=printed.out, messages=printed.err)

    return call


@pytest.fixture
def serve(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serve the feature set from memory: the commands that read find it instead of a store."""

    def make(
        events: list[bytes], *, valid_from_ms: int = 0, definition: dict[str, Any] | None = None
    ) -> Deployed:
        featureset = load_project(folder / "featuresets").featuresets["shop"]
        records = [
            RawEvent(value=value, partition=0, offset=number, timestamp_ms=NOW_MS)
            for number, value in enumerate(events)
        ]
        made = deploy_in_memory(
            featureset, records, NOW_MS, valid_from_ms=valid_from_ms, attempt=3, flush=12
        )
        made.registry.save(replace(made.snapshot, definition=definition or {}))

        @contextmanager
        def opened(_: object) -> Iterator[tuple[object, object]]:
            yield made.registry, made.tiles

        monkeypatch.setattr(reading, "open_store", opened)
        monkeypatch.setattr(
            opened_client,
            "open_client",
            lambda _: FeatureClient(made.tiles, made.registry, clock=made.clock),
        )
        return made

    return make
