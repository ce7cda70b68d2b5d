"""Loads a project's definitions: every file is read, every mistake told, the good ones are kept."""

from collections.abc import Callable
from dataclasses import dataclass, field
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
_Kind = TypeVar("_Kind", Source, FeatureSet)


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
    data = {file.name.text: to_data(file.tree) for file in source_files if file.name}
    raw = {
        file.name.text: {**to_data(file.tree), "source": data[good[file.name.text].source.name]}
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
    paths = folder.iterdir() if folder.is_dir() else iter(())
    for path in sorted(path for path in paths if path.suffix in SUFFIXES):
        problems = Problems(str(path.relative_to(root.parent)))
        data = _read(path, problems)
        tree = None if data is None else read_yaml(data, problems)
        if tree is None:
            told += problems.found
            continue
        name = tree.get(key)
        named = name if isinstance(name, Scalar) and name.kind == "str" else None
        files.append(_File(tree=tree, name=named, problems=problems))
    return files, told


def _read(path: Path, problems: Problems) -> bytes | None:
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
        value = read(file)
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
