"""Writes a new project: a source, a feature set, example events, and what surrounds them.

Nothing is ever overwritten: the folder is new or empty, and each file must not exist.
"""

from collections.abc import Mapping
from pathlib import Path

from feature_platform.definition.schema import FILE, schema_text
from feature_platform.errors import CallerError
from feature_platform.paths import odd_characters
from feature_platform.settings import SETTINGS_FILE
from feature_platform.starter.events import COUNT, HOURS, example_events
from feature_platform.words import names_of

TEMPLATES = Path(__file__).parent / "files"
FILES: Mapping[str, str] = {
    "README.md": "README.md",
    ".gitignore": "gitignore",
    SETTINGS_FILE: "feature_platform.toml",
    "definitions.py": "definitions.py.txt",
    "featuresets/sources/post_events.yaml": "post_events.yaml",
    "featuresets/post_engagement.yaml": "post_engagement.yaml",
    ".github/workflows/features.yaml": "workflow.yaml",
}
"""Each file of a project, and the template it is written from."""
EVENTS = "events.jsonl"
SCHEMA = f"featuresets/{FILE}"
"""Of definitions, for editors: their first lines name it."""
NAMES_MAX = 5


def write_project(folder: Path, version: str, now_ms: int) -> list[Path]:
    """Write a project into a new or empty folder; return its files.

    Args:
        folder: Where; it is created with its parents.
        version: Of feature-platform, which the project's own checks install.
        now_ms: When the last of the example events happens.

    Raises:
        CallerError: The folder is not empty, or the servers could not work in it.
        OSError: It cannot be written.
    """
    check_folder(folder)
    known = {
        "@NAME@": folder.resolve().name,
        "@VERSION@": version,
        "@EVENTS@": f"{COUNT:,}",
        "@HOURS@": str(HOURS),
    }
    written = []
    for name, template in FILES.items():
        text = (TEMPLATES / template).read_text(encoding="utf-8")
        for mark, value in known.items():
            text = text.replace(mark, value)
        written.append(_write(folder / name, text))
    events = "".join(f"{event}\n" for event in example_events(now_ms))
    written.append(_write(folder / EVENTS, events))
    written.append(_write(folder / SCHEMA, schema_text()))
    return written


def check_folder(folder: Path) -> None:
    """Check that a project can be written into a folder.

    Raises:
        CallerError: It is not empty, or the servers could not work in it.
        OSError: It cannot be read.
    """
    odd = odd_characters(folder.resolve())
    if odd:
        msg = (
            f"the servers cannot work in {str(folder.resolve())!r}: its path has "
            f"{', '.join(map(repr, odd))}; name another folder"
        )
        raise CallerError(msg)
    if folder.exists() and not folder.is_dir():
        msg = f"{folder} is a file; name another folder"
        raise CallerError(msg)
    found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if found:
        msg = (
            f"{folder} is not empty, it has {names_of(found, NAMES_MAX)}: fp init overwrites "
            "nothing. Name a new folder, or add a feature set to this one with fp new NAME"
        )
        raise CallerError(msg)


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    return path
