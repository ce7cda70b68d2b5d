"""The demo's own copy of the definitions, in which it may edit."""

import shutil
from pathlib import Path

from feature_platform.settings import REPOSITORY, Settings

FEATURE_SETS = ("airport_traffic", "carrier_punctuality", "aircraft_usage")
SOURCE = "flights"

UPGRADED = "airport_traffic"
NEW_FEATURE = "very_late"
_EDITS = (
    (
        "         SUM(distance) ",
        "         COUNT(*) FILTER (WHERE arr_delay > 60)     AS very_late,\n         SUM(distance) ",
    ),
    (
        "  miles:       {",
        "  very_late:   {windows: [1d], lifetime: true, description: Arrived an hour late.}\n"
        "  miles:       {",
    ),
)


def copy_definitions(settings: Settings) -> Path:
    """Copy the flights' definitions into the demo's folder, and return that."""
    folder = settings.data / "demo" / "featuresets"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "sources").mkdir(parents=True)
    for name in (*FEATURE_SETS, f"sources/{SOURCE}"):
        shutil.copy(REPOSITORY / "featuresets" / f"{name}.yaml", folder / f"{name}.yaml")
    return folder


def add_column(folder: Path) -> Path:
    """Add a column to one feature set's query and serve it; return the edited file.

    Raises:
        ValueError: The definition no longer has the lines that the edit stands beside.
    """
    path = folder / f"{UPGRADED}.yaml"
    text = path.read_text()
    for before, after in _EDITS:
        if text.count(before) != 1:
            msg = (
                f"{path} has {text.count(before)} lines with {before!r}, so the demo cannot edit it"
            )
            raise ValueError(msg)
        text = text.replace(before, after)
    path.write_text(text)
    return path
