"""What a recounter is asked for and what it reports; `backfill.recount` is the other side."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from feature_platform.engines.job_spec import StartFields, job_spec
from feature_platform.plan.snapshot import Snapshot
from feature_platform.rows.undo import RowKey
from feature_platform.settings import Settings

SLICES = 1_000_000
"""Entities fall into so many slices by the CRC-32 of their key; a share is some of them."""

Fact = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TileSelection:
    """Which tiles are recomputed."""

    days: Sequence[str] | None = None
    """Archived files that may hold events of these dates alone; None: all."""
    whole_log: bool = False
    """Return the damage in files of all dates."""
    span: tuple[int, int] | None = None
    """Events of these times `[start, end)` alone; None: all."""
    slices: int | None = SLICES
    """Entities of the first so many slices; None: about `entities_max` entities."""
    slices_of: int = SLICES
    entities_max: int = 0
    entities: Sequence[str] | None = None
    """These alone; None: all."""
    buckets_ms: Sequence[int] = ()
    """Events are counted by buckets of these lengths."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in a child's spec."""
        return asdict(self)


def recount_spec(deployed: Snapshot, settings: Settings) -> dict[str, Any]:
    """Return the job spec of what is deployed, with the sources that read events before."""
    spec = job_spec(deployed, settings, StartFields(start="earliest", end_offsets={}))
    return spec | {"earlier_sources": list(deployed.earlier_sources)}


def rows_of(fact: Fact) -> dict[RowKey, bytes]:
    """Return the rows of an `entity` fact: its head and its closed tiles, as a job writes them."""
    return {
        RowKey(level, start_ms): bytes.fromhex(payload) for level, start_ms, payload in fact["rows"]
    }
