"""Finds the project that Dagster works for. No server is asked: the UI loads without any."""

import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from feature_platform.definition.loading import Project, load_project
from feature_platform.errors import Problem
from feature_platform.settings import REPOSITORY, Settings, load_settings

PROJECT_VARIABLE = "FP_PROJECT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A project's settings and definitions."""

    settings: Settings
    project: Project

    @property
    def broken(self) -> dict[str, tuple[Problem, ...]]:
        """The mistakes of each file that has any, by a name made from the file's path."""
        found: dict[str, tuple[Problem, ...]] = {}
        for problem in self.project.problems:
            name = broken_name(problem.file)
            found[name] = (*found.get(name, ()), problem)
        return found


def broken_name(file: str) -> str:
    """Return the name of a broken file's asset; one that Dagster does not take is told apart."""
    path = Path(file)
    parts = path.with_suffix("").parts
    text = "_".join(parts[1:] or parts)
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    return name if name == text else f"{name}_{zlib.crc32(file.encode()):08x}"


def load(project: str | Path | None = None) -> Loaded:
    """Load a project: the one given, else the one of FP_PROJECT, else the clone itself.

    Raises:
        SettingsError: Its settings are wrong.
    """
    folder = Path(project or os.environ.get(PROJECT_VARIABLE) or REPOSITORY)
    settings = load_settings(folder)
    return Loaded(settings=settings, project=load_project(settings.featuresets))
