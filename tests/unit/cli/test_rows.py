"""What `fp rows` shows: the head's tiles and the closed ones, each with its bytes and values."""

from feature_platform.cli.rows import describe_rows
from feature_platform.plan.snapshot import DeployedFeature, Snapshot
from feature_platform.rows.partials import Item, Partial
from feature_platform.store.base import StoredRow
from feature_platform.testing.reference_rows import encode_head, encode_row
from feature_platform.tiles.grid import MINUTE_MS, Grid
from feature_platform.tiles.layout import Carrier, Kind, Layout, LayoutColumn
from tests.unit.engines.spec import SPEC

GRID = Grid.of(("1m", "5m"), finest_depth=2)
LIFETIME = GRID.lifetime_level
NOON_MS = 12 * 60 * MINUTE_MS


def _column(
    number: int, name: str, kind: Kind, *, levels: tuple[int, ...] = (), n: int = 0
) -> LayoutColumn:
    carrier: Carrier = "text" if kind in ("last", "last_n") else "int"
    lifetime = not levels or number == 0
    return LayoutColumn(
        id=number, name=name, kind=kind, carrier=carrier, n=n, levels=levels, lifetime=lifetime
    )


COLUMNS = (
    _column(0, "_events", "count", levels=(0, 1)),
    _column(1, "delay#sum", "sum", levels=(0, 1)),
    _column(2, "delay#count", "count", levels=(0, 1)),
    _column(3, "worst", "max", levels=(0,)),
    _column(4, "city", "last"),
    _column(5, "recent", "last_n", n=2),
)


def _feature(
    name: str, aggregate: str, columns: tuple[str, ...], *, latest: bool
) -> DeployedFeature:
    return DeployedFeature(
        name=name,
        aggregate=aggregate,  # type: ignore[arg-type]  # drawn from the layout's kinds
        columns=columns,
        windows_ms=() if latest else (5 * MINUTE_MS,),
        lifetime=False,
        latest=latest,
        carrier="text" if latest else "int",
        value_type="STRING" if latest else "BIGINT",
        scale=0,
        valid_from_ms=0,
    )


SNAPSHOT = Snapshot(
    featureset="flights",
    generation=1,
    table="tiles_flights_g1",
    entity="origin",
    source="flights",
    topic="flights",
    layout=Layout(grid=GRID, retention_ms=(0, 0), columns=COLUMNS),
    features=(
        _feature("delay", "avg", ("delay#sum", "delay#count"), latest=False),
        _feature("worst", "max", ("worst",), latest=False),
        _feature("city", "last", ("city",), latest=True),
        _feature("recent", "last_n", ("recent",), latest=True),
    ),
    flink_sql="",
    data_fingerprint="",
    metadata_fingerprint="",
    deployment="",
    job_id="",
    savepoint="",
    state="running",
    parallelism=1,
    deployed_ms=0,
    definition={},
    job=SPEC.job,
)


def _row(**partials: Partial) -> bytes:
    ids = {column.name.replace("#", "_").lstrip("_"): column.id for column in COLUMNS}
    return encode_row(SNAPSHOT.layout, {ids[name]: partial for name, partial in partials.items()})


def _stored(level: int, start_ms: int, payload: bytes) -> StoredRow:
    return StoredRow(level=level, start_ms=start_ms, payload=payload, written=1 << 30 | 1)


MINUTE = _row(events=2, delay_sum=9, delay_count=2, worst=7)
FIVE = _row(events=2, delay_sum=9, delay_count=2)
ALL = _row(
    events=3, city=(Item(5, 0, 1, "Rome"),), recent=(Item(5, 0, 1, "Rome"), Item(4, 0, 0, "Oslo"))
)
HEAD = encode_head({(0, NOON_MS): MINUTE, (1, NOON_MS): FIVE, (LIFETIME, 0): ALL})


def test_the_head_is_shown_as_its_tiles() -> None:
    """Each tile of the head has its own bytes, and only the features that are held there."""
    assert describe_rows(SNAPSHOT, [_stored(-1, 0, HEAD)]) == [
        {
            "level": "1m",
            "start": "1970-01-01T12:00:00Z",
            "bytes": MINUTE.hex(),
            "values": {"_events": 2, "delay": 4.5, "worst": 7},
        },
        {
            "level": "5m",
            "start": "1970-01-01T12:00:00Z",
            "bytes": FIVE.hex(),
            "values": {"_events": 2, "delay": 4.5},
        },
        {
            "level": "lifetime",
            "start": "1970-01-01T00:00:00Z",
            "bytes": ALL.hex(),
            "values": {"_events": 3, "city": "Rome", "recent": ["Rome", "Oslo"]},
        },
    ]


def test_closed_tiles_that_the_head_reaches_are_left_out() -> None:
    """The head holds two minutes: a closed row of 11:59 is stale, one of 11:58 is the tile."""
    rows = [
        _stored(-1, 0, HEAD),
        *(_stored(0, NOON_MS - ago * MINUTE_MS, MINUTE) for ago in (2, 1)),
    ]
    shown = [(tile["level"], tile["start"]) for tile in describe_rows(SNAPSHOT, rows)]
    assert shown[:2] == [("1m", "1970-01-01T11:58:00Z"), ("1m", "1970-01-01T12:00:00Z")]


def test_without_a_head_closed_tiles_are_shown_as_they_are() -> None:
    """Nothing is known to be newer; undo rows are not tiles."""
    shown = describe_rows(SNAPSHOT, [_stored(-2, 5, b"undo"), _stored(0, NOON_MS, b"")])
    assert [tile["values"] for tile in shown] == [{"_events": 0, "delay": None, "worst": None}]


def test_an_entity_without_rows_has_no_tiles() -> None:
    """Nothing stored is an empty list."""
    assert describe_rows(SNAPSHOT, []) == []
