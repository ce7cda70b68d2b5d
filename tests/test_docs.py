"""The documentation names what there is, and the command line explains itself."""

import re
import runpy
from pathlib import Path

import pytest
import typer.main

from feature_platform.cli.main import build

ROOT = Path(__file__).parent.parent
PAGES = (
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
)
PICTURES = sorted(
    path for path in (ROOT / "docs" / "pictures").iterdir() if path.suffix in {".svg", ".png"}
)
PICTURE_BYTES_MAX = 300_000
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


def _links(page: Path) -> list[tuple[Path, str]]:
    """Return the file and the fragment of each relative link of a page."""
    found = []
    for part in page.read_text().split("](")[1:]:
        target, _, fragment = part.split(")", maxsplit=1)[0].partition("#")
        if "://" not in target:
            found.append((page.parent / target if target else page, fragment))
    return found


def _anchors(page: Path) -> set[str]:
    """Return the fragments that lead to headings of a page, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link in the documentation names a file that exists, and a heading of it."""
    links = _links(page)
    assert [str(target) for target, _ in links if not target.exists()] == []
    assert [
        f"{target.name}#{fragment}"
        for target, fragment in links
        if fragment and fragment not in _anchors(target)
    ] == []


def test_the_drawing_is_what_its_script_draws() -> None:
    """Whoever changes the script commits the picture with it."""
    pictures = ROOT / "docs" / "pictures"
    drawn = runpy.run_path(str(pictures / "architecture.py"))["draw"]()
    assert (pictures / "architecture.svg").read_text() == drawn


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_small_and_shown(picture: Path) -> None:
    """A clone stays small, and no picture is left that no page shows."""
    assert picture.stat().st_size <= PICTURE_BYTES_MAX
    assert any(f"pictures/{picture.name}" in page.read_text() for page in PAGES)


def _commands(text: str) -> list[str]:
    """Return the lines of a text's shell blocks."""
    blocks = [part.split("```", 1)[0] for part in text.split("```sh\n")[1:]]
    return [line for block in blocks for line in block.splitlines()]


def test_the_readme_shows_what_the_quickstart_runs() -> None:
    """Each command of the README's quickstart is one of the page that a test runs, in its order."""
    section = (ROOT / "README.md").read_text().split("## First steps\n")[1].split("\n## ")[0]
    shown = _commands(section)
    run = iter(_commands((ROOT / "docs" / "quickstart.md").read_text()))

    assert shown
    assert [line for line in shown if line not in run] == []
