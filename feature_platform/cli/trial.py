"""`fp try`: a changed definition beside the deployed one, and what it counts."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live

from feature_platform.cli.completion import featuresets
from feature_platform.cli.interrupt import interruptible
from feature_platform.cli.output import console, message, output, print_json, say
from feature_platform.cli.share import parse_share
from feature_platform.interrupts import restored
from feature_platform.settings import Settings
from feature_platform.words import counted

if TYPE_CHECKING:
    from feature_platform.definition.model import FeatureSet
    from feature_platform.deploy.trial import Trial
    from feature_platform.engines.reads import Reads

MINUTES_MAX = 10_080
ENTITIES_MAX = 100
ENTITIES_SHOWN = 5
REFRESH_S = 2.0
CATCH_UP_S = 900.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("try")(try_)


def try_(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="FS", help="Name of a defined feature set.", autocompletion=featuresets
        ),
    ],
    sample: Annotated[
        str, typer.Option(help="Share of the entities to run on: 1%, 0.5%, 100%.")
    ] = "100%",
    minutes: Annotated[
        float, typer.Option(min=0.1, max=MINUTES_MAX, help="How far back to count events.")
    ] = 10.0,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="How long to count live events after the past ones; 0: past events only; "
            "default: as long as --minutes.",
        ),
    ] = None,
    entity: Annotated[
        list[str] | None, typer.Option(help="Entity key to show; repeatable.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a changed definition as a shadow of the deployed one and compare their values.

    The shadow run counts the events of the last minutes, then live ones until its time is up or
    Ctrl-C. It serves nothing, changes nothing that is deployed, and is removed at the end.
    """
    from feature_platform.deploy.trial import trial
    from feature_platform.engines.world import open_world

    share = parse_share(sample, "--sample")
    keys = (entity or [])[:ENTITIES_MAX]
    wanted = _wanted(context.obj, name)
    past_ms = round(minutes * 60_000)
    live_s = minutes * 60 if seconds is None else seconds
    words = (
        f"the shadow run of {name} is removed. If the removal was interrupted too, the next fp try "
        f"{name}, or fp delete {name}, finishes it"
    )
    with (
        interruptible(lambda: words),
        open_world(context.obj) as world,
        trial(world, wanted, past_ms=past_ms, report=message, share=share) as running,
    ):
        found = _follow(world, running, name, keys, live_s)
        facts = _facts(world, running, name, sample, found)
    if as_json:
        print_json(facts)
        return
    from feature_platform.cli.trial_view import summary, table_of

    if found:
        output.print(table_of(found))
        for line in summary(facts["summary"]):
            say(line)
    else:
        say(_quiet(facts, minutes, sample))
    if letters := facts["dead_letters"]:
        say(f"{counted(letters, 'event')} could not be parsed and would be dead letters")


def _quiet(facts: Mapping[str, Any], minutes: float, sample: str) -> str:
    """Say why there is nothing to see, and what to do about it."""
    events, topic = facts["events"], facts["topic"]
    if not events:
        return (
            f"topic {topic} received no events in the last {minutes:g} minutes or since: nothing "
            f"was counted. Send some (fp produce), or look further back: --minutes {MINUTES_MAX}"
        )
    return (
        f"the shadow run found no entity: none of {counted(events, 'event')} of topic {topic} "
        "counted. The query filters them out, they cannot be parsed, or their entities are "
        f"outside the sample of {sample}"
    )


def _follow(
    reads: "Reads", running: "Trial", name: str, keys: Sequence[str], live_s: float
) -> list[dict[str, Any]]:
    """Wait until the past is counted, watch the present, and return the last look at it."""
    from feature_platform.cli.trial_view import look, table_of
    from feature_platform.deploy.wait import wait_for

    deployed = reads.registry.snapshot(name)
    if deployed and deployed.entity != running.snapshot.entity:
        message(f"the entity of the deployed {name} is {deployed.entity}: nothing to compare with")
        deployed = None
    with console.status("counting past events"):
        wait_for(reads, running.snapshot, timeout_s=CATCH_UP_S)
    end_s = reads.clock.monotonic_s() + live_s
    try:
        live = (
            f"counting live events for {live_s:.0f} s; press Ctrl-C to stop"
            if live_s
            else "no live events requested"
        )
        message(f"past events are counted; {live}")
        with restored(), Live(console=console, auto_refresh=False, transient=True) as screen:
            while (left_s := end_s - reads.clock.monotonic_s()) > 0:
                if console.is_terminal:
                    found = look(reads, running, deployed, keys, ENTITIES_SHOWN)
                    screen.update(table_of(found), refresh=True)
                reads.clock.sleep_s(min(REFRESH_S, left_s))
    except KeyboardInterrupt:
        message("stopped early")
    return look(reads, running, deployed, keys, ENTITIES_SHOWN)


def _facts(
    reads: "Reads", running: "Trial", name: str, sample: str, found: list[dict[str, Any]]
) -> dict[str, Any]:
    from feature_platform.cli.trial_view import count
    from feature_platform.clock import to_iso

    snapshot, topics = running.snapshot, reads.topics
    letters = topics.end_offsets(snapshot.job.dead_letter_topic)
    ends = topics.end_offsets(snapshot.topic)
    begins = topics.offsets_at(snapshot.topic, running.from_ms)
    return {
        "featureset": name,
        "from": to_iso(running.from_ms),
        "sample": sample,
        "topic": snapshot.topic,
        "events": sum(ends.values()) - sum(begins.get(part, end) for part, end in ends.items()),
        "dead_letters": sum(letters.values()),
        "summary": count(found),
        "entities": found,
    }


def _wanted(settings: Settings, name: str) -> "FeatureSet":
    """Load the definition that is to be tried.

    Raises:
        DefinitionError: It does not load.
        UnknownFeatureError: There is none of this name.
    """
    from feature_platform.definition.loading import load_project
    from feature_platform.definition.names import unknown
    from feature_platform.errors import UnknownFeatureError

    project = load_project(settings.featuresets)
    if name in project.featuresets:
        return project.featuresets[name]
    project.checked()  # it may be in a file with a mistake
    raise UnknownFeatureError(unknown("feature set", name, project.featuresets))
