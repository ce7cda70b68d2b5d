"""The page on capacity multiplies right, and has what its script makes of the newest results."""

import json
from pathlib import Path

import pytest

from bench.cache_model import Outcome
from bench.capacity import (
    BEGIN,
    END,
    PAGE,
    Measured,
    by_hits,
    filled,
    memory,
    service,
    store_rows_s,
)

RESULTS = PAGE.parent.parent / "bench" / "results"
FIGURES = {
    "this build, 95 % cached": 10.0,
    "rows of an entity": 20.0,
    "bytes of them": 5_000.0,
    "bytes kept of an entity": 8_000.0,
    "rows read per refresh of a warm entity": 1.5,
    "gRPC requests a CPU second of fp serve, kept bytes": 200.0,
}
MEASURED = Measured(figures=FIGURES, date="2026-01-01")


def test_what_misses_cost() -> None:
    """10 ms of 8,000 requests a second are 80 cores; of 16 million look-ups 5 % read 20 rows."""
    (line,) = [line for line in by_hits(MEASURED) if line.startswith("| 95 %")]
    assert line == "| 95 % | 10.0 ms | 80 | 0.80 M | 16.0 M | 4.00 GB/s |"


def test_what_is_not_measured_is_left_open() -> None:
    """A figure that the run did not reach is no zero."""
    (line,) = [line for line in by_hits(MEASURED) if line.startswith("| 80 %")]
    assert line == "| 80 % | - | - | 3.20 M | 64.0 M | 16.00 GB/s |"


def test_what_caches_take() -> None:
    """Four million entities of 8,000 bytes are 32 GB."""
    assert "| 4 million entities, of one instance | 32.0 GB |" in memory(MEASURED)


def test_what_the_service_takes() -> None:
    """A core that answers 200 requests a second is needed 40 times."""
    assert "| cores of workers | 40 |" in service(MEASURED)


def test_renewed_heads_are_read_rows() -> None:
    """A miss reads all rows of an entity, a renewed head as many as were measured."""
    made = Outcome(resident=1.0, fresh=0.5, heads_s=100.0, misses_s=10.0)
    assert store_rows_s(made, MEASURED) == 10 * 20 + 100 * 1.5
    assert store_rows_s(made, Measured(figures={}, date="")) is None


def test_the_newest_results_count(tmp_path: Path) -> None:
    """Without a run there are no figures; the newest file is read."""
    assert Measured.newest(tmp_path) == Measured(figures={}, date="")
    for date, rows in (("2026-01-02", 2.0), ("2026-01-01", 1.0)):
        kept = {"date": date, "figures": {"rows of an entity": rows}}
        (tmp_path / f"{date}-serving.json").write_text(json.dumps(kept))
    assert Measured.newest(tmp_path).figures == {"rows of an entity": 2.0}


def test_tables_replace_earlier_ones() -> None:
    """What is around them stays."""
    assert filled(f"a\n{BEGIN}old\n{END}b\n", "new\n") == f"a\n{BEGIN}new\n{END}b\n"


@pytest.mark.parametrize("table", [by_hits, memory, service])
def test_the_page_has_the_newest_figures(table: object) -> None:
    """Whoever commits results commits the page that `bench/capacity.py` makes of them."""
    assert callable(table)
    assert "\n".join(table(Measured.newest(RESULTS))) in PAGE.read_text()
