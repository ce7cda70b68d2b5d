"""`fp validate` and `fp new`: what a feature author needs before anything is deployed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feature_platform.cli.completion import sources
from feature_platform.cli.output import (
    EXIT_FAILED,
    console,
    message,
    one_line,
    print_json,
    table,
)
from feature_platform.errors import CallerError, DefinitionError
from feature_platform.words import counted, names_of

if TYPE_CHECKING:
    from feature_platform.definition.loading import Project
    from feature_platform.definition.model import FeatureSet
    from feature_platform.settings import Settings


FIRST_SOURCE = "events"
"""What `fp new` calls the source of a project that has none."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(validate)
    app.command()(new)


def validate(
    context: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print feature sets and problems as JSON.")
    ] = False,
) -> None:
    """Check all definitions: report every error with its position, or what is served."""
    from feature_platform.definition.loading import load_project

    settings: Settings = context.obj
    project = load_project(settings.featuresets)
    if as_json:
        print_json(_facts(project))
    else:
        _show(project, settings.featuresets)
    if project.problems:
        raise typer.Exit(EXIT_FAILED)


def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the new feature set.")],
    source: Annotated[
        str | None,
        typer.Option(
            help="The source it reads; written if it does not exist. Default: the project's only "
            f"source, or a new one called {FIRST_SOURCE}.",
            autocompletion=sources,
        ),
    ] = None,
) -> None:
    """Write a commented feature set to start from, and its source if it does not exist.

    And the JSON Schema that both name for editors, if it does not exist.
    """
    from feature_platform.definition.loading import SOURCES_FOLDER, load_project
    from feature_platform.definition.scaffold import scaffold_featureset, scaffold_source
    from feature_platform.definition.schema import FILE, schema_text
    from feature_platform.settings import SETTINGS_FILE

    folder = context.obj.featuresets
    _check_name(name, "feature set")
    if source is not None:
        _check_name(source, "source")
    target = folder / f"{name}.yaml"
    project = load_project(folder)
    if name in project.featuresets or target.exists():
        msg = f"feature set `{name}` already exists in {target}; choose another name"
        raise CallerError(msg)
    source = source or _only_source(project)
    if source not in project.sources:
        source_file = folder / SOURCES_FOLDER / f"{source}.yaml"
        if source_file.exists():
            mistakes = tuple(p for p in project.problems if p.file.endswith(f"/{source_file.name}"))
            if mistakes:
                raise DefinitionError(mistakes)
            msg = f"{source_file} exists and defines another source; rename the file or that source"
            raise CallerError(msg)
        _write(source_file, scaffold_source(source))
        project = load_project(folder)
    _write(target, scaffold_featureset(name, project.sources[source]))
    if not (folder / FILE).exists():  # Of another version it is the person's to renew.
        _write(folder / FILE, schema_text())
    message("edit the new files, then check them: fp validate")
    if not (context.obj.project / SETTINGS_FILE).exists():
        message(
            f"no {SETTINGS_FILE} found: all settings have their defaults. fp settings shows them; "
            f"fp settings --toml > {SETTINGS_FILE} writes a commented file"
        )


def _only_source(project: "Project") -> str:
    """Return the source that a new feature set reads unless one is named.

    Raises:
        CallerError: There are several.
    """
    if len(project.sources) > 1:
        msg = f"the project has the sources {names_of(sorted(project.sources))}: choose --source"
        raise CallerError(msg)
    return next(iter(project.sources), FIRST_SOURCE)


def _check_name(name: str, what: str) -> None:
    from feature_platform.definition.names import check_name
    from feature_platform.definition.problems import Problems
    from feature_platform.definition.yaml_tree import Spot

    problems = Problems("")
    if not check_name(name, what, Spot(), problems):
        raise CallerError(problems.found[0].message)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    message(f"wrote {path}")


def _facts(project: "Project") -> dict[str, Any]:
    return {
        "sources": sorted(project.sources),
        "featuresets": [
            {
                "name": featureset.name,
                "file": featureset.file,
                "source": featureset.source.name,
                "entity": featureset.entity,
                "served": _served(featureset),
                "data_fingerprint": featureset.data_fingerprint,
                "metadata_fingerprint": featureset.metadata_fingerprint,
            }
            for featureset in project.featuresets.values()
        ],
        "lists": [
            {
                "name": each.name,
                "version": each.version,
                "file": each.file,
                "owner": each.owner,
                "features": [feature.to_json() for feature in each.features],
            }
            for each in project.lists.values()
        ],
        "problems": [
            {
                "file": problem.file,
                "line": problem.line,
                "column": problem.column,
                "message": problem.message,
            }
            for problem in project.problems
        ],
    }


def _served(featureset: "FeatureSet") -> list[str]:
    return [name for feature in featureset.features for name in feature.served_names]


def _show(project: "Project", folder: Path) -> None:
    for problem in project.problems:
        message(str(problem))
    if project.featuresets:
        found = table("feature set", "source", "entity", "served", show_lines=True)
        for featureset in project.featuresets.values():
            served = "\n".join(", ".join(feature.served_names) for feature in featureset.features)
            found.add_row(featureset.name, featureset.source.name, featureset.entity, served)
        console.print(found)
    if project.lists:
        found = table("feature list", "version", "feature sets", "features", "owner")
        for each in project.lists.values():
            cells = (each.name, str(each.version), ", ".join(each.featuresets))
            found.add_row(*cells, str(len(each.features)), one_line(each.owner))
        console.print(found)
    if project.problems:
        right = counted(len(project.featuresets), "feature set")
        message(f"{counted(len(project.problems), 'error')}; valid: {right}")
    elif not project.featuresets:
        message(f"no feature set in {folder}; write one with fp new NAME")
