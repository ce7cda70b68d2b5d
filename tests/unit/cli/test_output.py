"""Texts are printed as they are, whoever wrote them; nothing else prints."""

import ast
import io
import json
import sys
from pathlib import Path

import pytest

from feature_platform.cli import output
from feature_platform.cli.output import PlainConsole, cell, escape, one_line, styled, table
from tests.unit.cli.running import HOSTILE

CLI = Path(output.__file__).parent
HARMLESS = ("\n", "\t")


def _is_plain(text: str) -> bool:
    """Tell whether a terminal does nothing with a text but show it."""
    return all(mark.isprintable() or mark in HARMLESS for mark in text)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_printed_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As a line, in a table, as a message, as an error, beside a spinner."""
    shown = table("name", text)
    shown.add_row(one_line(text), styled(text, "red"))
    output.output.print(shown)
    output.say(text)
    output.message(text)
    output.complain(text)
    with output.console.status(text) as status:
        status.update(text)
    printed = capsys.readouterr()
    for stream in (printed.out, printed.err):
        assert _is_plain(stream)
        assert escape(text).replace("\n", "") in stream.replace("\n", "").replace("│", "")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_is_one_line(text: str) -> None:
    """A value cannot make a second row."""
    assert cell(text).isprintable()
    assert cell([text]).isprintable()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (14872.92, "14872.92"),
        (1234567.89, "1234567.89"),
        (0.1 + 0.2, "0.30000000000000004"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740993, "9007199254740993"),
        (-9223372036854775808, "-9223372036854775808"),
        (True, "True"),
        (None, "-"),
        ([1234567.89, None], "[1234567.89, None]"),
    ],
)
def test_a_number_is_exact(value: object, shown: str) -> None:
    """Every digit: a person may check it."""
    assert cell(value) == shown


@pytest.mark.parametrize("text", [*HOSTILE, "\ud800"])
def test_json_holds_the_text_and_does_nothing_to_a_terminal(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is read back is the text, byte for byte."""
    output.print_json({"text": text})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"text": text}
    assert _is_plain(printed)


def test_a_terminal_without_unicode_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """No UnicodeEncodeError: JSON and the lines of tables are ASCII, the rest is escaped."""
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding="latin-1", errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", stream)
    output.print_json({"text": "日本"})
    shown = table("name")
    shown.add_row("日本")
    PlainConsole().print(shown)
    stream.flush()
    assert b"\\u65e5\\u672c" in written.getvalue()
    assert "─".encode().decode("latin-1") not in written.getvalue().decode("latin-1")
    assert written.getvalue().isascii()


@pytest.mark.parametrize("path", sorted(CLI.glob("*.py")), ids=lambda path: path.stem)
def test_nothing_else_makes_a_console(path: Path) -> None:
    """A `Console` of one's own, markup, or a plain `print` would bypass what is escaped."""
    tree = ast.parse(path.read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = {ast.unparse(call.func) for call in calls}
    if path.stem == "output":
        return
    assert made & {"Console", "Text.from_markup", "typer.echo", "typer.secho", "print"} == set()
    assert not any(keyword.arg == "markup" for call in calls for keyword in call.keywords)
