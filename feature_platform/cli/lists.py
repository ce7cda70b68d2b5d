"""`fp lists`: which feature lists are defined in the folder, and what of them is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feature_platform.cli import completion
from feature_platform.cli.changes import Json
from feature_platform.cli.output import cell, message, one_line, output, print_json, say, table
from feature_platform.settings import Settings

if TYPE_CHECKING:
    from feature_platform.definition.feature_list import FeatureList
    from feature_platform.plan.lists import StoredList

NOT_YET = ("does not exist", "unconfigured table")
"""What stores say of the table of lists before the first deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEntry:
    """One list as it is defined and stored; at least one of both is there."""

    name: str
    defined: "FeatureList | None"
    stored: "StoredList | None"
    answered: bool
    """Whether the registry answered."""

    @property
    def state(self) -> str:
        """What the registry says; `unknown` if it did not answer."""
        if not self.answered:
            return "unknown"
        if self.stored is None:
            return "not stored"
        return "removed" if self.stored.removed else "stored"

    @property
    def changed(self) -> bool | None:
        """Whether the definition is another than the newest stored one; None if one is missing."""
        if self.defined is None or self.stored is None or self.stored.removed:
            return None
        return self.defined.to_json() != self.stored.newest.to_json()

    @property
    def shown(self) -> "FeatureList":
        """What is stored, else what is defined."""
        shown = self.stored.newest if self.stored else self.defined
        if shown is None:
            msg = "an entry is defined or stored"
            raise ValueError(msg)
        return shown


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(lists)


def lists(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="One list, with all its versions.",
            autocompletion=completion.lists,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the feature lists that are defined in the folder or stored; or show one.

    Without servers it lists what is defined.
    """
    entries = look_at_lists(context.obj)
    if name is not None:
        _show(_find(entries, name), as_json=as_json)
    elif as_json:
        print_json([_summary(entry) for entry in entries])
    elif not entries:
        message(f"no feature list in {context.obj.featuresets / 'lists'}")
    else:
        found = table("feature list", "version", "feature sets", "features", "state", "owner")
        for entry in entries:
            shown = entry.shown
            state = f"{entry.state}, definition changed" if entry.changed else entry.state
            cells = (entry.name, str(shown.version), ", ".join(shown.featuresets))
            found.add_row(*cells, str(len(shown.features)), state, one_line(shown.owner))
        output.print(found)


def look_at_lists(settings: Settings) -> list[ListEntry]:
    """Load the definitions and ask the registry; errors and silence are reported, not raised."""
    from feature_platform.definition.loading import load_project

    project = load_project(settings.featuresets)
    for problem in project.problems:
        message(str(problem))
    stored = stored_lists(settings)
    known = {each.name: each for each in stored or ()}
    return [
        ListEntry(
            name=name,
            defined=project.lists.get(name),
            stored=known.get(name),
            answered=stored is not None,
        )
        for name in sorted(project.lists.keys() | known.keys())
    ]


def stored_lists(settings: Settings) -> "list[StoredList] | None":
    """Return what the registry has; None, with a note, if it does not answer."""
    from feature_platform.cli.reading import open_store
    from feature_platform.errors import SettingsError, StoreUnavailableError

    try:
        with open_store(settings) as (registry, _):
            return registry.feature_lists()
    except (StoreUnavailableError, SettingsError) as error:
        if any(words in str(error) for words in NOT_YET):
            return []
        message(f"note: cannot read which lists are stored: {error}")
        return None


def _find(entries: Sequence[ListEntry], name: str) -> ListEntry:
    """Return the entry of a name.

    Raises:
        UnknownFeatureError: It is neither defined nor stored.
    """
    from feature_platform.definition.names import unknown
    from feature_platform.errors import UnknownFeatureError

    for entry in entries:
        if entry.name == name:
            return entry
    raise UnknownFeatureError(unknown("feature list", name, [each.name for each in entries]))


def _summary(entry: ListEntry) -> dict[str, Any]:
    stored = entry.stored
    return {
        "list": entry.name,
        "state": entry.state,
        "changed": entry.changed,
        "version": entry.shown.version,
        "owner": entry.shown.owner,
        "description": entry.shown.description,
        "featuresets": list(entry.shown.featuresets),
        "features": len(entry.shown.features),
        "file": entry.defined.file if entry.defined else None,
        "stored_versions": [each.version for each in stored.versions] if stored else [],
    }


def _show(entry: ListEntry, *, as_json: bool) -> None:
    if as_json:
        versions = [each.to_json() for each in entry.stored.versions] if entry.stored else []
        defined = entry.defined.to_json() if entry.defined else None
        print_json({**_summary(entry), "defined": defined, "stored": versions})
        return
    facts = _summary(entry)
    say(f"{entry.name}: {entry.state}, version {entry.shown.version}")
    for name in ("owner", "description", "file"):
        say(f"  {name}: {one_line(str(facts[name] or '-'))}")
    say(f"  stored versions: {', '.join(map(str, facts['stored_versions'])) or '-'}")
    found = table("feature", "column", "default", "max age")
    for feature in entry.shown.features:
        found.add_row(feature.name, feature.column, cell(feature.default), _age(feature.max_age_ms))
    output.print(found)
    if entry.changed:
        say(f"the definition in {facts['file']} is different: fp plan")


def _age(max_age_ms: int) -> str:
    from feature_platform.tiles.grid import format_duration

    return format_duration(max_age_ms) if max_age_ms else "-"
