"""Fingerprints change with the meaning of a definition, and with nothing else."""

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet

SOURCE = """\
source: s
topic: s
event_time: ts
columns: {id: BIGINT, action: STRING, watch_ms: INT, score: DOUBLE, ts: TIMESTAMP}
"""
SQL = (
    "WITH rows_kept AS ( SELECT id , action AS verb , watch_ms FROM s WHERE score > 1.50 ) "
    "SELECT id , COUNT ( * ) FILTER ( WHERE verb = 'view' ) AS views , "
    "SUM ( watch_ms + 1 ) AS watched , LAST_VALUE ( verb ) AS verb "
    "FROM rows_kept GROUP BY id"
)
DEFINITION = """\
featureset: f
description: What happens.
owner: us
entity: id
source: s
features:
  views: {windows: [30m, 1d], lifetime: true}
  watched: {windows: [2h]}
  verb: latest
settings: {parallelism: 1}
"""


def _load(sql: str = SQL, definition: str = DEFINITION, source: str = SOURCE) -> FeatureSet:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sources").mkdir()
        (folder / "sources" / "s.yaml").write_text(source)
        indented = sql.replace("\n", "\n  ")
        (folder / "f.yaml").write_text(f"{definition}sql: |\n  {indented}\n")
        return load_project(folder).checked().featuresets["f"]


BLOCK = "  views:\n    lifetime: true\n    windows: [1d, 30m]\n"
BASE = _load()
WORDS = re.split(r"(?<!GROUP)\s+", SQL)
KEYWORDS = {"WITH", "AS", "SELECT", "FROM", "WHERE", "COUNT", "FILTER", "SUM", "GROUP BY"}

