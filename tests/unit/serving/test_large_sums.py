"""Sums that leave int64: never a wrong sign, never a gap that nobody sees."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_platform.definition.loading import load_project
from feature_platform.plan.snapshot import Snapshot
from feature_platform.serving import FeatureClient
from feature_platform.testing import RawEvent, deploy_in_memory
from feature_platform.testing.deployed import Deployed

NOW_MS = 1_790_000_000_000
SOURCE = """\
source: ev
topic: ev
event_time: ts
columns: {user_id: BIGINT, amount: DOUBLE, price: 'DECIMAL(10,2)', big: BIGINT, n: INT,
          flag: BOOLEAN, ts: TIMESTAMP}
"""
Serve = Callable[..., Deployed]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Serve one feature `total` of an aggregate over events of user 1."""

    def make(
        aggregate: str, events: Sequence[dict[str, Any]], ask: str = "", rows: str = "ev"
    ) -> Deployed:
        (tmp_path / "sources").mkdir(exist_ok=True)
        (tmp_path / "sources" / "ev.yaml").write_text(SOURCE)
        (tmp_path / "f.yaml").write_text(
            "featureset: f\nentity: user_id\nsource: ev\nsql: |\n"
            f"  SELECT user_id, COUNT(*) AS n, {aggregate} AS total FROM {rows} GROUP BY user_id\n"
            "features:\n  n: {lifetime: true}\n"
            f"  total: {{windows: [30m], lifetime: true{ask}}}\n"
        )
        featureset = load_project(tmp_path).checked().featuresets["f"]
        records = [
            RawEvent(
                value=json.dumps({"user_id": 1, "ts": NOW_MS - 60_000 * number} | event).encode(),
                partition=0,
                offset=number,
                timestamp_ms=NOW_MS,
            )
            for number, event in enumerate(events)
        ]
        return deploy_in_memory(featureset, records, NOW_MS + 1)

    return make


def served(deployed: Deployed, client: FeatureClient | None = None) -> tuple[Any, Any]:
    """Return window and lifetime of `total` in the exact form, and check the floats."""
    names = ["f.total_30m", "f.total_lifetime"]
    matrix = (client or deployed.client).prepare(names).get(["1"])
    (found,) = matrix.to_dicts()
    values = found["values"]
    for name, number in zip(names, matrix.values[0], strict=True):
        exact = values[name]
        assert np.isnan(number) if exact is None else number == float(exact)
    expected = deployed.oracle.served("1", NOW_MS + 1)
    assert [values[name] for name in names] == [
        expected["total_30m"],
        expected["total_lifetime"],
    ]
    return values[names[0]], values[names[1]]


@pytest.mark.parametrize(
    ("aggregate", "ask", "events", "expected"),
    [
        ("SUM(amount)", ", scale: 9", [{"amount": 5e9}] * 2, 1e10),
        ("SUM(amount)", ", scale: 9", [{"amount": -5e9}] * 3, -1.5e10),
        ("SUM(big)", "", [{"big": 2**62}] * 2, 2**63),
        ("SUM(big)", "", [{"big": -(2**63)}] * 3, -3 * 2**63),
        ("SUM(big)", "", [{"big": 2**63 - 1}] * 25, 25 * (2**63 - 1)),
        ("SUM(big)", "", [{"big": 2**63 - 1}, {"big": -5}], 2**63 - 6),
        ("SUM(price)", ", scale: 9", [{"price": 99999999.99}] * 101, 10099999998.99),
        ("AVG(big)", "", [{"big": 2**63 - 1}] * 4, float(2**63)),
        ("AVG(amount)", ", scale: 9", [{"amount": 9e9}] * 7, 9e9),
        ("AVG(price)", ", scale: 9", [{"price": 99999999.99}] * 101, 99999999.99),
        ("SUM(big + n)", "", [{"big": 2**63 - 1, "n": -1}] * 2, 2**64 - 4),
    ],
)
def test_a_sum_beyond_int64_is_exact(
    serve: Serve, aggregate: str, ask: str, events: list[dict[str, Any]], expected: float
) -> None:
    """As plain integers add up: the exact integer, or the nearest float of a scaled one."""
    assert served(serve(aggregate, events, ask))[1] == expected


def test_other_places_keep_their_values(serve: Serve) -> None:
    """A large sum of one entity changes nothing for others, also when they are asked twice."""
    events = [{"big": 2**62}, {"big": 2**62}, {"big": 7, "user_id": 2}]
    client = serve("SUM(big)", events).client
    matrix = client.prepare(["f.total_lifetime"]).get(["2", "1", "2", "3", "1"])
    values = [row["values"]["f.total_lifetime"] for row in matrix.to_dicts()]
    assert values == [7, 2**63, 7, 0, 2**63]
    assert matrix.values[:, 0].tolist() == [7.0, 2.0**63, 7.0, 0.0, 2.0**63]


