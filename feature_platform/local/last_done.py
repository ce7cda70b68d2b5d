"""When something was last done in a project, for `fp status`: archived, checked.

A small file each in `.fp/last_done`, so that whatever runs at the same time writes its own, and so
that telling costs no server. What is done from another machine's project is not known here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from feature_platform.clock import Clock, SystemClock
from feature_platform.paths import make_private
from feature_platform.settings import Settings

What = Literal["archived", "checked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDone:
    """What was done to one source or feature set last."""

    at_ms: int
    facts: Mapping[str, Any]
    """What came of it: `records` that were added; or the `red` checks, and `skipped` ones."""


def record(
    settings: Settings, what: What, name: str, facts: Mapping[str, Any], clock: Clock | None = None
) -> None:
    """Note that something was done now.

    Raises:
        OSError: The project's folder cannot be written.
    """
    path = _path(settings, what, name)
    make_private(settings.data)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"at_ms": (clock or SystemClock()).now_ms(), "facts": dict(facts)}))
    fresh.replace(path)


def last_done(settings: Settings, what: What, name: str) -> LastDone | None:
    """Return when something was done last, and what came of it; None if never, or nobody knows."""
    try:
        found = json.loads(_path(settings, what, name).read_text())
        return LastDone(at_ms=int(found["at_ms"]), facts=dict(found["facts"]))
    except (OSError, ValueError, KeyError, TypeError):  # never, or cut off by a power cut
        return None


def _path(settings: Settings, what: What, name: str) -> Path:
    folder = settings.data / "last_done" / settings.store.keyspace
    return folder / f"{what}-{quote(name, safe='')}.json"
