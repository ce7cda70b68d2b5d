"""What the rows of the registry's tables mean: columns as they are selected, and values."""

import json
from typing import Any

from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import BASE_UNKNOWN, Attempt, CutPart

ATTEMPT_COLUMNS = (
    "attempt, execution, deployment, kind, r_attempt, r_label, end_offsets, claimed_ms, "
    "base_label, dirty_since_ms, clean"
)
CUT_COLUMNS = 'attempt, label, part, "of", positions, recorded_ms, letters'


def snapshot_of(text: str) -> Snapshot:
    """Read what `CqlRegistry.save` wrote."""
    return Snapshot.from_json(json.loads(text))


def _positions(text: str | None) -> dict[str, int]:
    return dict(json.loads(text)) if text else {}


def attempt_of(row: tuple[Any, ...]) -> Attempt:
    """Read a row of `ATTEMPT_COLUMNS`; rows before the second migration lack the last three."""
    return Attempt(
        attempt=row[0],
        execution=row[1] or "",
        deployment=row[2] or "",
        kind=row[3] or "",
        restore_point=(row[4] or 0, row[5] or 0),
        end_offsets=_positions(row[6]),
        claimed_ms=row[7] or 0,
        base_checkpoint_id=BASE_UNKNOWN if row[8] is None else row[8],
        dirty_since_ms=row[9] or 0,
        clean=bool(row[10]),
    )


def cut_part_of(row: tuple[Any, ...]) -> CutPart:
    """Read a row of `CUT_COLUMNS`; one before the third migration lacks the last."""
    attempt, checkpoint_id, part, of, positions, recorded_ms, letters = row
    return CutPart(
        attempt=attempt,
        checkpoint_id=checkpoint_id,
        part=part,
        of=of,
        positions=_positions(positions),
        recorded_ms=recorded_ms,
        letters=_positions(letters),
    )