@pytest.mark.parametrize("amount", [1e10, -1e10, 1e300])
def test_a_value_too_large_to_sum_is_a_dead_letter(serve: Serve, amount: float) -> None:
    """The event counts nowhere, and says why; others do."""
    deployed = serve("SUM(amount)", [{"amount": 1.0}, {"amount": amount}], ", scale: 9")
    assert [letter.reason for letter in deployed.oracle.dead_letters] == ["beyond_sum"]
    assert served(deployed) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("aggregate", "event"),
    [
        ("SUM(amount * 2.0)", {"amount": 6e9}),
        ("SUM(amount * amount)", {"amount": 1e200}),
        ("SUM(-amount)", {"amount": 1e10}),
        ("AVG(amount * amount * 0.0)", {"amount": 1e200}),
        ("SUM(CASE WHEN flag THEN amount ELSE 0 END)", {"amount": 1e10, "flag": True}),
        ("SUM(CASE WHEN flag THEN amount * amount ELSE 0 END)", {"amount": 1e200, "flag": True}),
        ("SUM(COALESCE(amount * amount, 0))", {"amount": 1e200}),
        ("SUM(amount) FILTER (WHERE flag)", {"amount": 1e10, "flag": True}),
    ],
)
def test_a_computed_value_too_large_to_sum_shows(
    serve: Serve, aggregate: str, event: dict[str, Any]
) -> None:
    """While such a value is in the window there is no value; the event counts otherwise."""
    old = {"ts": NOW_MS - 40 * 60_000}
    good = {"amount": 1.0, "flag": True}
    bad = serve(aggregate, [good, event], ", scale: 9")
    assert bad.oracle.dead_letters == []
    assert served(bad) == (None, None)
    states = bad.client.prepare(["f.total_30m", "f.total_lifetime"]).get(["1"]).states
    assert states.tolist() == [["out_of_range"] * 2]
    past = serve(aggregate, [good, event | old], ", scale: 9")
    assert served(past)[0] is not None
    assert served(past)[1] is None
    assert None not in served(serve(aggregate, [good, {"amount": None}, {}], ", scale: 9"))


@pytest.mark.parametrize(
    ("aggregate", "event"),
    [
        ("SUM(big + n)", {"big": 2**63 - 1, "n": 1}),
        ("SUM(big * n)", {"big": 2**62, "n": 2}),
        ("AVG(-big)", {"big": -(2**63)}),
        ("SUM(ABS(big))", {"big": -(2**63)}),
        ("SUM(MOD(big * n, 7))", {"big": 2**62, "n": 2}),
        ("SUM(CAST(big * n AS DOUBLE))", {"big": 2**62, "n": 2}),
    ],
)
def test_arithmetic_that_leaves_int64_shows(
    serve: Serve, aggregate: str, event: dict[str, Any]
) -> None:
    """It does not wrap around to another sign, and does not vanish either."""
    ask = ", scale: 0" if "DOUBLE" in aggregate else ""
    assert served(serve(aggregate, [{"big": 5, "n": 3}, event], ask)) == (None, None)
    assert None not in served(serve(aggregate, [{"big": 5, "n": 3}, {"big": 5}, {"n": 1}], ask))


@pytest.mark.parametrize(
    "inner",
    [
        "(SELECT user_id, big * n AS big, amount FROM ev)",
        "(SELECT user_id, big, amount FROM (SELECT user_id, big * n AS big, amount FROM ev))",
        "(SELECT user_id, big + 1 AS big FROM (SELECT user_id, big * n AS big FROM ev))",
    ],
)
def test_what_left_the_range_in_an_inner_query_shows(serve: Serve, inner: str) -> None:
    """The sum knows of it although it sees a NULL."""
    rows = f"{inner} AS r"
    event = {"big": 2**62, "n": 2}
    assert served(serve("SUM(big)", [{"big": 5, "n": 3}, event], rows=rows)) == (None, None)
    assert None not in served(serve("SUM(big)", [{"big": 5, "n": 3}, {"big": 1}], rows=rows))


def test_an_average_without_values_has_none(serve: Serve) -> None:
    """As before."""
    assert served(serve("AVG(big)", [{}])) == (None, None)


def test_rows_of_before_high_halves_were_kept_are_read(serve: Serve) -> None:
    """Their sum is all in the one counter."""
    deployed = serve("SUM(big)", [{"big": 2**62}, {"big": 2**61}])
    old = without_high(deployed.snapshot)
    deployed.registry.save(old)
    client = FeatureClient(deployed.tiles, deployed.registry, clock=deployed.clock)
    assert served(deployed, client)[1] == 2**62 + 2**61


def without_high(snapshot: Snapshot) -> Snapshot:
    """Return what an older version deployed."""
    layout = snapshot.layout
    kept = tuple(column for column in layout.columns if "#high" not in column.name)
    features = tuple(
        replace(feature, columns=tuple(name for name in feature.columns if "#high" not in name))
        for feature in snapshot.features
    )
    return replace(snapshot, layout=replace(layout, columns=kept), features=features)
