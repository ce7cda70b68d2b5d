"""What the logged commands of an entity add up to: partials of its finest tiles, and of all tiles.

Only commands of epochs in a history count: after a crash the next attempt logs again what the dead
one logged since its last checkpoint.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from feature_platform.changelog.blocks import BILLIONTHS, COMMANDS, MINUS, PLUS, Column
from feature_platform.changelog.olap import Olap
from feature_platform.changelog.tables import column_names, literal, quoted
from feature_platform.registry.history import GENESIS, History
from feature_platform.registry.watches import Watch
from feature_platform.rows.codec import decode_items
from feature_platform.rows.partials import Partial, merge_all
from feature_platform.store.base import TileKey
from feature_platform.testing.reference_rows import encode_row
from feature_platform.tiles.grid import floor_ms
from feature_platform.tiles.layout import ADDITIVE, COUNTERS, Layout, LayoutColumn

Sums = Mapping[int, Mapping[int, Partial]]
"""By finest tile's start in milliseconds, and column id."""
_WATCHED = 5
HOUR_MS = 3_600_000
LOST_MAX = 20
"""Gaps that are named."""


def _list(kinds: Sequence[str]) -> str:
    return ", ".join(f"'{kind}'" for kind in kinds)


def epochs(line: History) -> str:
    """Return in SQL which commands count: those of a history's epochs."""
    terms = [
        f"(attempt = {attempt} AND checkpoint_id <= {checkpoint_id})"
        for attempt, checkpoint_id in line.items()
        if attempt != GENESIS[0]
    ]
    return f"({' OR '.join(terms) or '0'})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """From when on the commands of an entity are logged without a break."""

    at_ms: int
    whole: bool
    """Whether that is from the generation's first event on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Numbers of a subtask that are not in the log."""

    attempt: int
    subtask: int
    first: int
    last: int

    @property
    def rows(self) -> int:
        """How many."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        """Name them."""
        numbers = f"{self.first:,}" if self.rows == 1 else f"{self.first:,} to {self.last:,}"
        return f"attempt {self.attempt}, subtask {self.subtask}: {numbers}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What is not in the log although it was sent, or could not be sent."""

    rows: int = 0
    gaps: tuple[Gap, ...] = ()
    """The first of them."""


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands of a generation that count, as ClickHouse has them."""

    olap: Olap
    table: str
    layout: Layout
    line: History
    """Whose epochs count."""
    kept_from_ms: int = 0
    """Commands from before may have been deleted: `keep_days`."""
    _names: dict[int, str] = field(default_factory=dict)

    def sums(self, entity: str) -> Sums:
        """Return what the commands of an entity add up to.

        Raises:
            OlapError: ClickHouse does not answer.
            CorruptRowError: A partial is malformed.
        """
        columns = self.layout.columns
        terms = [self._term(each) for each in columns]
        rows = self.olap.run(
            f"SELECT tile_ms, {', '.join(terms)} FROM {self.table} FINAL"
            f" WHERE entity = {literal(entity)} AND kind IN ({_list(COMMANDS)})"
            f" AND {epochs(self.line)} GROUP BY tile_ms ORDER BY tile_ms"
        )
        return {
            int(row[0]): {
                each.id: _partial(each, value) for each, value in zip(columns, row[1:], strict=True)
            }
            for row in rows
        }

    def since(self, entity: str) -> Since | None:
        """Return since when an entity's commands are all logged; None: they are not now.

        An attempt begins with what it watches; without such a marker it logs nothing.
        """
        rows = self.olap.run(
            "SELECT attempt, checkpoint_id, entity, toInt8(kind), tile_ms, at_ms"
            f" FROM {self.table} FINAL WHERE kind IN ('watched', 'not watched')"
            f" AND entity IN ('', {literal(entity)}) AND {epochs(self.line)}"
            " ORDER BY attempt, seq"
        )
        found: Since | None = None
        for attempt in sorted(self.line):
            if attempt == GENESIS[0]:
                continue
            state: set[str] = set()
            began: Since | None = None
            for number, checkpoint_id, name, kind, share, at_ms in rows:
                if number != attempt or not _is_meant(entity, name, share):
                    continue
                if kind == _WATCHED:
                    first = not state
                    state.add(name)
                    if first:
                        began = self._began(attempt, checkpoint_id, at_ms, found)
                else:
                    state.discard(name)
            found = began if state else None
        if found and found.at_ms < self.kept_from_ms:
            return Since(at_ms=self.kept_from_ms, whole=False)
        return found

    def _began(self, attempt: int, checkpoint_id: int, at_ms: int, before: Since | None) -> Since:
        """Return since when, where an attempt begins to log: it may continue the one before."""
        earlier = [each for each in self.line if GENESIS[0] < each < attempt]
        first = self.line[max(earlier)] + 1 if earlier else 1
        if checkpoint_id > first:
            return Since(at_ms=at_ms, whole=False)
        return before if earlier and before else Since(at_ms=at_ms, whole=not earlier)

    def lost(self) -> Lost:
        """Return which numbers of subtasks are missing: rows that were not sent, or are gone.

        Numbers begin with 0, unless older ones may have been deleted. They follow the order of
        flushes, and a command waits for its flush less than an hour.
        """
        bound = self.kept_from_ms + HOUR_MS
        rows = self.olap.run(
            "SELECT attempt, subtask, first, max(seq) + 1 - first - uniqExact(seq) AS missing"
            f" FROM {self.table} INNER JOIN (SELECT attempt, subtask,"
            f" if(min(at_ms) < {bound}, minIf(seq, at_ms >= {bound}), 0) AS first"
            f" FROM {self.table} WHERE {epochs(self.line)} GROUP BY attempt, subtask) AS begin"
            f" USING (attempt, subtask) WHERE {epochs(self.line)} AND seq >= first"
            " GROUP BY attempt, subtask, first HAVING missing > 0 ORDER BY attempt, subtask"
        )
        gaps = [gap for a, s, first, _ in rows[:LOST_MAX] for gap in self._gaps(a, s, int(first))]
        return Lost(rows=sum(int(row[3]) for row in rows), gaps=tuple(gaps[:LOST_MAX]))

    def _gaps(self, attempt: int, subtask: int, first: int) -> list[Gap]:
        rows = self.olap.run(
            "SELECT before + 1, seq - 1 FROM (SELECT seq, lagInFrame(seq, 1, toInt64("
            f"{first - 1})) OVER (ORDER BY seq ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before"
            f" FROM (SELECT DISTINCT seq FROM {self.table} WHERE attempt = {attempt} AND"
            f" subtask = {subtask} AND seq >= {first} AND {epochs(self.line)}))"
            f" WHERE seq > before + 1 ORDER BY seq LIMIT {LOST_MAX}"
        )
        return [
            Gap(attempt=int(attempt), subtask=int(subtask), first=int(a), last=int(b))
            for a, b in rows
        ]

    def _term(self, column: LayoutColumn) -> str:
        if column.id not in self._names:
            wanted = [logged_column(each) for each in self.layout.columns]
            self._names.update(column_names(self.olap, self.table, wanted))
        name = quoted(self._names[column.id])
        if column.kind in ADDITIVE:
            signed = f"multiIf(kind IN ({_list(MINUS)}), -{name}, {name})"
            return f"ifNull(sum({signed}), 0)"
        plus = f"kind IN ({_list(PLUS)})"
        if column.kind in COUNTERS:
            return f"{column.kind}OrNullIf({name}, {plus} AND {name} IS NOT NULL)"
        return f"groupUniqArrayIf(hex({name}), {plus} AND {name} IS NOT NULL)"


def _partial(column: LayoutColumn, value: object) -> Partial:
    if isinstance(value, list):
        items = (decode_items(bytes.fromhex(each), column.carrier) for each in value)
        return merge_all(column.kind, column.n, items)
    return None if value is None else int(str(value))


def _is_meant(entity: str, name: str, share: int) -> bool:
    if name:
        return True
    wanted = Watch(mode="sampled", share=int(share) / BILLIONTHS)
    return int(share) >= BILLIONTHS or wanted.wants(entity)


def logged_column(column: LayoutColumn) -> Column:
    """Return a column of rows as the log has it."""
    return Column(
        name=column.name, id=column.id, type="int" if column.kind in COUNTERS else "bytes"
    )


def tiles_of(layout: Layout, sums: Sums) -> dict[TileKey, bytes]:
    """Return the canonical bytes of every tile that the sums make."""
    groups: dict[TileKey, list[Mapping[int, Partial]]] = {}
    for start_ms, partials in sums.items():
        for level in layout.used_levels:
            key = level, floor_ms(start_ms, layout.grid.levels_ms[level])
            groups.setdefault(key, []).append(partials)
        groups.setdefault((layout.grid.lifetime_level, 0), []).append(partials)
    return {key: _encoded(layout, key[0], inside) for key, inside in groups.items()}


def _encoded(layout: Layout, level: int, inside: Sequence[Mapping[int, Partial]]) -> bytes:
    partials = {
        column.id: merge_all(column.kind, column.n, [each[column.id] for each in inside])
        for column in layout.columns
        if column.stands_in(level, layout.grid.lifetime_level)
    }
    return encode_row(layout, partials)
