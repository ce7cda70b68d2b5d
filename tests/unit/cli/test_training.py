"""`fp training-set` takes rows from one place, and says what it has made and what is wrong."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from feature_platform import training
from feature_platform.cli import reading
from feature_platform.training import TrainingSet
from feature_platform.training.manifest import Manifest, UsedLabels, UsedLog
from tests.unit.cli.running import RunFp

OUT = ("--out", "sets/one")
SERVED = ("training-set", "home", *OUT, "--from", "feature_log")
SPINE = ("training-set", "home", *OUT, "--spine", "rows.csv")


@pytest.fixture(autouse=True, name="asked")
def _asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Build nothing; remember what was asked for."""
    asked: list[dict[str, Any]] = []

    def build(_: object, __: object, name: str, *rest: object, **known: Any) -> TrainingSet:  # noqa: ANN401
        asked.append({"name": name, "rest": rest, **known})
        served = len(rest) == 1
        return TrainingSet(Path("sets/one"), manifest=manifest(served=served))

    @contextmanager
    def opened(_: object) -> Iterator[tuple[None, None]]:
        yield None, None

    monkeypatch.setattr(reading, "open_store", opened)
    monkeypatch.setattr(training, "build_training_set", build)
    monkeypatch.setattr(training, "build_served_set", build)
    return asked


def manifest(*, served: bool) -> Manifest:
    """Return what a set says of itself."""
    log = UsedLog(topic="t", offsets={}, start_ms=0, end_ms=9, versions={"1": 1, "2": 2_000})
    labels = UsedLabels(
        source="events", fingerprint="f", columns=("clicked", "spent"), keys={}, request="",
        within_ms=1_800_000, late_ms=0, offsets={}, begins_ms=0, ends_ms=86_400_000,
        status={"ok": 1_500, "open": 501}, open_left_out=False,
    )  # fmt: skip
    return Manifest(
        list="home", list_version=2, as_of="served" if served else "event", serving_lag_ms=0,
        edge_ms=0, instant="at", keys={}, time_zone="", features=(), featuresets=(), rows=2_001,
        status={"ok": 2_001}, files=(), seconds={}, made_ms=7, labels=labels if served else None,
        feature_log=log if served else None,
    )  # fmt: skip


def test_what_was_served_is_asked_for(fp: RunFp, asked: Sequence[dict[str, Any]]) -> None:
    """With labels, a period and a version; and what was made is said."""
    ran = fp(
        *SERVED, "--labels", "events", "--within", "30m", "--since", "2026-12-01",
        "--until", "1970-01-01T00:00:01Z", "--version", "2", "--leave-out-open",
    )  # fmt: skip
    assert ran.code == 0, ran.messages
    (known,) = asked
    assert known["labels"].name == "events"
    assert (known["name"], known["within"], known["version"]) == ("home", "30m", 2)
    assert (known["end_ms"], known["leave_out_open"]) == (1_000, True)
    assert ran.out.splitlines() == [
        "sets/one: 2,001 rows, 0 features of home",
        "  ok: 2,001",
        "  served by version 1: 1, version 2: 2,000",
        "  labels clicked, spent within 30m: 1970-01-01T00:00:00Z to 1970-01-02T00:00:00Z",
        "  ok: 1,500, open: 501",
    ]
    facts = json.loads(fp(*SERVED, "--json").out)
    assert facts["labels"]["status"] == {"ok": 1_500, "open": 501}


def test_a_spine_may_have_labels(fp: RunFp, asked: Sequence[dict[str, Any]]) -> None:
    """And says which of its columns is the answer's id."""
    ran = fp(*SPINE, "--labels", "events", "--request", "shown", "--key", "item=id")
    assert ran.code == 0, ran.messages
    (known,) = asked
    assert (known["request_id"], known["keys"], known["as_of"]) == (
        "shown",
        {"item": "id"},
        "event",
    )
    assert "start_ms" not in known


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("training-set", "home", *OUT), "either --spine TABLE, or --from feature_log"),
        ((*SPINE, "--from", "feature_log"), "either --spine TABLE, or --from feature_log"),
        ((*SERVED[:-1], "logs"), "'logs' is not feature_log"),
        ((*SERVED, "--as-of", "known"), "only goes with --spine"),
        ((*SERVED, "--key", "item=id"), "only goes with --spine"),
        ((*SERVED, "--request", "id"), "only goes with --spine"),
        ((*SPINE, "--since", "2026-12-01"), "only goes with --from feature_log"),
        ((*SERVED, "--since", "soon"), "'soon' is not a timestamp"),
        ((*SERVED, "--within", "30m"), "add --labels SOURCE"),
        ((*SERVED, "--labels", "event"), "unknown source `event`"),
        ((*SPINE, "--as-of", "later"), "neither event nor known"),
    ],
)
def test_what_does_not_go_together_is_wrong_use(
    fp: RunFp, asked: Sequence[dict[str, Any]], arguments: tuple[str, ...], message: str
) -> None:
    """Exit code 2, the option and the next step; nothing is begun."""
    ran = fp(*arguments)
    assert ran.code == 2
    assert message in " ".join(ran.messages.replace("│", " ").split())
    assert not asked
