"""What `fp get` says of served values: exact, how old, and what they rest on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from feature_platform.clock import to_iso
from feature_platform.plan.job_source import SourceColumn
from tests.unit.cli.running import DAY_MS, NOW_MS, RunFp, Serve

SINCE_MS = NOW_MS - DAY_MS


def _event(item: str, **values: object) -> bytes:
    return json.dumps({"item": item, "ts": NOW_MS, **values}).encode()


@pytest.mark.parametrize(
    "value", [14872.92, 1234567.89, 0.30000000000000004, 5e-324, 1.7976931348623157e308]
)
def test_money_is_not_rounded(fp: RunFp, serve: Serve, value: float) -> None:
    """Six digits would make 1.23457e+06 of it."""
    serve([_event("pen", price=value)])
    assert repr(value) in fp("get", "shop", "pen", "--features", "price").out


def test_large_sums_are_exact(fp: RunFp, serve: Serve) -> None:
    """No float stands between the store and the screen."""
    serve([_event("pen", cents=9007199254740993)])
    assert "9007199254740993" in fp("get", "shop", "pen", "--features", "cents_1d").out


def test_a_window_that_is_not_full_is_marked(fp: RunFp, serve: Serve) -> None:
    """With since when it counts, and when it is full; a full one has no mark."""
    serve([_event("pen")], valid_from_ms=SINCE_MS)
    shown = fp("get", "shop", "pen").out
    assert "sold_7d *" in shown
    assert "sold_30m *" not in shown
    full = to_iso(SINCE_MS + 7 * DAY_MS)
    line = f"* sold_7d counts since {to_iso(SINCE_MS)}: its window is complete from {full}"
    assert line in shown
    assert f"* sold_lifetime counts since {to_iso(SINCE_MS)}, not since the first event" in shown


def test_nothing_is_marked_where_all_is_counted(fp: RunFp, serve: Serve) -> None:
    """A feature of the first deployment counts from the first event on."""
    serve([_event("pen")])
    assert "*" not in fp("get", "shop", "pen").out


def test_a_receipt_as_text_has_what_its_json_has(fp: RunFp, serve: Serve) -> None:
    """Interval, since when it counts, and of each tile place, attempt and flush."""
    serve([_event("pen")], valid_from_ms=SINCE_MS)
    shown = fp("get", "shop", "pen", "--explain").out
    (answer,) = json.loads(fp("get", "shop", "pen", "--explain", "--json").out)
    receipt = answer["receipt"]["features"]["shop.sold_7d"]
    begin, end = receipt["from"], receipt["to"]
    since = f"counts since {to_iso(SINCE_MS)} (incomplete)"
    assert f"pen shop.sold_7d: [{begin}, {end}), {since}, of 1 tile with events" in shown
    (tile,) = [tile for tile in receipt["tiles"] if tile["place"] != "absent"]
    assert f"    {tile['level']} {tile['start']} in the head, attempt 3, flush 12" in shown


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("\ufeffpen\r\nink\r\n\r\n  \n", ["pen", "ink"]),
        ("a\x0cb\nc\u2028d\ne\x85f", ["a\x0cb", "c\u2028d", "e\x85f"]),
        (" pen \n", [" pen "]),
    ],
)
def test_a_key_file_is_split_at_line_feeds_alone(
    fp: RunFp, serve: Serve, folder: Path, text: str, keys: list[str]
) -> None:
    """A mark, carriage returns and blank lines are the file's; all else is the key's."""
    serve([_event("pen")])
    (folder / "keys.txt").write_bytes(text.encode())
    shown = fp("get", "shop", "--entities-file", str(folder / "keys.txt"), "--json")
    assert [answer["entity"] for answer in json.loads(shown.out)] == keys


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"pen\nink\xff\n", "keys.txt:2: 'utf-8' codec can't decode"),
        (b"pen\n" + b"x" * 100_000, "keys.txt:2: longer than 65536 bytes (KEY_BYTES_MAX)"),
        (b"\n \n", "give at least one key"),
    ],
)
def test_what_is_no_key_file_is_named_with_its_line(
    fp: RunFp, serve: Serve, folder: Path, data: bytes, told: str
) -> None:
    """Nothing is asked for."""
    serve([_event("pen")])
    (folder / "keys.txt").write_bytes(data)
    ran = fp("get", "shop", "--entities-file", str(folder / "keys.txt"))
    assert (ran.code, told in ran.messages.replace("\n", "")) == (2, True)


def test_a_header_is_no_key_of_a_number(fp: RunFp, serve: Serve, folder: Path) -> None:
    """It would be answered like an entity without events; blanks around numbers do not matter."""
    made = serve([_event("pen")])
    job = made.snapshot.job
    source = replace(job.source, columns=(SourceColumn(name="item", type="BIGINT"),))
    made.registry.save(replace(made.snapshot, job=replace(job, source=source)))
    keys = folder / "keys.txt"
    keys.write_text("\ufeff 17 \r\n18\n")
    shown = fp("get", "shop", "--entities-file", str(keys), "--json")
    assert [answer["entity"] for answer in json.loads(shown.out)] == ["17", "18"]
    keys.write_text("17\nuser_id\n")
    ran = fp("get", "shop", "--entities-file", str(keys))
    assert (ran.code, f"{keys}:2 is 'user_id'" in ran.messages) == (1, True)


def test_many_keys_are_asked_for_in_parts(fp: RunFp, serve: Serve, folder: Path) -> None:
    """However many there are, and whatever a request may read."""
    serve([_event("pen")])
    keys = folder / "keys.txt"
    keys.write_text("\n".join(f"item {number}" for number in range(20_001)))
    shown = fp("get", "shop", "--entities-file", str(keys), "--json")
    assert len(json.loads(shown.out)) == 20_001
