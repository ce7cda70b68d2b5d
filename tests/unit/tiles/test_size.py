"""How large a head can become: the bound holds for rows that are as large as they can be."""

from feature_platform.rows.partials import Item, Partial
from feature_platform.testing.reference_rows import encode_head, encode_row
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import Carrier, Kind, Layout, LayoutColumn
from feature_platform.tiles.size import HEAD_BYTES_MAX, TEXT_BYTES_MAX, head_bytes_max

LAST_MS = 253_402_300_799_999


def _column(at: int, kind: Kind, carrier: Carrier = "int", n: int = 0) -> LayoutColumn:
    levels = (0, 1) if kind in ("count", "sum", "min") else ()
    return LayoutColumn(
        id=at, name=f"c{at}", kind=kind, carrier=carrier, n=n, levels=levels, lifetime=True
    )


def _items(count: int, value: str | float) -> tuple[Item, ...]:
    """Return items whose times and offsets are as far apart as they can be."""
    return tuple(
        Item(LAST_MS * (number % 2), 2**31 - 1, (2**63 - 1) * (number % 2), value)
        for number in range(count)
    )


def test_the_largest_row_is_within_the_bound() -> None:
    """Every counter, time, offset and text as long as it can be, in every tile of a head."""
    columns = (
        *(_column(0, "count"), _column(900, "sum"), _column(901, "min", "real")),
        *(_column(902, "last_n", "text", 7), _column(903, "last_n", "int", 7)),
        _column(904, "first", "real"),
    )
    layout = Layout(grid=Grid.of(("1m", "1h")), retention_ms=(0, 0), columns=columns)
    counters: dict[int, Partial] = dict.fromkeys((0, 900, 901), -(2**63))
    features: dict[int, Partial] = {
        902: _items(7, "x" * TEXT_BYTES_MAX),
        903: _items(7, -(2**63)),
        904: _items(1, 0.1),
    }
    tile, lifetime = encode_row(layout, counters), encode_row(layout, counters | features)
    tiles = {(0, LAST_MS - back): tile for back in range(3)} | {(1, LAST_MS): tile}
    head = encode_head(tiles | {(2, 0): lifetime})
    assert len(head) <= head_bytes_max(layout.grid, columns) < 1.1 * len(head)


def test_two_lists_of_a_thousand_texts_fit() -> None:
    """And not three: a store that takes 16 MiB at once has room for the largest head twice."""
    lists = [_column(at, "last_n", "text", 1_000) for at in (1, 2, 3)]
    assert head_bytes_max(Grid.of(), lists[:2]) <= HEAD_BYTES_MAX < head_bytes_max(Grid.of(), lists)
    assert 2 * HEAD_BYTES_MAX <= 16 * 1024**2
