"""What the logged commands of an entity add up to: partials of its finest tiles, and of all tiles.

Only commands of epochs in a history count: after a crash the next attempt logs again what the dead
one logged since its last checkpoint.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feature_platform.changelog.blocks import BILLIONTHS, COMMANDS, MINUS, PLUS, Column
from feature_platform.changelog.olap import Olap
from feature_platform.changelog.tables import column_names, literal, quoted
from feature_platform.registry.history import GENESIS, History
from feature_platform.registry.watches import Watch
from feature_platform.rows.codec import decode_items
from feature_platform.rows.partials import Partial, merge_all
from feature_platform.testing.reference_rows import encode_row
from feature_platform.tiles.layout import ADDITIVE, COUNTERS, Layout, LayoutColumn

Sums = Mapping[int, Mapping[int, Partial]]
"""By finest tile's start in milliseconds, and column id."""


def _list(kinds: Sequence[str]) -> str:
    return ", ".join(f"'{kind}'" for kind in kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """Which commands count."""

    line: History
    """The epochs of the generation's newest attempt."""
    upto_flush: int | None = None
    """Of the newest attempt: later flushes are not in the row."""

    @property
    def condition(self) -> str:
        """Return it in SQL."""
        newest = max(self.line)
        terms = []
        for attempt, checkpoint_id in self.line.items():
            if attempt == GENESIS[0]:
                continue
            term = f"attempt = {attempt} AND checkpoint_id <= {checkpoint_id}"
            if attempt == newest and self.upto_flush is not None:
                term += f" AND flush <= {self.upto_flush}"
            terms.append(f"({term})")
        return f"({' OR '.join(terms) or '0'})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """From when on the commands of an entity are logged without a break."""

    at_ms: int
    whole: bool
    """Whether that is from the generation's first event on."""


class Commands:
    """The commands of a generation, as ClickHouse has them."""

    def __init__(self, olap: Olap, table: str, layout: Layout) -> None:
        """Use an open ClickHouse, and a table that is there."""
        self._olap, self._table, self._layout = olap, table, layout

    def sums(self, entity: str, counting: Counting) -> Sums:
        """Return what the commands of an entity add up to.

        Raises:
            OlapError: ClickHouse does not answer.
            CorruptRowError: A partial is malformed.
        """
        columns = self._layout.columns
        names = column_names(self._olap, self._table, [_column(each) for each in columns])
        terms = [self._term(each, quoted(names[each.id])) for each in columns]
        rows = self._olap.run(
            f"SELECT tile_ms, {', '.join(terms)} FROM {self._table} FINAL"
            f" WHERE entity = {literal(entity)} AND kind IN ({_list(COMMANDS)})"
            f" AND {counting.condition} GROUP BY tile_ms ORDER BY tile_ms"
        )
        return {
            int(row[0]): {
                each.id: self._partial(each, value)
                for each, value in zip(columns, row[1:], strict=True)
            }
            for row in rows
        }

    def since(self, entity: str, line: History) -> Since | None:
        """Return since when an entity's commands are all logged; None: they are not now.

        An attempt begins with what it watches; without such a marker it logs nothing.
        """
        rows = self._olap.run(
            "SELECT attempt, checkpoint_id, entity, toInt8(kind), tile_ms, at_ms"
            f" FROM {self._table} FINAL WHERE kind IN ('watched', 'not watched')"
            f" AND entity IN ('', {literal(entity)}) AND {Counting(line=line).condition}"
            " ORDER BY attempt, seq"
        )
        found: Since | None = None
        for attempt in sorted(line):
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
                        began = self._began(line, attempt, checkpoint_id, at_ms, found)
                else:
                    state.discard(name)
            found = began if state else None
        return found

    def _began(
        self, line: History, attempt: int, checkpoint_id: int, at_ms: int, before: Since | None
    ) -> Since:
        """Return since when, where an attempt begins to log: it may continue the one before."""
        earlier = [each for each in line if GENESIS[0] < each < attempt]
        first = line[max(earlier)] + 1 if earlier else 1
        if checkpoint_id > first:
            return Since(at_ms=at_ms, whole=False)
        return before if earlier and before else Since(at_ms=at_ms, whole=not earlier)

    def lost(self, counting: Counting) -> list[tuple[int, int, int]]:
        """Return attempt, subtask and how many numbers are missing, of those that lack any."""
        rows = self._olap.run(
            "SELECT attempt, subtask, max(seq) + 1 - uniqExact(seq) AS missing"
            f" FROM {self._table} WHERE {counting.condition} GROUP BY attempt, subtask"
            " HAVING missing > 0 ORDER BY attempt, subtask"
        )
        return [(int(a), int(b), int(c)) for a, b, c in rows]

    def _term(self, column: LayoutColumn, name: str) -> str:
        if column.kind in ADDITIVE:
            signed = f"multiIf(kind IN ({_list(MINUS)}), -{name}, {name})"
            return f"ifNull(sum({signed}), 0)"
        plus = f"kind IN ({_list(PLUS)})"
        if column.kind in COUNTERS:
            return f"{column.kind}OrNullIf({name}, {plus} AND {name} IS NOT NULL)"
        return f"groupUniqArrayIf(hex({name}), {plus} AND {name} IS NOT NULL)"

    @staticmethod
    def _partial(column: LayoutColumn, value: object) -> Partial:
        if isinstance(value, list):
            items = (decode_items(bytes.fromhex(each), column.carrier) for each in value)
            return merge_all(column.kind, column.n, items)
        return None if value is None else int(str(value))


_WATCHED = 5


def _is_meant(entity: str, name: str, share: int) -> bool:
    if name:
        return True
    wanted = Watch(mode="sampled", share=int(share) / BILLIONTHS)
    return int(share) >= BILLIONTHS or wanted.wants(entity)


def _column(column: LayoutColumn) -> Column:
    return Column(
        name=column.name, id=column.id, type="int" if column.kind in COUNTERS else "bytes"
    )


def tile_of(layout: Layout, sums: Sums, level: int, start_ms: int) -> bytes | None:
    """Return the canonical bytes of a tile that the sums make; None if none of them is in it."""
    lifetime = layout.grid.lifetime_level
    if level == lifetime:
        inside = list(sums.values())
    else:
        end_ms = start_ms + layout.grid.levels_ms[level]
        inside = [each for at_ms, each in sums.items() if start_ms <= at_ms < end_ms]
    if not inside:
        return None
    partials = {
        column.id: merge_all(column.kind, column.n, [each[column.id] for each in inside])
        for column in layout.columns
        if column.stands_in(level, lifetime)
    }
    return encode_row(layout, partials)
