"""What `fp check` ends with, whatever it finds: the checks themselves are elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from feature_platform.checks.result import CheckReport, CheckResult, Status
from feature_platform.checks.run import CheckRequest
from feature_platform.cli import check
from feature_platform.cli.main import build
from feature_platform.engines import world as worlds
from feature_platform.errors import PlanRefusedError, StoreUnavailableError


@pytest.mark.parametrize(
    ("statuses", "code"),
    [(("green",), 0), (("green", "red"), 3), ((None,), 1), ((None, "red"), 3)],
)
def test_the_exit_code_tells_red_from_unknown(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    statuses: tuple[Status | None, ...],
    code: int,
) -> None:
    """3 if a check is red, 1 if one could not be made; a script may rely on it."""
    left = iter(statuses)

    @contextmanager
    def opened(_: object) -> Iterator[None]:
        yield

    def checked(_: object, name: str, __: object) -> CheckReport:
        status = next(left)
        if status is None:
            msg = "the store does not answer"
            raise StoreUnavailableError(msg)
        result = CheckResult(featureset=name, check="parity", status=status, summary="rows")
        return CheckReport(results=(result,))

    monkeypatch.setattr(worlds, "open_world", opened)
    monkeypatch.setattr(check, "_checked", checked)
    names = [f"fs{number}" for number in range(len(statuses))]
    ran = CliRunner().invoke(build(), ["--project", str(tmp_path), "check", *names, "--json"])

    assert ran.exit_code == code


@pytest.mark.parametrize("options", [[], ["--repair"]])
def test_before_a_repair_the_whole_log_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: list[str]
) -> None:
    """Also if one day is checked: a repair recomputes from all files."""
    asked: list[CheckRequest] = []

    @contextmanager
    def opened(_: object) -> Iterator[None]:
        yield

    def checked(_: object, __: str, ask: CheckRequest) -> CheckReport:
        asked.append(ask)
        return CheckReport(results=())

    monkeypatch.setattr(worlds, "open_world", opened)
    monkeypatch.setattr(check, "_checked", checked)
    monkeypatch.setattr(check, "_repair", lambda *_, **__: False)
    command = ["--project", str(tmp_path), "check", "fs", "--day", "2026-01-01", *options]
    assert CliRunner().invoke(build(), command).exit_code == 0
    assert [ask.whole_log for ask in asked] == [bool(options)]


def test_a_repair_that_is_refused_leaves_what_was_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The check may have taken hours."""

    @contextmanager
    def opened(_: object) -> Iterator[None]:
        yield

    def refused(*_: object, **__: object) -> bool:
        msg = "the event log is damaged"
        raise PlanRefusedError(msg)

    red = CheckResult(featureset="fs", check="parity", status="red", summary="rows")
    monkeypatch.setattr(worlds, "open_world", opened)
    monkeypatch.setattr(check, "_checked", lambda *_: CheckReport(results=(red,)))
    monkeypatch.setattr(check, "_repair", refused)
    command = ["--project", str(tmp_path), "check", "fs", "--repair", "--json"]
    ran = CliRunner().invoke(build(), command)
    assert ran.exit_code == 3
    assert '"check": "parity"' in ran.stdout
