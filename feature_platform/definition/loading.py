"""Loads a project's definitions: every file is read, every mistake told, the good ones are kept."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from feature_platform.definition.featureset import read_featureset
from feature_platform.definition.model import FeatureSet, Source
from feature_platform.definition.problems import Problems
from feature_platform.definition.source import read_source
from feature_platform.definition.yaml_tree import (
    FILE_BYTES_MAX,
    Mapping,
    Scalar,
    Spot,
    read_yaml,
    to_data,
)
from feature_platform.errors import DefinitionError, Problem

SOURCES_FOLDER = "sources"
SUFFIXES = frozenset({".yaml", ".yml"})
ERROR_CHARACTERS_MAX = 200
"""Of an error that nobody has foreseen."""
_Kind = TypeVar("_Kind", Source, FeatureSet)
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What a folder of definitions holds."""

    sources: dict[str, Source]
    featuresets: dict[str, FeatureSet]
    problems: tuple[Problem, ...]
    raw: dict[str, dict[str, Any]]
    """Each good feature set's YAML as data, with its source's YAML under `source`."""

    def checked(self) -> "Project":
        """Return itself if there is no mistake.

        Raises:
            DefinitionError: There is at least one.
        """
        if self.problems:
            raise DefinitionError(self.problems)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """One file that is YAML."""

    tree: Mapping
    name: Scalar | None
    data: dict[str, Any]
    """Its content as data."""
    problems: Problems = field(compare=False)


def load_project(folder: Path) -> Project:
    """Load `folder/*.yaml` and `folder/sources/*.yaml`; mistakes become `problems`."""
    source_files, told = _read_folder(folder / SOURCES_FOLDER, folder, "source")
    featureset_files, more = _read_folder(folder, folder, "featureset")
    told += more
    sources = _read_each(source_files, "source", lambda file: read_source(file.tree, file.problems))
    featuresets = _read_each(
        featureset_files,
        "feature set",
        lambda file: read_featureset(file.tree, sources, file.problems),
    )
    for file in [*source_files, *featureset_files]:
        told += file.problems.found
    good = {name: featureset for name, featureset in featuresets.items() if featureset}
    data = {file.name.text: file.data for file in source_files if file.name}
    raw = {
        file.name.text: {**file.data, "source": data[good[file.name.text].source.name]}
        for file in featureset_files
        if file.name and file.name.text in good
    }
    return Project(
        sources={name: source for name, source in sources.items() if source},
        featuresets=good,
        problems=tuple(sorted(told, key=_place)),
        raw=raw,
    )


def _read_folder(folder: Path, root: Path, key: str) -> tuple[list[_File], list[Problem]]:
    """Return the folder's files that are YAML, and the mistakes of the others."""
    files: list[_File] = []
    told: list[Problem] = []
    for path in _paths(folder, root, told):
        problems = Problems(printable(path.relative_to(root.parent)))
        file = _alone(problems, partial(_read_file, path, key, problems))
        if file is None:
            told += problems.found
        else:
            files.append(file)
    return files, told


def _paths(folder: Path, root: Path, told: list[Problem]) -> list[Path]:
    try:
        paths = list(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        problems = Problems(printable(folder.relative_to(root.parent)))
        problems.add(Spot(), f"the folder cannot be read: {error.strerror}")
        told += problems.found
        return []
    return sorted(path for path in paths if path.suffix in SUFFIXES)


def _read_file(path: Path, key: str, problems: Problems) -> _File | None:
    data = _read(path, problems)
    tree = None if data is None else read_yaml(data, problems)
    if tree is None:
        return None
    name = tree.get(key)
    named = name if isinstance(name, Scalar) and name.kind == "str" else None
    return _File(tree=tree, name=named, data=to_data(tree), problems=problems)


def printable(path: Path) -> str:
    """Write a path in characters that can be shown, whatever bytes its name has."""
    text = str(path).encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _alone(problems: Problems, read: Callable[[], _Read]) -> _Read | None:
    """Return what is read of one file; whatever goes wrong with it stops no other file."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001 (told as a mistake of this file)
        what = f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS_MAX]
        msg = (
            f"the file cannot be read ({what}), which is a fault of the platform: please report "
            f"it, and take out what is unusual in the file"
        )
        problems.add(Spot(), msg)
        return None


def _read(path: Path, problems: Problems) -> bytes | None:
    if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would be waited for
        problems.add(Spot(), "this is no regular file; remove it")
        return None
    try:
        with path.open("rb") as stream:
            return stream.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        problems.add(Spot(), f"the file cannot be read: {error.strerror}")
        return None


def _read_each(
    files: list[_File], what: str, read: Callable[[_File], _Kind | None]
) -> dict[str, _Kind | None]:
    """Return each file's content by name, None where it has mistakes or shares its name."""
    first: dict[str, _File] = {}
    found: dict[str, _Kind | None] = {}
    for file in files:
        value = _alone(file.problems, partial(read, file))
        if file.name is None:
            continue
        name = file.name.text
        if name not in first:
            first[name], found[name] = file, value
            continue
        other, found[name] = first[name], None
        for here, there in ((file, other), (other, file)):
            msg = f"{what} `{name}` stands in {there.problems.file} too; rename one, or remove it"
            if here.name is not None:
                here.problems.add(here.name, msg)
    return found


def _place(problem: Problem) -> tuple[str, int, int]:
    return problem.file, problem.line, problem.column
