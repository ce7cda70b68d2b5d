"""What others wrote (events, keys, definitions, errors) is shown as it is by every command."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feature_platform.checks.result import CheckReport, CheckResult
from feature_platform.cli import check
from feature_platform.cli.output import one_line, output
from feature_platform.cli.trial_view import count, summary, table_of
from feature_platform.engines import world as worlds
from feature_platform.errors import StoreUnavailableError
from tests.unit.cli.running import HOSTILE, NOW_MS, RunFp, Serve

PARTS = (HOSTILE[:6], HOSTILE[6:])


def _event(text: str) -> bytes:
    return json.dumps({"item": text, "price": 14872.92, "cents": 1, "ts": NOW_MS}).encode()


def _all_shown(printed: str) -> bool:
    """Tell whether every text stands in what was printed, and no terminal does anything with it."""
    plain = all(mark.isprintable() or mark == "\n" for mark in printed)
    return plain and all(one_line(text) in printed for text in HOSTILE)


def _is_plain(printed: str) -> bool:
    return all(mark.isprintable() or mark == "\n" for mark in printed)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """No value is broken into lines."""
    monkeypatch.setattr(output, "_width", 2000)  # COLUMNS was read when it was made


@pytest.mark.parametrize("columns", ["80", "2000"])
def test_served_values(
    fp: RunFp, serve: Serve, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    """Keys and values of entities, few side by side and many one a line."""
    monkeypatch.setattr(output, "_width", int(columns))
    serve([_event(text) for text in HOSTILE])
    many = fp("get", "shop", *HOSTILE, "--features", "name,names")
    few = [fp("get", "shop", *part, "--features", "name,names") for part in PARTS]
    for shown in ((many,), few):
        assert [(ran.code, ran.messages) for ran in shown] == [(0, "")] * len(shown)
        printed = "".join(ran.out for ran in shown)
        assert _is_plain(printed)
        assert columns == "80" or _all_shown(printed)


def test_receipts(fp: RunFp, serve: Serve) -> None:
    """Lines that begin with a key."""
    serve([_event(text) for text in HOSTILE])
    shown = fp("get", "shop", *HOSTILE, "--features", "sold_30m", "--explain")
    assert _all_shown(shown.out)
    assert all(f"{one_line(text)} shop.sold_30m: [" in shown.out for text in HOSTILE)


def test_stored_rows(fp: RunFp, serve: Serve) -> None:
    """Values of tiles, and an entity that has none."""
    serve([_event(text) for text in HOSTILE])
    shown = [fp("rows", "shop", "--entity", text) for text in HOSTILE]
    assert _all_shown("".join(ran.out for ran in shown))
    assert all(
        f"name={one_line(text)}" in ran.out for text, ran in zip(HOSTILE, shown, strict=True)
    )
    missing = [fp("rows", "shop", "--entity", f"{text}!").out for text in HOSTILE]
    assert _is_plain("".join(missing))
    assert all("has no rows for" in text for text in missing)


@pytest.mark.parametrize("command", [("list",), ("show", "shop")])
def test_the_catalogue(fp: RunFp, serve: Serve, command: tuple[str, ...]) -> None:
    """Descriptions, owners and SQL of what is deployed."""
    text = " ".join(HOSTILE)
    serve([_event("pen")], definition={"description": text, "owner": text, "sql": text})
    shown = fp(*command)
    assert (shown.code, _all_shown(shown.out)) == (0, True)


def test_mistakes(fp: RunFp, folder: Path) -> None:
    """A message quotes the definition and names the file."""
    for text in HOSTILE:
        name = text.replace("/", "")
        (folder / "featuresets" / f"{name}.yaml").write_text(json.dumps({"featureset": text}))
        ran = fp("new", text)
        assert (ran.code, _is_plain(ran.out + ran.messages)) == (1, True)
    ran = fp("validate")
    assert (ran.code, _is_plain(ran.out + ran.messages)) == (1, True)


@pytest.mark.parametrize("text", HOSTILE[::3])
def test_arguments(fp: RunFp, text: str) -> None:
    """Wrong use quotes what was written."""
    for command in ((text,), ("validate", f"--{text}"), ("produce", text, "--file", text)):
        ran = fp(*command)
        assert ran.code == 2
        assert _is_plain(ran.out + ran.messages)


@pytest.mark.parametrize("text", HOSTILE[::2])
def test_checks_and_errors(fp: RunFp, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Summaries, findings and what a server says."""

    @contextmanager
    def opened(_: object) -> Iterator[None]:
        yield

    def checked(_: object, name: str, __: object) -> CheckReport:
        if name == "broken":
            raise StoreUnavailableError(text)
        result = CheckResult(
            featureset=name,
            check="parity",
            status="red",
            summary=text,
            findings=(text,),
            found=1,
            next_step=text,
        )
        return CheckReport(results=(result,))

    monkeypatch.setattr(worlds, "open_world", opened)
    monkeypatch.setattr(check, "_checked", checked)
    ran = fp("check", "shop", "broken")
    assert ran.code == 3
    assert _is_plain(ran.out + ran.messages)
    assert one_line(text) in ran.out


@pytest.mark.parametrize("text", HOSTILE)
def test_trials(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Values and tiles of both."""
    value = {"trial": text, "deployed": [text], "comparable": True}
    tile = {"level": "1m", "start": text, "trial": {"name": text}, "deployed": None}
    found = [{"entity": text, "values": {"name": value}, "tiles": [tile]}]
    output.print(table_of(found))
    for line in summary(count(found)):
        output.print(line)
    printed = capsys.readouterr().out
    assert _is_plain(printed)
    assert one_line(text) in printed
