"""Commands as a person runs them, in this process; a feature set that is served from memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from feature_platform.cli import reading
from feature_platform.cli.main import run
from feature_platform.definition.loading import load_project
from feature_platform.serving import FeatureClient
from feature_platform.testing import Deployed, RawEvent, deploy_in_memory

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000

HOSTILE = (
    "[/b]",
    "[red]sale[/red]",
    "[link=https://x.example]y[/link]",
    ":smile:",
    "\x1b[31mred\x1b[0m",
    "bell\x07 back\x08 return\r",
    "two\nlines",
    "right\u202eto left\u200f",
    "\x9b2J",
    "no width\u200b",
    "é 🎉 日本",
)
"""Texts that a console could take for something else than themselves."""

SOURCE = """\
source: events
topic: events
format: json
event_time: ts
columns: {item: STRING, price: DOUBLE, cents: BIGINT, ts: TIMESTAMP}
"""
FEATURE_SET = """\
featureset: shop
description: What is bought.
owner: tests
entity: item
source: events
sql: |
  SELECT item,
         COUNT(*)           AS sold,
         SUM(cents)         AS cents,
         LAST_VALUE(price)  AS price,
         LAST_VALUE(item)   AS name,
         LAST_N(item, 3)    AS names
  FROM events
  GROUP BY item
features:
  sold:  {windows: [30m, 7d], lifetime: true}
  cents: {windows: [1d]}
  price: latest
  name:  latest
  names: latest
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What became of a command."""

    code: int
    out: str
    messages: str


RunFp = Callable[..., Ran]
Serve = Callable[..., Deployed]


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
            reading,
            "open_client",
            lambda _: FeatureClient(made.tiles, made.registry, clock=made.clock),
        )
        return made

    return make
