"""The query over single events: which columns say what a feature takes of an event."""

from pathlib import Path

from feature_platform.definition.loading import load_project
from feature_platform.definition.operands import COUNTED, Compared, EventRows

SOURCE = """
source: clicks
topic: clicks
format: json
event_time: at
columns: {user_id: BIGINT, action: STRING, country: STRING, ms: INT, price: "DECIMAL(10,2)",
          at: TIMESTAMP}
"""
FEATURES = """
featureset: users
description: d
owner: o
entity: user_id
source: clicks
sql: |
  {sql}
features:
  {features}
"""


def made(folder: Path, sql: str, *features: str) -> EventRows:
    """Return the query over single events of a definition."""
    (folder / "sources").mkdir()
    (folder / "sources" / "clicks.yaml").write_text(SOURCE)
    listed = "\n  ".join(f"{name}: {{lifetime: true}}" for name in features)
    text = FEATURES.format(sql="\n  ".join(sql.splitlines()), features=listed)
    (folder / "users.yaml").write_text(text)
    return load_project(folder).checked().featuresets["users"].event_rows


def test_equal_operands_and_filters_have_one_column(tmp_path: Path) -> None:
    """COUNT(*) has no operand; without a FILTER the WHEREs alone decide."""
    rows = made(
        tmp_path,
        "SELECT user_id, COUNT(*) AS n, SUM(ms) AS a, MAX(ms) AS b,\n"
        "  SUM(ms) FILTER (WHERE action = 'view') AS c,\n"
        "  COUNT(*) FILTER (WHERE  action='view') AS d\n"
        "FROM clicks GROUP BY user_id",
        *"nabcd",
    )
    n, a, b, c, d = rows.taken

    assert (n.operand, n.matched, n.filter) == ("", COUNTED, "")
    assert a.operand == b.operand == c.operand != ""
    assert a.matched == COUNTED
    assert c.matched == d.matched != COUNTED
    assert (c.filter, d.filter) == ("action = 'view'", "action = 'view'")
    assert rows.sql.count("`ms` AS") == 1
    assert rows.sql.count("'view'") == 1


def test_texts_that_are_compared_are_columns(tmp_path: Path) -> None:
    """By = on either side and by IN, wherever in the condition; others are not."""
    rows = made(
        tmp_path,
        "SELECT user_id, COUNT(*) FILTER (WHERE 'it''s' = action OR NOT (LOWER(country) IN "
        "('de', 'fr') AND ms = 1 AND action <> 'x' AND action LIKE 'y')) AS n\n"
        "FROM clicks GROUP BY user_id",
        "n",
    )
    (n,) = rows.taken
    action, country = n.compared

    assert (action.name, action.literals) == ("action", ("it's",))
    assert (country.name, country.literals) == ("LOWER(country)", ("de", "fr"))
    assert f"`action` AS `{action.column}`" in rows.sql
    assert f"FP_LOWER(`country`) AS `{country.column}`" in rows.sql


def test_no_where_leaves_out_a_row(tmp_path: Path) -> None:
    """Each WHERE is a flag; what it compares comes out of the inner SELECTs."""
    rows = made(
        tmp_path,
        "SELECT user_id, COUNT(*) AS n\n"
        "FROM (SELECT user_id, ms FROM clicks WHERE action = 'veiw')\n"
        "WHERE ms > 1 GROUP BY user_id",
        "n",
    )

    assert "WHERE" not in rows.sql
    assert rows.compared == (Compared(name="action", column="__w0", literals=("veiw",)),)
    assert "    `action` AS `__w0`,\n" in rows.sql
    assert f"CASE WHEN `{COUNTED}` AND `ms` > 1 THEN TRUE ELSE FALSE END" in rows.sql
    assert "\n  `__w0`,\n" in rows.sql


def test_decimals_are_measured_as_reals(tmp_path: Path) -> None:
    """Sketches take whole numbers and reals."""
    rows = made(tmp_path, "SELECT user_id, MAX(price) AS p FROM clicks GROUP BY user_id", "p")
    assert f"CAST(`price` AS DOUBLE) AS `{rows.taken[0].operand}`" in rows.sql
