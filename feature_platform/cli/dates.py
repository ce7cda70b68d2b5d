"""Instants and days as people write them in options."""

from datetime import date

import typer

from feature_platform.clock import from_iso


def parse_instant(text: str, option: str) -> int:
    """Return an instant as epoch milliseconds.

    Raises:
        typer.BadParameter: It is none.
    """
    try:
        return from_iso(text)
    except (ValueError, OverflowError) as error:
        msg = f"{text!r} is not a timestamp; write it as 2026-01-31T15:37:00Z"
        raise typer.BadParameter(msg, param_hint=option) from error


def parse_day(text: str, option: str) -> str:
    """Return a UTC day as it is spelled in folders; of an empty text that.

    Raises:
        typer.BadParameter: It is not a date.
    """
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        msg = f"{text}: write a day as 2026-01-31"
        raise typer.BadParameter(msg, param_hint=option) from None
