"""What became of the newest push, in a file: `fp status` shows it without asking Dagster."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

from feature_platform.paths import make_private
from feature_platform.pushes.push import PushVerdict, State

FILE = "push.json"
TEXT_MAX = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRecord:
    """The newest commit of the watched branch, as the sensor `git_push` has judged it."""

    commit: str
    words: str
    """The commit for a person: its short id and its subject."""
    state: State | Literal["unknown"]
    """`unknown`: the branch cannot be read, or a server did not answer."""
    text: str
    """What failed, or what became of it."""
    at_ms: int
    """When the sensor looked last."""


def write_record(data: Path, verdict: PushVerdict, now_ms: int) -> None:
    """Keep a verdict in the project's folder of data."""
    _write(
        data,
        PushRecord(
            commit=verdict.commit,
            words=verdict.words,
            state=verdict.state,
            text=verdict.text[:TEXT_MAX],
            at_ms=now_ms,
        ),
    )


def write_trouble(data: Path, text: str, now_ms: int) -> None:
    """Keep that nobody could look, and which commit was known before."""
    before = read_record(data)
    _write(
        data,
        PushRecord(
            commit=before.commit if before else "",
            words=before.words if before else "",
            state="unknown",
            text=text[:TEXT_MAX],
            at_ms=now_ms,
        ),
    )


def forget_record(data: Path) -> None:
    """Keep nothing: nothing was pushed yet, whatever kept anybody from looking before."""
    (data / FILE).unlink(missing_ok=True)


def read_record(data: Path) -> PushRecord | None:
    """Return what was kept; None if nothing was, or if nobody can read it."""
    try:
        return PushRecord(**json.loads((data / FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write(data: Path, record: PushRecord) -> None:
    """Write beside and rename, so that nobody reads half of it."""
    make_private(data)
    part = data / f".{FILE}-{uuid4().hex[:8]}"
    try:
        part.write_text(json.dumps(asdict(record), indent=1), "utf-8")
        part.replace(data / FILE)
    finally:
        part.unlink(missing_ok=True)
