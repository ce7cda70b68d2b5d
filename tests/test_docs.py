"""The documentation names what there is, and the command line explains itself."""

from pathlib import Path

import pytest
import typer.main

from feature_platform.cli.main import build

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
COMMANDS = typer.main.get_group(build()).commands


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_is_mentioned(name: str) -> None:
    """README or docs say what each command is for."""
    assert any(f"fp {name}" in page.read_text() for page in PAGES)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_has_help(name: str) -> None:
    """Each command tells in one sentence what it does."""
    assert COMMANDS[name].help


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_an_option_has_help(name: str) -> None:
    """Each option tells what it does."""
    silent = [
        option.name for option in COMMANDS[name].params if not getattr(option, "help", "unneeded")
    ]
    assert silent == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link in the documentation names a file that exists."""
    targets = [
        part.split(")", maxsplit=1)[0].split("#", maxsplit=1)[0]
        for part in page.read_text().split("](")[1:]
    ]
    local = [target for target in targets if target and "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []
