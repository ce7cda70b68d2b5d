"""Rows that are kept beyond January 2038, on a store that cannot expire them so late."""

import pytest

from feature_platform.deploy.sweep import kept_write
from feature_platform.errors import StoreUnavailableError
from feature_platform.local import cassandra
from feature_platform.local.stack import Stack
from feature_platform.rows.undo import RowKey
from feature_platform.settings import Settings, password
from feature_platform.store.base import RowWrite
from feature_platform.store.connect import connect
from feature_platform.store.cql import CqlTiles
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import Layout

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000
LAYOUT = Layout(grid=Grid.of(("1d",)), retention_ms=(4_380 * DAY_MS,), columns=())
COMPATIBLE = (
    ("storage_compatibility_mode: NONE", "storage_compatibility_mode: CASSANDRA_4"),
    ("selected_format: bti", "selected_format: big"),
)
"""As Cassandra 5.0 is unless it is told otherwise."""


def test_a_store_in_compatibility_mode_takes_what_is_kept_for_long(
    free_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve years are too long for a TTL there; without one the row is taken, and stays."""
    yaml = cassandra.YAML
    for ours, compatible in COMPATIBLE:
        assert ours in yaml
        yaml = yaml.replace(ours, compatible)
    monkeypatch.setattr(cassandra, "YAML", yaml)
    stack = Stack(free_settings, servers=("cassandra",))
    stack.up()
    try:
        with connect(free_settings.store, "fp_admin", password(free_settings, "admin")) as opened:
            tiles = CqlTiles(opened)
            tiles.create_table("tiles_long_g1")
            refused = RowWrite(level=0, start_ms=0, payload=b"1", ttl_s=4_380 * DAY_MS // 1000)
            with pytest.raises(StoreUnavailableError, match="2038"):
                tiles.write("tiles_long_g1", "a", [refused], written=1)
            start_ms = NOW_MS // DAY_MS * DAY_MS
            kept = [
                kept_write(RowKey(0, start_ms), b"1", LAYOUT, NOW_MS),
                kept_write(RowKey(0, start_ms - 730 * DAY_MS), b"2", LAYOUT, NOW_MS),
            ]
            tiles.write("tiles_long_g1", "a", kept, written=2)
            rows = opened.run(
                f"SELECT start, TTL(payload) FROM {opened.keyspace}.tiles_long_g1"
                " WHERE entity = 'a'"
            )
            left = {start: ttl for start, ttl in rows}  # noqa: C416 - rows have no type
            assert left[start_ms] is None
            assert left[start_ms - 730 * DAY_MS] == pytest.approx(kept[1].ttl_s, abs=600)
    finally:
        stack.down()
