"""What Dagster shows where pushes deploy: what was pushed, never the folder beside it."""

import subprocess
from pathlib import Path

import pytest

from feature_platform.errors import GitError
from feature_platform.orchestration.resources import Platform
from feature_platform.pushes.loading import load


def git(where: Path, *arguments: str) -> None:
    """Run git."""
    author = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *author, *arguments], cwd=where, check=True, capture_output=True)  # noqa: S607 - of the path


def test_the_page_shows_what_was_pushed(folder: Path) -> None:
    """Where pushes deploy, the folder is no second truth; before the first push it is the one."""
    git(folder, "init", "--quiet", "--initial-branch", "main")
    (folder / "feature_platform.toml").write_text('[git]\nrepository = "."\n')
    assert load(folder).origin == "the project's folder"
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "as it was pushed")
    file = folder / "featuresets" / "engagement.yaml"
    file.write_text(file.read_text().replace("lifetime: true", "lifetime: false"))
    loaded = load(folder)
    (feature,) = loaded.project.featuresets["engagement"].features
    assert feature.lifetime
    assert "(as it was pushed) of main" in loaded.origin
    assert loaded.broken == {}


def test_a_repository_that_cannot_be_read_is_shown_and_deploys_nothing(folder: Path) -> None:
    """The page is there; a button that deployed what lies in the folder would be a second truth."""
    (folder / "feature_platform.toml").write_text('[git]\nrepository = "nowhere"\n')
    loaded = load(folder)
    assert list(loaded.project.featuresets) == ["engagement"]
    ((told,),) = loaded.broken.values()
    assert "nowhere" in told.message
    with pytest.raises(GitError, match="nowhere"):
        Platform(project=str(folder)).deploy("engagement", print)
