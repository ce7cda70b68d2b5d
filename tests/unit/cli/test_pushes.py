"""Where pushes deploy, a plan says what the branch defines otherwise than the folder."""

import subprocess
from pathlib import Path

import pytest

from feature_platform.cli.pushes import warn_of_pushes
from feature_platform.definition.loading import load_project
from feature_platform.settings import load_settings

GIT = ("/usr/bin/env", "git", "-c", "user.name=a", "-c", "user.email=a@b.example")


@pytest.fixture
def pushed(folder: Path) -> Path:
    """A project whose definitions are committed to the branch that is watched."""
    for command in (("init", "-qb", "main"), ("add", "-A"), ("commit", "-qm", "As deployed")):
        subprocess.run([*GIT, "-C", str(folder), *command], check=True)
    (folder / "feature_platform.toml").write_text('[git]\nrepository = "."\n')
    return folder


def _told(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    settings = load_settings(folder, {})
    warn_of_pushes(settings, load_project(settings.featuresets))
    return capsys.readouterr().err


def test_the_same_definitions_need_no_word(
    pushed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does a folder without a branch that is watched, or a comment."""
    assert _told(pushed, capsys) == ""
    file = pushed / "featuresets" / "shop.yaml"
    file.write_text(f"# a comment\n{file.read_text()}")
    assert _told(pushed, capsys) == ""
    (pushed / "feature_platform.toml").unlink()
    file.unlink()
    assert _told(pushed, capsys) == ""


def test_what_differs_is_named(pushed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Other definitions, and those that one side lacks alone."""
    file = pushed / "featuresets" / "shop.yaml"
    text = file.read_text()
    file.write_text(text.replace("[1d]", "[1d, 3d]"))
    (pushed / "featuresets" / "new.yaml").write_text(text.replace("set: shop", "set: new"))
    told = _told(pushed, capsys)
    assert told.startswith("note: pushes to `main` of . are deployed here; its commit ")
    assert "(As deployed)" in told
    assert "different definitions: shop; only in the folder: new." in told
    file.unlink()
    assert "only in the commit: shop; only in the folder: new." in _told(pushed, capsys)


def test_a_branch_that_cannot_be_read_is_no_reason_to_stop(
    pushed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said why."""
    (pushed / "feature_platform.toml").write_text('[git]\nrepository = "nowhere"\n')
    assert "cannot be compared with this folder: " in _told(pushed, capsys)


def test_mistakes_of_the_commit_are_told(pushed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not deployed because of them is no difference of the folder's making."""
    (pushed / "featuresets" / "bad.yaml").write_text("featureset: bad\n")
    for command in (("add", "featuresets"), ("commit", "-qm", "Broken")):
        subprocess.run([*GIT, "-C", str(pushed), *command], check=True)
    assert "(Broken): featuresets/bad.yaml:1:1: " in _told(pushed, capsys)