_gap = st.sampled_from([" ", "  ", "\n", "\n\n", " -- said\n", " /* said; */ ", " /* 'said' */\n"])
_case = st.sampled_from([str.upper, str.lower, str.title])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(_gap, _case), min_size=len(WORDS), max_size=len(WORDS)))
def test_layout_comments_and_case_change_nothing(form: list[tuple[str, object]]) -> None:
    """A query written in another way has the same text for engines and the same fingerprints."""
    words = [
        (case(word) if word in KEYWORDS and callable(case) else word) + gap
        for word, (gap, case) in zip(WORDS, form, strict=True)
    ]
    other = _load("".join(words).rstrip())

    assert BASE.flink_sql == other.flink_sql
    assert BASE.data_fingerprint == other.data_fingerprint
    assert BASE.metadata_fingerprint == other.metadata_fingerprint


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("rows_kept", "kept"),
        ("action AS verb", '"action" AS `verb`'),
        ("1.50", "1.5"),
        ("= 'view'", "= ('view')"),
        ("FROM rows_kept GROUP BY id", "FROM rows_kept AS r GROUP BY r.id"),
    ],
)
def test_other_words_for_the_same_change_nothing(before: str, after: str) -> None:
    """Names of inner queries, quotes, brackets and zeros at the end are not part of the meaning."""
    assert BASE.data_fingerprint == _load(SQL.replace(before, after)).data_fingerprint


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("'view'", "'View'", {"views"}),
        ("watch_ms + 1", "watch_ms + 2", {"watched"}),
        ("watch_ms + 1", "1 + watch_ms", {"watched"}),
        ("score > 1.50", "score >= 1.50", {"views", "watched", "verb"}),
        ("LAST_VALUE", "FIRST_VALUE", {"verb"}),
        (
            "FROM rows_kept GROUP",
            "FROM rows_kept WHERE watch_ms > 0 GROUP",
            {"views", "watched", "verb"},
        ),
    ],
)
def test_an_edited_query_changes_the_fingerprints(
    before: str, after: str, changed: set[str]
) -> None:
    """Fingerprints change, and the meaning of just the features that the edit touches."""
    other = _load(SQL.replace(before, after))

    assert BASE.sql_fingerprint != other.sql_fingerprint
    assert BASE.data_fingerprint != other.data_fingerprint
    assert BASE.metadata_fingerprint == other.metadata_fingerprint
    pairs = zip(BASE.features, other.features, strict=True)
    assert changed == {old.name for old, new in pairs if old.meaning != new.meaning}


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("What happens.", "What happened.", {"metadata"}),
        ("owner: us", "owner: them", {"metadata"}),
        ("windows: [30m, 1d]", "windows: [30m, 12h, 1d]", {"metadata"}),
        ("lifetime: true}", "lifetime: true, description: All.}", {"metadata"}),
        ("{parallelism: 1}", "{parallelism: 1, on_change: rebuild}", {"metadata"}),
        ("windows: [30m, 1d]", "windows: [30m, 2d]", {"metadata", "data"}),
        ("windows: [2h]", "windows: [5d]", {"metadata", "data"}),
        ("{parallelism: 1}", "{parallelism: 2}", {"data"}),
        ("{parallelism: 1}", "{parallelism: 1, keep: 2h}", {"data"}),
        ("settings:", "grid: [1m, 1h, 1d, 5d]\nsettings:", {"data"}),
        ("settings:", "grid: [1m, 5m, 30m, 3h, 1d, 5d]\nsettings:", set()),
        ("settings:", "grid: [30s, 30m, 1d]\nsettings:", {"data", "sql"}),
        ("  views: {windows: [30m, 1d], lifetime: true}\n", BLOCK, set()),
    ],
)  # fmt: skip
def test_what_each_fingerprint_stands_for(before: str, after: str, changed: set[str]) -> None:
    """Windows that stored tiles answer are metadata; levels, keeping and settings are data."""
    other = _load(definition=DEFINITION.replace(before, after))

    differs = {
        "sql": BASE.sql_fingerprint != other.sql_fingerprint,
        "data": BASE.data_fingerprint != other.data_fingerprint,
        "metadata": BASE.metadata_fingerprint != other.metadata_fingerprint,
    }
    assert changed == {name for name, different in differs.items() if different}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("topic: s", "topic: t"),
        ("event_time: ts", "event_time: ts\nmax_future: 1m"),
        ("event_time: ts", "event_time: ts\nmax_past: 1d"),
        ("event_time: ts", "event_time: ts\nevent_time_unit: s"),
        ("ts: TIMESTAMP", "ts: BIGINT"),
        ("score: DOUBLE", "score: BIGINT"),
        ("watch_ms: INT", "watch_ms: BIGINT"),
    ],
)
def test_a_changed_source_changes_the_data_fingerprint(before: str, after: str) -> None:
    """What events hold and which are accepted decides values."""
    other = _load(source=SOURCE.replace(before, after))

    assert BASE.data_fingerprint != other.data_fingerprint


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("id: BIGINT, action: STRING", "action: STRING, id: BIGINT"),
        ("score: DOUBLE, ts: TIMESTAMP", "ts: TIMESTAMP, score: DOUBLE"),
        ("score: DOUBLE", "score: DOUBLE, extra: INT"),
        ("columns: {id", "columns: {extra: 'DECIMAL(10,2)', id"),
        ("event_time: ts", "event_time: ts\nmax_past: 7300d\nevent_time_unit: ms"),
        ("topic: s", "topic: s\ndescription: Other words."),
    ],
)
def test_what_no_query_reads_changes_nothing(before: str, after: str) -> None:
    """Neither a moved line, nor a column that the query leaves alone, nor a default written out."""
    other = _load(source=SOURCE.replace(before, after))

    assert BASE.sql_fingerprint == other.sql_fingerprint
    assert BASE.data_fingerprint == other.data_fingerprint
    assert BASE.reads == other.reads


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        (SQL, {"id", "action", "watch_ms", "score", "ts"}),
        ("SELECT id, COUNT(*) AS n FROM s GROUP BY id", {"id", "ts"}),
        ("SELECT id, COUNT(*) AS n FROM s WHERE score > 1 GROUP BY id", {"id", "ts", "score"}),
        ("SELECT id, COUNT(action) AS n FROM s GROUP BY id", {"id", "ts", "action"}),
        (
            "SELECT id, COUNT(*) FILTER (WHERE watch_ms > 1) AS n FROM s GROUP BY id",
            {"id", "ts", "watch_ms"},
        ),
        (
            """WITH a AS (SELECT id, COALESCE(watch_ms, 0) AS action FROM s WHERE score > 1),
                    b AS (SELECT id, action AS score FROM a)
               SELECT id, SUM(score) AS n FROM b GROUP BY id""",
            {"id", "ts", "watch_ms", "score"},
        ),
    ],
)
def test_a_feature_set_reads_what_its_query_names(sql: str, reads: set[str]) -> None:
    """Names of inner queries that look like a column's are not that column."""
    names = {"n": "  n: {windows: [1d]}\n"}
    features = (
        DEFINITION
        if sql == SQL
        else re.sub(r"  views.*?latest\n", names["n"], DEFINITION, flags=re.DOTALL)
    )
    found = _load(sql, features).reads

    assert reads == {name for name, _ in found}
    assert sorted(name for name, _ in found) == [name for name, _ in found]
