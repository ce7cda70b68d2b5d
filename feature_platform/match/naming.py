"""Names values that differ: the first tile that is wrong in the store, or what the value counts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from feature_platform.checks.result import FINDINGS_MAX
from feature_platform.clock import to_iso
from feature_platform.engines.reads import Reads
from feature_platform.engines.spark_facts import StatesTold
from feature_platform.errors import EventLogError, SparkFailedError
from feature_platform.match.judge import Judge, Judged, Read
from feature_platform.match.nearest import nearest
from feature_platform.match.states import Told
from feature_platform.match.where import SAME, first_tiles
from feature_platform.tiles.grid import parse_duration_ms
from feature_platform.training.asked import AskedList, AskedPart

Place = tuple[Read, int]
"""A row, and a position in the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """Names values of one feature set."""

    reads: Reads
    asked: AskedList
    part: AskedPart
    rows: pa.Table
    """The sample."""
    judge: Judge
    told_of: Callable[[Sequence[Read]], tuple[StatesTold, Told]]
    """Asks Spark about rows."""

    def texts(self, different: Sequence[Judged]) -> Iterator[str]:
        """Yield a text for each value that differs, those that were served first in front.

        Raises:
            WorldError: A server did not answer.
        """
        if not different:
            return
        ordered = sorted(different, key=lambda each: (each.read.instant_ms, each.read.entity))
        entities = list(dict.fromkeys(each.read.entity for each in ordered))
        tiles = first_tiles(self.reads, self.part.group.snapshot, entities)
        values = [
            (judged, at)
            for judged in ordered
            for at, verdict in judged.verdicts.items()
            if verdict == "different"
        ]
        where = [self._where(tiles, judged, at) for judged, at in values]
        pairs = zip(values, where, strict=True)
        firsts = [(judged.read, at) for (judged, at), text in pairs if not text][:FINDINGS_MAX]
        counts = {(read.row, at): text for (read, at), text in self._counted(firsts)}
        for (judged, at), text in zip(values, where, strict=True):
            read, name = judged.read, self.asked.of.features[at].column
            own = counts.get((read.row, at))
            told = text or (f"{SAME}; {own}" if own else SAME)
            yield (
                f"{name} of {read.entity!r} at {to_iso(read.instant_ms)}: served "
                f"{self.rows[name][read.row].as_py()!r}, recomputed {judged.expected.get(at)!r}; "
                f"{told}"
            )

    def _where(self, tiles: Mapping[tuple[str, str], str], judged: Judged, at: int) -> str:
        """Return the first tile that is wrong in the store; empty if all are right."""
        wanted = dict(zip(self.part.group.positions, self.part.group.wanted, strict=True))
        entity = judged.read.entity
        columns = (*wanted[at].feature.columns, "")
        return next((tiles[entity, each] for each in columns if (entity, each) in tiles), "")

    def _counted(self, firsts: Sequence[Place]) -> Iterator[tuple[Place, str]]:
        """Yield what values count whose stored tiles are right, with all events of their rows."""
        if not firsts:
            return
        reads = {read.row: read for read, _ in firsts}
        from_start = [
            replace(read, bounds=replace(read.bounds, lower={})) for read in reads.values()
        ]
        try:
            _, told = self.told_of(from_start)
        except (EventLogError, SparkFailedError) as error:
            yield from ((each, f"its events cannot be listed: {error}") for each in firsts)
            return
        wanted = dict(zip(self.part.group.positions, self.part.group.wanted, strict=True))
        edge = self.reads.settings.checks.match_edge
        edge_ms = parse_duration_ms(edge) if edge else 0
        for read, at in firsts:
            yield (read, at), nearest(self.judge, told, read, at, wanted[at], edge_ms)
