"""`fp list` and `fp show`: what is defined and what is deployed, with and without a store."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from feature_platform.cli import reading
from feature_platform.clock import to_iso
from feature_platform.errors import StoreUnavailableError
from tests.unit.cli.running import NOW_MS, RunFp, Serve

SINCE_MS = NOW_MS - 60_000


def _json(fp: RunFp, *arguments: str) -> Any:  # noqa: ANN401 (JSON)
    ran = fp(*arguments, "--json")
    assert ran.code == 0, ran.messages
    return json.loads(ran.out)


def test_without_a_store_what_is_defined_is_known(fp: RunFp, folder: Path) -> None:
    """And that the rest is not."""
    assert folder.exists()
    (found,) = _json(fp, "list")
    assert (found["featureset"], found["entity"], found["source"]) == ("shop", "item", "events")
    assert (found["served"], found["state"], found["changed"]) == (7, "unknown", None)
    assert (found["owner"], found["description"]) == ("tests", "What is bought.")
    shown = _json(fp, "show", "shop")
    assert (shown["shown"], shown["deployed"]) == ("defined", None)
    assert {column["id"] for column in shown["columns"]} == {None}
    assert "cannot read what is deployed" in fp("list").messages


def test_what_is_deployed_is_shown(fp: RunFp, serve: Serve) -> None:
    """Names with types and since when, SQL of both engines, levels, ids."""
    made = serve([], valid_from_ms=SINCE_MS, definition={"owner": "others", "sql": "SELECT 1"})
    (before,) = made.registry.snapshots()
    job = replace(before.job, spark_sql="SELECT 2")
    made.registry.save(replace(before, job=job, job_id="a" * 32, deployed_ms=SINCE_MS))
    (found,) = _json(fp, "list")
    assert (found["state"], found["changed"], found["owner"]) == ("running", False, "others")
    shown = _json(fp, "show", "shop")
    served = {item["name"]: (item["type"], item["window"]) for item in shown["served"]}
    assert served == {
        "sold_30m": ("BIGINT", "30m"),
        "sold_7d": ("BIGINT", "7d"),
        "sold_lifetime": ("BIGINT", "lifetime"),
        "cents_1d": ("BIGINT", "1d"),
        "price": ("DOUBLE", "latest"),
        "name": ("STRING", "latest"),
        "names": ("list of STRING", "latest"),
    }
    assert {item["valid_from"] for item in shown["served"]} == {to_iso(SINCE_MS)}
    assert (shown["sql"]["written"], shown["sql"]["spark"]) == ("SELECT 1", "SELECT 2")
    assert shown["sql"]["flink"] == made.snapshot.flink_sql
    assert [column["id"] for column in shown["columns"]] == list(range(len(shown["columns"])))
    assert shown["settings"] == {
        "flush_interval": "1s",
        "state_ttl": "2h",
        "sql_state_ttl": "10m",
        "checkpoint_interval": "30s",
        "parallelism": 1,
    }
    text = fp("show", "shop").out
    assert "a" * 32 in text
    assert "closed tiles kept" in text


def test_a_changed_definition_is_told(fp: RunFp, serve: Serve, folder: Path) -> None:
    """What is deployed is shown, or with an option what is defined."""
    serve([])
    file = folder / "featuresets" / "shop.yaml"
    file.write_text(file.read_text().replace("[1d]", "[1d, 3d]"))
    (found,) = _json(fp, "list")
    assert (found["changed"], found["served"]) == (True, 7)
    assert len(_json(fp, "show", "shop")["served"]) == 7
    assert len(_json(fp, "show", "shop", "--defined")["served"]) == 8
    assert "fp plan shop" in fp("show", "shop").out


def test_states(fp: RunFp, serve: Serve, folder: Path) -> None:
    """Not deployed yet, being deployed, and deployed but not defined any more."""
    made = serve([])
    text = (folder / "featuresets" / "shop.yaml").read_text()
    for name in ("new", "begun"):
        (folder / "featuresets" / f"{name}.yaml").write_text(
            text.replace("set: shop", f"set: {name}")
        )
    made.registry.save_progress("begun", "{}")
    (folder / "featuresets" / "shop.yaml").unlink()
    states = {item["featureset"]: (item["state"], item["file"]) for item in _json(fp, "list")}
    assert states == {
        "begun": ("deploying", "featuresets/begun.yaml"),
        "new": ("not deployed", "featuresets/new.yaml"),
        "shop": ("running", None),
    }


@pytest.mark.parametrize(
    ("name", "told"), [("shopp", "did you mean `shop`"), ("x", "unknown feature set `x`")]
)
def test_an_unknown_one_is_refused(fp: RunFp, serve: Serve, name: str, told: str) -> None:
    """With the nearest name."""
    serve([])
    ran = fp("show", name)
    assert (ran.code, told in ran.messages) == (1, True)


def test_mistakes_do_not_hide_the_others(fp: RunFp, folder: Path) -> None:
    """`fp validate` lists what is right beside what is wrong."""
    (folder / "featuresets" / "bad.yaml").write_text("featureset: bad\n")
    for command in ("validate", "list"):
        ran = fp(command)
        assert "featuresets/bad.yaml:1:1: " in ran.messages
        assert "shop" in ran.messages + ran.out
    assert "valid: 1 feature set\n" in fp("validate").messages


def test_before_the_first_deployment_nothing_is_deployed(
    fp: RunFp, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store answers that the registry's tables are not there yet."""

    @contextmanager
    def opened(_: object) -> Iterator[None]:
        msg = "SELECT at 127.0.0.1:9042 failed: InvalidRequest: table featuresets does not exist"
        raise StoreUnavailableError(msg)
        yield

    assert folder.exists()
    monkeypatch.setattr(reading, "open_store", opened)
    assert [item["state"] for item in _json(fp, "list")] == ["not deployed"]
