"""A log whose files somebody has altered, cut off or deleted, read by Spark as it is."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from feature_platform.errors import EventLogError
from feature_platform.event_log.commits import COMMITS, DATA, Log, LogFile, commit_path
from feature_platform.event_log.damage import RANGES_MAX, Altered, Lacking, Range
from tests.unit.engines.spec import SOURCE

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.slow

DAY = f"{DATA}/date=2026-01-01"
OTHER = f"{DATA}/date=2026-01-02"


def write(spark: "SparkSession", folder: Path, path: str, *spans: tuple[int, int, int]) -> None:
    """Write a file with the offsets of some spans: partition, first, and the one after the last."""
    from backfill.event_log import SCHEMA

    rows = [
        (None, None, part, offset, 0, 0, None)
        for part, start, end in spans
        for offset in range(start, end)
    ]
    copy = folder / "copy"
    spark.createDataFrame(rows, SCHEMA).coalesce(1).write.mode("overwrite").parquet(str(copy))
    (written,) = copy.glob("*.parquet")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(written.read_bytes())


def test_a_log_of_the_layout_before_is_not_taken_for_none(
    spark: "SparkSession", tmp_path: Path
) -> None:
    """Its offsets would be called gone once Kafka's retention has passed them."""
    from backfill.event_log import source_files

    source = replace(SOURCE, name="clicks", topic="commits")
    new = tmp_path / "clicks" / "commits" / commit_path(0)
    new.parent.mkdir(parents=True)
    new.touch()
    found = source_files(spark, f"file://{tmp_path}", source)
    assert found.paths(COMMITS) == [commit_path(0)]
    (tmp_path / "clicks" / commit_path(0)).touch()
    with pytest.raises(EventLogError, match=r"move its commits, .* to file:.*/clicks/commits, or"):
        source_files(spark, f"file://{tmp_path}", source)


def test_each_kind_of_damage_is_told_apart(spark: "SparkSession", tmp_path: Path) -> None:
    """Offsets that another file holds, or that nobody archived, are not lacking."""
    from backfill.damage import damage
    from backfill.files import HadoopFiles

    log = Log(
        positions={0: 20, 1: 10},
        files={
            path: LogFile(path=path, records=10, bytes=1)
            for path in (f"{DAY}/whole", f"{DAY}/short", f"{OTHER}/gone", f"{OTHER}/cut")
        },
    )
    files = HadoopFiles(spark, f"file://{tmp_path}")
    write(spark, tmp_path, f"{DAY}/whole", (0, 0, 5), (1, 0, 5))
    write(spark, tmp_path, f"{DAY}/short", (0, 5, 8), (0, 9, 12))
    (tmp_path / OTHER).mkdir()
    (tmp_path / OTHER / "cut").write_bytes(b"PAR1 and no more")
    found = damage(spark, files, log)
    assert found.missing == (f"{OTHER}/gone", f"{OTHER}/cut")
    assert found.altered == (Altered(path=f"{DAY}/short", committed=10, found=6),)
    assert found.lacking == Lacking(
        records=24,
        offsets=14,
        ranges=3,
        longest=(
            Range(partition=0, start=12, end=20),
            Range(partition=1, start=5, end=10),
            Range(partition=0, start=8, end=9),
        ),
    )
    of_day = damage(spark, files, log, [f"{DAY}/whole", f"{DAY}/short"])
    assert (of_day.missing, of_day.altered) == ((), found.altered)


def test_of_many_gaps_the_longest_are_named(spark: "SparkSession", tmp_path: Path) -> None:
    """Transactions of two records, a marker after each; ten records are lost, and a whole file."""
    from backfill.damage import damage
    from backfill.files import HadoopFiles

    end, lost, accepted = 300, range(100, 115), (0, 30)
    offsets = [n for n in range(30, end) if n % 3 != 2]  # the rest are markers
    kept = [(0, n, n + 1) for n in offsets if n not in lost]
    write(spark, tmp_path, f"{DAY}/short", *kept)
    log = Log(
        positions={0: end, 1: 4},
        files={
            f"{DAY}/short": LogFile(path=f"{DAY}/short", records=len(offsets), bytes=1),
            f"{DAY}/gone": LogFile(path=f"{DAY}/gone", records=4, bytes=1),
        },
        lost={0: (accepted,)},
    )
    found = damage(spark, HadoopFiles(spark, f"file://{tmp_path}"), log).lacking
    assert found is not None
    gone = len([n for n in offsets if n in lost]) + 4
    assert found.records == gone
    assert found.offsets == end - 30 - len(kept) + 4
    assert found.ranges > len(found.longest) == RANGES_MAX
    assert found.longest[:3] == (
        Range(partition=0, start=lost.start, end=lost.stop),
        Range(partition=1, start=0, end=4),
        Range(partition=0, start=32, end=33),
    )
