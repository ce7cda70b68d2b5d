"""A share of the entities, as a person writes it."""

import re

import typer

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)%")


def parse_share(text: str, option: str) -> float:
    """Read a percentage.

    Raises:
        typer.BadParameter: It is none, or not above 0 and at most 100.
    """
    match = _PERCENT.fullmatch(text.strip())
    share = float(match[1]) / 100 if match else 0.0
    if not 0 < share <= 1:
        msg = f"{text!r} is not a percentage above 0% and at most 100%; write it as 1%"
        raise typer.BadParameter(msg, param_hint=option)
    return share
