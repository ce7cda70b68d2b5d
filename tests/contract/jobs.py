"""What a job writes into the registry: by the shipped fake, and by the kernel's statements."""

import json
from typing import Protocol

from feature_platform.registry.base import Attempt, CutPart, Registry
from feature_platform.store.connect import Connection


class Job(Protocol):
    """What a job writes."""

    def add_attempt(self, name: str, generation: int, attempt: Attempt) -> None:
        """Note a start."""
        ...

    def add_cut_part(self, name: str, generation: int, part: CutPart) -> None:
        """Note a part of a cut."""
        ...


class CqlJob:
    """Writes attempts and cuts with the kernel's statements."""

    def __init__(self, connection: Connection) -> None:
        """Use the job's session."""
        self._connection = connection

    def add_attempt(self, name: str, generation: int, attempt: Attempt) -> None:
        """Note a start."""
        self._connection.run(
            f"INSERT INTO {self._connection.keyspace}.attempts (featureset, generation, attempt, "
            "execution, deployment, kind, r_attempt, r_label, end_offsets, claimed_ms, "
            "base_label, dirty_since_ms, clean) "
            "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) IF NOT EXISTS",
            (
                *(
                    name,
                    generation,
                    attempt.attempt,
                    attempt.execution,
                    attempt.deployment,
                    attempt.kind,
                ),
                *(
                    *attempt.restore_point,
                    json.dumps(attempt.end_offsets),
                    attempt.claimed_ms,
                ),
                *(attempt.base_checkpoint_id, attempt.dirty_since_ms, attempt.clean),
            ),
        )

    def add_cut_part(self, name: str, generation: int, part: CutPart) -> None:
        """Note a part of a cut."""
        positions, letters = (
            json.dumps(counts) if counts else None for counts in (part.positions, part.letters)
        )
        self._connection.run(
            f"INSERT INTO {self._connection.keyspace}.cuts (featureset, generation, attempt, "
            'label, part, "of", positions, letters, recorded_ms) VALUES (?,?,?,?,?,?,?,?,?)',
            (
                name,
                generation,
                part.attempt,
                part.checkpoint_id,
                part.part,
                part.of,
                positions,
                letters,
                part.recorded_ms,
            ),
        )


World = tuple[Registry, Job]
"""A registry, and a job beside it."""
