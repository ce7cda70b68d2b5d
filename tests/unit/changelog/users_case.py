"""The log of an entity of `debug_case`: what its job logs, and rows that say the same."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from feature_platform.changelog.embedded import EmbeddedOlap
from feature_platform.changelog.load import Loader
from feature_platform.changelog.sums import Commands
from feature_platform.debug.account import Account
from feature_platform.errors import CorruptRowError
from feature_platform.lineage.as_of import KnownRows
from feature_platform.registry.history import FOREVER, History
from feature_platform.rows.undo import HEAD, RowKey
from feature_platform.testing.changes import Change, block_headers, encode_block
from tests.unit.changelog.log_case import MemoryTopic
from tests.unit.debug.debug_case import NOW_MS, snapshot

DEPLOYED = snapshot()
LINE: History = {0: 0, 1: FOREVER}
TOPIC = "changelog.users"
MINUTE_MS = DEPLOYED.layout.grid.levels_ms[0]


def logged(made: Account, marker: Change | None = None) -> list[Change]:
    """Return the commands of an account's events, after a marker: all entities are logged."""
    columns = DEPLOYED.layout.columns
    first = marker or Change(seq=0, kind=5, tile_ms=1_000_000_000, at_ms=NOW_MS)
    rows = [each.row for each in made.counted if each.row]
    commands = [
        Change(
            seq=number,
            kind=0,
            entity=made.entity,
            tile_ms=row.time_ms // MINUTE_MS * MINUTE_MS,
            at_ms=NOW_MS,
            values={each.id: made.oracle.partial(each.name, [row]) for each in columns},
        )
        for number, row in enumerate(rows, start=1)
    ]
    return [first, *commands]


def load(olap: EmbeddedOlap, changes: Iterable[Change], topic_id: str = "first") -> None:
    """Load them as the only block of a topic."""
    topic, layout = MemoryTopic(topic=TOPIC, id=topic_id), DEPLOYED.layout
    topic.put_raw(encode_block(layout, changes), block_headers(layout, "users", 1))
    Loader(olap, "users", TOPIC, 3_650).load(topic, NOW_MS, lambda _: None)


def commands(olap: EmbeddedOlap) -> Commands:
    """Return those that count."""
    return Commands(olap, "changes_users_g1", DEPLOYED.layout, LINE)


@dataclass(frozen=True, slots=True)
class RowsOf:
    """Rows as the events of an account make them."""

    made: Account
    left_out: Sequence[RowKey] = ()
    head: bytes = b""
    """Another one in place of its own."""

    def read(self, entity: str) -> KnownRows | CorruptRowError:
        """Return them."""
        found = self.made.oracle.entity(entity)
        rows = {RowKey(*key): payload for key, payload in found.rows.items()} if found else {}
        rows |= {HEAD: self.head} if self.head else {}
        return KnownRows(rows={key: rows[key] for key in rows.keys() - {*self.left_out}})
