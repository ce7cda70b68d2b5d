"""What surrounds the code: continuous integration, the index of decisions, the changelog."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
FORMS = sorted((ROOT / ".github").rglob("*.yml"))
PINNED = re.compile(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+")


def _workflow() -> dict[str, Any]:
    loaded = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert isinstance(loaded, dict)
    return loaded


def _steps() -> list[dict[str, Any]]:
    return [step for job in _workflow()["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_is_yaml(path: Path) -> None:
    """Workflows and templates of issues are mappings."""
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def test_ci_runs_check_and_test() -> None:
    """Continuous integration runs targets of the Makefile, these two at least."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = [step["run"].split() for step in _steps() if "run" in step]
    assert all(command[0] == "make" and set(command[1:]) <= targets for command in commands)
    assert {"check", "test"} <= {target for command in commands for target in command[1:]}


def test_actions_are_pinned() -> None:
    """Whatever CI uses has a full version."""
    used = [step["uses"] for step in _steps() if "uses" in step]
    assert used
    assert [action for action in used if not PINNED.fullmatch(action)] == []


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_the_form(path: Path) -> None:
    """Its heading has the number of its file; context and decision are there."""
    text = path.read_text()
    assert text.startswith(f"# {int(path.name[:4])}. ")
    assert text.index("\n## Context\n") < text.index("\n## Decision\n")


def test_the_index_lists_every_decision() -> None:
    """By number, file and title, in order."""
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    rows = re.findall(r"^\| \[(\d+)\]\((\S+)\) \| (.+) \| \d{4}-\d\d-\d\d \|$", index, re.MULTILINE)
    titles = [path.read_text().splitlines()[0].removeprefix("# ") for path in DECISIONS]
    assert [f"{number}. {title}" for number, _, title in rows] == titles
    assert [file for _, file, _ in rows] == [path.name for path in DECISIONS]


def test_the_changelog_knows_the_version() -> None:
    """Unreleased comes first, then the package's version."""
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert headings[:2] == ["Unreleased", project["version"]]
