"""What a shell completes: names of a project's feature sets, found without reading all of YAML."""

import re
from pathlib import Path

import typer

FOLDER = "featuresets"
SUFFIXES = frozenset({".yaml", ".yml"})
FILES_MAX = 2_000
"""More are not looked into: a person waits for the answer."""
HEAD_BYTES = 4_096
"""The name is near the beginning."""
_NAME = re.compile(rb"^featureset:[ ]*['\"]?([a-z][a-z0-9_]*)", re.MULTILINE)


def featuresets(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of feature sets that begin with a text; none where nothing can be read."""
    project = context.find_root().params.get("project") or Path()
    try:
        paths = sorted((Path(project) / FOLDER).iterdir())[:FILES_MAX]
    except OSError:
        return []
    names = {_name(path) for path in paths if path.suffix in SUFFIXES}
    return sorted(name for name in names if name and name.startswith(incomplete))


def _name(path: Path) -> str:
    """Return the name of the feature set in a file; empty if there is none."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            found = _NAME.search(file.read(HEAD_BYTES))
    except OSError:
        return ""
    return found[1].decode() if found else ""
