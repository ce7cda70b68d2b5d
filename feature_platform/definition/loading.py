"""Loads a project's definitions: all files are read, all errors reported, valid ones kept."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePath
from typing import Any, TypeVar

from feature_platform.definition.feature_list import FeatureList
from feature_platform.definition.featureset import TESTS, read_featureset
from feature_platform.definition.labels import read_labels
from feature_platform.definition.lists import read_list
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

FOLDER = "featuresets"
SOURCES_FOLDER = "sources"
LISTS_FOLDER = "lists"
FOLDERS = (SOURCES_FOLDER, LISTS_FOLDER)
"""Folders of definitions that are no feature sets."""
SUFFIXES = frozenset({".yaml", ".yml"})
ERROR_CHARACTERS_MAX = 200
"""Of an error that nobody has foreseen."""
_Kind = TypeVar("_Kind", Source, FeatureSet, FeatureList)
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What a folder of definitions holds."""

    sources: dict[str, Source]
    featuresets: dict[str, FeatureSet]
    problems: tuple[Problem, ...]
    raw: dict[str, dict[str, Any]]
    """Each good feature set's YAML as data, but for its tests; `source` has its source's YAML."""
    lists: dict[str, FeatureList] = field(default_factory=dict)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionFile:
    """A file of a project, wherever it is kept."""

    path: str
    """Below the folder of definitions: `x.yaml`, `sources/x.yaml` or `lists/x.yaml`."""
    data: bytes = b""
    refusal: str = ""
    """Why it has no content to be read."""


def load_project(folder: Path) -> Project:
    """Load `folder/*.yaml` and those of `sources/` and `lists/`; mistakes become `problems`."""
    files = _files(folder, "")
    for inner in FOLDERS:
        files += _files(folder / inner, f"{inner}/")
    return load_files(files, folder.name)


def load_files(files: Iterable[DefinitionFile], root: str = FOLDER) -> Project:
    """Load definitions from their content; mistakes become `problems`.

    Args:
        files: Those with another suffix than YAML's are left out.
        root: The name of the folder, for messages.
    """
    chosen = sorted(
        (file for file in files if file.refusal or PurePath(file.path).suffix in SUFFIXES),
        key=lambda file: file.path,
    )
    source_files, told = _parse(_inside(chosen, SOURCES_FOLDER), root, "source")
    list_files, more = _parse(_inside(chosen, LISTS_FOLDER), root, "list")
    inner = tuple(f"{folder}/" for folder in FOLDERS)
    others = [file for file in chosen if not file.path.startswith(inner)]
    featureset_files, most = _parse(others, root, "featureset")
    told += more + most
    sources = _read_each(source_files, "source", _source)
    featuresets = _read_each(
        featureset_files,
        "feature set",
        lambda file: read_featureset(file.tree, sources, file.problems),
    )
    lists = _read_each(
        list_files, "feature list", lambda file: read_list(file.tree, featuresets, file.problems)
    )
    for file in [*source_files, *featureset_files, *list_files]:
        told += file.problems.found
    good = {name: featureset for name, featureset in featuresets.items() if featureset}
    data = {file.name.text: file.data for file in source_files if file.name}
    raw = {
        file.name.text: {
            **{key: value for key, value in file.data.items() if key != TESTS},
            "source": data[good[file.name.text].source.name],
        }
        for file in featureset_files
        if file.name and file.name.text in good
    }
    return Project(
        sources={name: source for name, source in sources.items() if source},
        featuresets=good,
        problems=tuple(sorted(told, key=_place)),
        raw=raw,
        lists={name: each for name, each in lists.items() if each},
    )


def _inside(files: Iterable[DefinitionFile], folder: str) -> list[DefinitionFile]:
    return [file for file in files if file.path.startswith(f"{folder}/")]


def _parse(
    files: Iterable[DefinitionFile], root: str, key: str
) -> tuple[list[_File], list[Problem]]:
    """Return the files that are YAML, and the mistakes of the others."""
    read: list[_File] = []
    told: list[Problem] = []
    for file in files:
        problems = Problems(f"{printable(root)}/{printable(file.path)}")
        parsed = _alone(problems, partial(_parse_file, file, key, problems))
        if parsed is None:
            told += problems.found
        else:
            read.append(parsed)
    return read, told


def _parse_file(file: DefinitionFile, key: str, problems: Problems) -> _File | None:
    if file.refusal:
        problems.add(Spot(), file.refusal)
        return None
    tree = read_yaml(file.data, problems)
    if tree is None:
        return None
    name = tree.get(key)
    named = name if isinstance(name, Scalar) and name.kind == "str" else None
    return _File(tree=tree, name=named, data=to_data(tree), problems=problems)


def _files(folder: Path, prefix: str) -> list[DefinitionFile]:
    """Read a folder's files that are YAML by their names."""
    try:
        paths = list(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        refusal = f"the folder cannot be read: {error.strerror}"
        return [DefinitionFile(path=prefix.rstrip("/") or ".", refusal=refusal)]
    return [_file(path, prefix) for path in paths if path.suffix in SUFFIXES]


def _file(path: Path, prefix: str) -> DefinitionFile:
    name = f"{prefix}{path.name}"
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would be waited for
            return DefinitionFile(path=name, refusal="this is not a regular file; remove it")
        with path.open("rb") as stream:
            return DefinitionFile(path=name, data=stream.read(FILE_BYTES_MAX + 1))
    except OSError as error:
        return DefinitionFile(path=name, refusal=f"the file cannot be read: {error.strerror}")


def printable(text: str) -> str:
    """Write a path in characters that can be shown, whatever bytes its names have."""
    whole = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in whole)


def _alone(problems: Problems, read: Callable[[], _Read]) -> _Read | None:
    """Return what is read of one file; whatever goes wrong with it stops no other file."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001 (reported as a mistake of this file)
        what = f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS_MAX]
        msg = (
            f"the file cannot be read ({what}); this is a bug in the platform: please report it, "
            "and remove what is unusual in the file"
        )
        problems.add(Spot(), msg)
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
            msg = (
                f"{what} `{name}` is also defined in {there.problems.file}; rename one or remove it"
            )
            if here.name is not None:
                here.problems.add(here.name, msg)
    return found


def _source(file: _File) -> Source | None:
    source = read_source(file.tree, file.problems)
    if source is None:
        return None
    labels = read_labels(file.tree, source, file.problems)
    return None if file.problems.found else replace(source, labels=labels)


def _place(problem: Problem) -> tuple[str, int, int]:
    return problem.file, problem.line, problem.column
