"""Finds the project that Dagster works for, and its definitions. No server is asked.

Where pushes deploy, the definitions are those of the watched branch's newest commit, and not what
lies in the project's folder: what the page shows, and what its buttons deploy, is what was pushed.
"""

import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from feature_platform.definition.loading import Project, load_files, load_project
from feature_platform.errors import GitError, Problem
from feature_platform.paths import CLONE
from feature_platform.pushes.git import Repository
from feature_platform.settings import Settings, load_settings

PROJECT_VARIABLE = "FP_PROJECT"
FOLDER_ORIGIN = "the project's folder"
GIT_SETTING = "git.repository"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A project's settings and definitions."""

    settings: Settings
    project: Project
    origin: str = FOLDER_ORIGIN
    """Where the definitions are from, for a person."""
    trouble: str = ""
    """Why they are those of the folder although a branch is watched."""

    @property
    def broken(self) -> dict[str, tuple[Problem, ...]]:
        """The mistakes of each file that has any, by a name made from the file's path."""
        found: dict[str, tuple[Problem, ...]] = {}
        for problem in self.project.problems:
            name = broken_name(problem.file)
            found[name] = (*found.get(name, ()), problem)
        if self.trouble:
            msg = f"{self.trouble}; until then {FOLDER_ORIGIN} is shown"
            told = Problem(file=GIT_SETTING, line=1, column=1, message=msg)
            found[broken_name(GIT_SETTING)] = (told,)
        return found


def project_folder(project: str | Path | None = None) -> Path:
    """Return a project's folder: the one given, else FP_PROJECT's, else the clone or this folder.

    Dagster's own commands read a `definitions.py` without any `fp`, and so without FP_PROJECT.
    """
    return Path(project or os.environ.get(PROJECT_VARIABLE) or CLONE or Path.cwd()).resolve()


def broken_name(file: str) -> str:
    """Return the name of a broken file's asset; one that Dagster does not take is distinguished."""
    path = Path(file)
    parts = path.with_suffix("").parts
    text = "_".join(parts[1:] or parts)
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    return name if name == text else f"{name}_{zlib.crc32(file.encode()):08x}"


def load(project: str | Path | None = None) -> Loaded:
    """Load a project; see `project_folder`.

    Raises:
        SettingsError: Its settings are wrong.
    """
    settings = load_settings(project_folder(project))
    trouble = ""
    if settings.git.repository:
        try:
            pushed = _pushed(settings)
        except GitError as error:
            trouble = str(error)
        else:
            if pushed is not None:
                return pushed
    return Loaded(settings=settings, project=load_project(settings.featuresets), trouble=trouble)


def repository(settings: Settings) -> Repository:
    """Return the repository that is watched; its path is relative to the project."""
    path = settings.project / Path(settings.git.repository).expanduser()
    return Repository(path, settings.git.folder)


def definitions_at(settings: Settings, commit: str) -> Project:
    """Load the definitions of a commit, which is named by its whole id.

    Raises:
        GitError: The repository cannot be read, or lacks the commit.
    """
    return load_files(repository(settings).definitions(commit))


def _pushed(settings: Settings) -> Loaded | None:
    """Return what was pushed; None if nothing was yet."""
    watched = repository(settings)
    if not watched.has(settings.git.branch):
        return None
    head = watched.head(settings.git.branch)
    return Loaded(
        settings=settings,
        project=load_files(watched.definitions(head.id)),
        origin=f"commit {head.words} of {settings.git.branch}",
    )
