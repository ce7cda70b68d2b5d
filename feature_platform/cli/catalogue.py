"""`fp list` and `fp show`: what is defined in the folder, and what of it is deployed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feature_platform.cli.changes import Json
from feature_platform.cli.completion import featuresets
from feature_platform.cli.output import message, one_line, output, print_json, say, table
from feature_platform.settings import Settings

if TYPE_CHECKING:
    from feature_platform.definition.loading import Project
    from feature_platform.definition.model import FeatureSet
    from feature_platform.plan.snapshot import Snapshot

NOT_YET = "does not exist"
"""What the store says of the registry's tables before the first deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One feature set as it is defined and deployed; at least one of both is there."""

    name: str
    defined: "FeatureSet | None"
    deployed: "Snapshot | None"
    state: str
    """What the registry says; `unknown` if it did not answer."""

    @property
    def changed(self) -> bool | None:
        """Whether the definition is another than the deployed one; None if one is missing."""
        if self.defined is None or self.deployed is None:
            return None
        mine, theirs = self.defined, self.deployed
        return (mine.data_fingerprint, mine.metadata_fingerprint) != (
            theirs.data_fingerprint,
            theirs.metadata_fingerprint,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All feature sets of a project."""

    project: "Project"
    entries: tuple[Entry, ...]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(list_)
    app.command()(show)


def list_(context: typer.Context, *, as_json: Json = False) -> None:
    """List the feature sets that are defined in the folder or deployed.

    Without servers it lists what is defined.
    """
    entries = look(context.obj).entries
    if as_json:
        print_json([_summary(entry) for entry in entries])
        return
    if not entries:
        message(f"no feature set in {context.obj.featuresets}; write one with fp new NAME")
        return
    found = table("feature set", "entity", "source", "served", "state", "owner", "description")
    for entry in entries:
        facts = _summary(entry)
        state = f"{facts['state']}, definition changed" if facts["changed"] else facts["state"]
        texts = (facts["owner"], facts["description"])
        found.add_row(
            *(facts["featureset"], facts["entity"], facts["source"], str(facts["served"]), state),
            *(one_line(text) for text in texts),
        )
    output.print(found)


def show(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="FS", help="Feature set name.", autocompletion=featuresets)
    ],
    defined: Annotated[
        bool,
        typer.Option(
            "--defined",
            help="Show the definition in the folder, even if a different one is deployed.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show one feature set: its features and since when they count, SQL, layout and ids.

    Shows what is deployed, or what is defined if it is not deployed or the store is down.
    """
    from feature_platform.cli.catalogue_view import facts_of, print_facts

    found = look(context.obj)
    facts = facts_of(_find(found, name), defined=defined)
    facts["lists"] = sorted(
        each.name for each in found.project.lists.values() if name in each.featuresets
    )
    if as_json:
        print_json(facts)
    else:
        print_facts(facts)
        if facts["changed"]:
            say(f"the definition in {facts['file']} is different: fp plan {name}")


def look(settings: Settings) -> Catalogue:
    """Load the definitions and ask the registry; errors and silence are reported, not raised."""
    from feature_platform.definition.loading import load_project

    project = load_project(settings.featuresets)
    for problem in project.problems:
        message(str(problem))
    deployed, begun, answered = _deployed(settings, sorted(project.featuresets))
    names = sorted(project.featuresets.keys() | deployed.keys())
    return Catalogue(
        project=project,
        entries=tuple(
            Entry(
                name=name,
                defined=project.featuresets.get(name),
                deployed=deployed.get(name),
                state=_state(deployed.get(name), begun=name in begun, answered=answered),
            )
            for name in names
        ),
    )


def _deployed(
    settings: Settings, defined: Sequence[str]
) -> tuple[dict[str, "Snapshot"], set[str], bool]:
    """Return what is deployed, which first deployments are under way, and whether anyone knew."""
    from feature_platform.cli.reading import open_store
    from feature_platform.errors import SettingsError, StoreUnavailableError

    try:
        with open_store(settings) as (registry, _):
            found = {item.featureset: item for item in registry.snapshots()}
            begun = {name for name in defined if name not in found and registry.progress(name)}
    except (StoreUnavailableError, SettingsError) as error:
        if NOT_YET in str(error):
            return {}, set(), True
        message(f"note: cannot read what is deployed: {error}")
        return {}, set(), False
    return found, begun, True


def _state(deployed: "Snapshot | None", *, begun: bool, answered: bool) -> str:
    if not answered:
        return "unknown"
    if deployed is None:
        return "deploying" if begun else "not deployed"
    return deployed.state


def _find(catalogue: Catalogue, name: str) -> Entry:
    """Return the entry of a name.

    Raises:
        DefinitionError: It may be in a file with a mistake.
        UnknownFeatureError: It is neither defined nor deployed.
    """
    from feature_platform.definition.names import unknown
    from feature_platform.errors import UnknownFeatureError

    for entry in catalogue.entries:
        if entry.name == name:
            return entry
    catalogue.project.checked()
    raise UnknownFeatureError(unknown("feature set", name, [e.name for e in catalogue.entries]))


def _summary(entry: Entry) -> dict[str, Any]:
    """Return what a list says of a feature set: what is deployed, else what is defined."""
    from feature_platform.serving.read_plan import served_names

    mine, theirs = entry.defined, entry.deployed
    described = theirs.definition if theirs else {}
    served = (
        len(served_names(theirs))
        if theirs
        else sum(len(feature.served_names) for feature in mine.features)
        if mine
        else 0
    )
    return {
        "featureset": entry.name,
        "entity": theirs.entity if theirs else mine.entity if mine else "",
        "source": theirs.source if theirs else mine.source.name if mine else "",
        "served": served,
        "state": entry.state,
        "changed": entry.changed,
        "owner": str(described.get("owner") or (mine.owner if mine else "")),
        "description": str(described.get("description") or (mine.description if mine else "")),
        "file": mine.file if mine else None,
        "generation": theirs.generation if theirs else None,
    }
