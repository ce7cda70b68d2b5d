"""What a shell completes: names that a project defines, found without reading all of YAML."""

import re
from collections.abc import Iterable
from pathlib import Path

import typer

from feature_platform.feature_log_settings import FEATURE_LOG

FOLDER = "featuresets"
SUFFIXES = frozenset({".yaml", ".yml"})
FILES_MAX = 2_000
"""More are not looked into: a person waits for the answer."""
HEAD_BYTES = 4_096
"""The name is near the beginning."""
_NAME = r"^%s:[ ]*['\"]?([a-z][a-z0-9_]*)"
_FEATURE_SET, _SOURCE, _LIST = (
    re.compile((_NAME % key).encode(), re.MULTILINE) for key in ("featureset", "source", "list")
)


def featuresets(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of feature sets that begin with a text; none where nothing can be read."""
    return _beginning(incomplete, _names(context, "", _FEATURE_SET))


def sources(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of sources; see `featuresets`."""
    return _beginning(incomplete, _names(context, "sources", _SOURCE))


def lists(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of feature lists; see `featuresets`."""
    return _beginning(incomplete, _names(context, "lists", _LIST))


def measured(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names that have statistics: feature sets and lists."""
    found = {*featuresets(context, incomplete), *lists(context, incomplete)}
    return sorted(found)


def archived(context: typer.Context, incomplete: str) -> list[str]:
    """Return what can be archived: sources, and `feature_log/<list>`."""
    served = {f"{FEATURE_LOG}/{name}" for name in _names(context, "lists", _LIST)}
    return _beginning(incomplete, {*_names(context, "sources", _SOURCE), *served})


def checked(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names that can be checked: feature sets, or lists after `--match`."""
    return (lists if context.params.get("matching") else featuresets)(context, incomplete)


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def _names(context: typer.Context, folder: str, pattern: re.Pattern[bytes]) -> set[str]:
    project = context.find_root().params.get("project") or Path()
    try:
        paths = sorted((Path(project) / FOLDER / folder).iterdir())[:FILES_MAX]
    except OSError:
        return set()
    names = {_name(path, pattern) for path in paths if path.suffix in SUFFIXES}
    return names - {""}


def _name(path: Path, pattern: re.Pattern[bytes]) -> str:
    """Return the name that a file defines; empty if there is none."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            found = pattern.search(file.read(HEAD_BYTES))
    except OSError:
        return ""
    return found[1].decode() if found else ""
