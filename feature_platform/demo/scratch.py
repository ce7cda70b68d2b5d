"""The demo's own copy of the definitions, in which it may edit."""

import shutil
from pathlib import Path

from feature_platform.paths import FLIGHTS
from feature_platform.settings import Settings

SOURCE = "flights"
FEATURE_SETS = ("airport_traffic", "carrier_punctuality", "aircraft_usage")

UPGRADED = "airport_traffic"
NEW_FEATURE = "very_late"
_EDITS = (
    ("SUM(distance) ", "COUNT(*) FILTER (WHERE arr_delay > 60)     AS very_late,"),
    ("miles:       {", "very_late:   {windows: [1d], lifetime: true, description: An hour late.}"),
)
"""How a line begins that is there once, and what is inserted as a line before it."""


def copy_definitions(settings: Settings) -> Path:
    """Copy the flights' definitions into the demo's folder, and return that."""
    folder = settings.data / "demo" / "featuresets"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "sources").mkdir(parents=True)
    for name in (*FEATURE_SETS, f"sources/{SOURCE}"):
        shutil.copy(FLIGHTS / f"{name}.yaml", folder / f"{name}.yaml")
    return folder


def add_column(folder: Path) -> Path:
    """Add a column to one feature set's query and serve it; return the edited file.

    Raises:
        ValueError: The definition has not exactly one line of each kind to insert before.
    """
    path = folder / f"{UPGRADED}.yaml"
    lines = path.read_text().splitlines()
    for beginning, inserted in _EDITS:
        (place,) = [at for at, line in enumerate(lines) if line.strip().startswith(beginning)]
        indent = len(lines[place]) - len(lines[place].lstrip())
        lines.insert(place, " " * indent + inserted)
    path.write_text("\n".join(lines) + "\n")
    return path
