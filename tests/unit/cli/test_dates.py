"""Instants and days in options: what is none is a wrong use that says how to write it."""

import pytest
import typer

from feature_platform.cli.dates import parse_day, parse_instant


def test_what_is_right() -> None:
    """UTC without a zone; an empty day stays one."""
    assert parse_instant("2026-01-31T15:37:00", "--at") == 1_769_873_820_000
    assert parse_instant("2026-01-31T16:37:00+01:00", "--at") == 1_769_873_820_000
    assert parse_day("2026-01-31", "--day") == "2026-01-31"
    assert parse_day("20260131", "--day") == "2026-01-31"
    assert not parse_day("", "--day")


@pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "999999-01-01T00:00:00Z"])
def test_what_is_wrong(text: str) -> None:
    """The option and the right way are named."""
    with pytest.raises(typer.BadParameter, match="2026-01-31T15:37:00Z") as instant:
        parse_instant(text, "--at")
    assert instant.value.param_hint == "--at"
    with pytest.raises(typer.BadParameter, match="write a day as 2026-01-31"):
        parse_day(text, "--day")
