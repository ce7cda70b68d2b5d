"""`fp plan`, `apply`, `stop`, `delete`: what would change, and changing it."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.prompt import Confirm
from rich.text import Text

from feature_platform.cli.completion import featuresets
from feature_platform.cli.interrupt import interruptible
from feature_platform.cli.output import EXIT_FAILED, console, escape, message, print_json, say
from feature_platform.cli.pushes import warn_of_pushes
from feature_platform.settings import Settings

if TYPE_CHECKING:
    from feature_platform.cli.walked import Walked
    from feature_platform.definition.loading import Project
    from feature_platform.deploy.apply import Outcome
    from feature_platform.deploy.lists import ListOutcome
    from feature_platform.engines.world import World
    from feature_platform.plan.planner import Plan

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FS]...", help="Feature sets; default: all.", autocompletion=featuresets
    ),
]
Name = Annotated[
    str,
    typer.Argument(
        metavar="FS", help="Name of a deployed feature set.", autocompletion=featuresets
    ),
]
AcceptDifferences = Annotated[
    bool,
    typer.Option(
        "--accept-differences",
        help="Switch to the recomputed rows even if they differ from the old ones, and skip "
        "events that the changed source can no longer read.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Reset = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN", help="Discard a column's history: it counts from now on; repeatable."
    ),
]
StartEmpty = Annotated[
    bool, typer.Option("--start-empty", help="Start a new generation without history.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Form(StrEnum):
    """As what a plan is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (plan, apply, stop, delete):
        app.command()(command)


def plan(
    context: typer.Context,
    names: Names = None,
    *,
    reset: Reset = None,
    start_empty: StartEmpty = False,
    written: Annotated[
        Form, typer.Option("--format", help="As what to print it; markdown is for pull requests.")
    ] = Form.TEXT,
    as_json: Json = False,
) -> None:
    """Show what would change without changing anything."""
    from feature_platform.deploy.apply import make_plans
    from feature_platform.deploy.lists import make_list_plans
    from feature_platform.plan.explain import explain
    from feature_platform.plan.markdown import markdown

    _check_reset(names, reset)
    if as_json and written is not Form.TEXT:
        msg = "--json prints JSON: leave out one of the two"
        raise typer.BadParameter(msg, param_hint="--format")
    project = _load(context.obj)
    with open_project(context.obj) as world:
        plans = make_plans(world, project, names or (), reset=reset or (), start_empty=start_empty)
        lists = make_list_plans(world, project, names or ())
    warn_of_pushes(context.obj, project)
    if as_json:
        print_json([*(item.to_json() for item in plans), *(item.to_json() for item in lists)])
    elif written is Form.MARKDOWN:
        say(markdown(plans, lists, project.problems))
    else:
        texts = [*map(explain, plans), *("\n".join(item.lines()) for item in lists)]
        say("\n\n".join(texts) or _nothing(context.obj, project))
    refused = any(item.refusals for item in plans) or any(item.refusal for item in lists)
    _fail_if(refused or (bool(project.problems) and not names))


def apply(
    context: typer.Context,
    names: Names = None,
    *,
    reset: Reset = None,
    start_empty: StartEmpty = False,
    accept_differences: AcceptDifferences = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Carry out the plan; return when every new job has completed its first checkpoint."""
    from feature_platform.cli.walked import Walked
    from feature_platform.deploy.apply import make_plans
    from feature_platform.deploy.lists import apply_lists, apply_servable_lists, make_list_plans
    from feature_platform.plan.explain import explain

    _check_reset(names, reset)
    project = _load(context.obj)
    walked = Walked("fp apply", _options_of(reset, start_empty, accept_differences))
    with interruptible(walked.in_words), open_project(context.obj) as world:
        plans = make_plans(
            world,
            project,
            names or (),
            reset=reset or (),
            start_empty=start_empty,
            accept_differences=accept_differences,
        )
        lists = make_list_plans(world, project, names or ())
        walked.expect(plans)
        for text in [*map(explain, plans), *("\n".join(item.lines()) for item in lists)]:
            message(text)
        warn_of_pushes(context.obj, project)
        if any(item.stages for item in plans) or any(item.kind != "none" for item in lists):
            ask("Apply this?", yes=yes)
        stored, waiting = apply_servable_lists(world, lists, tell_stage)
        outcomes: list[Outcome] = []
        for item in plans:
            outcomes.append(_walk(world, item, walked))
            done, waiting = apply_servable_lists(world, waiting, tell_stage)
            stored += done
        stored += apply_lists(world, waiting, tell_stage)  # which says what they wait for
    if as_json:
        print_json([*map(_outcome, outcomes), *map(_list_outcome, stored)])
    for outcome in outcomes:
        message(_in_words(outcome))
    for each in stored:
        message(_list_in_words(each))
    _show_on_page(context.obj)
    failed = any(outcome.error for outcome in outcomes) or any(each.error for each in stored)
    _fail_if(failed or (bool(project.problems) and not names))


def _show_on_page(settings: Settings) -> None:
    """Let Dagster's page read the definitions that were deployed; one that does not is a note."""
    from feature_platform.local.dagster import reload_definitions

    note = reload_definitions(settings)
    if note:
        message(note)


def _walk(world: "World", plan: "Plan", walked: "Walked") -> "Outcome":
    from feature_platform.deploy.apply import apply as execute_all

    walked.begin(plan)
    (outcome,) = execute_all(world, [plan], walked.report)
    walked.end()
    return outcome


def _options_of(reset: Sequence[str] | None, *flags: bool) -> str:
    """Return the options that a command must be repeated with."""
    chosen = zip(("--start-empty", "--accept-differences"), flags, strict=True)
    options = [*(f"--reset {name}" for name in reset or ()), *(name for name, on in chosen if on)]
    return " ".join(options)


def stop(context: typer.Context, name: Name, *, as_json: Json = False) -> None:
    """Stop a job with a savepoint; `fp apply` restarts it from there."""
    from feature_platform.deploy.control import stop as stop_job

    words = (
        f"{name}: its job may have been stopped; the savepoint is kept\nto finish: fp stop {name}"
    )
    with interruptible(lambda: words), open_project(context.obj) as world:
        snapshot = stop_job(world, name, tell_stage)
    if as_json:
        print_json({"featureset": name, "state": snapshot.state, "savepoint": snapshot.savepoint})
    else:
        say(f"{name}: {snapshot.state}; savepoint: {snapshot.savepoint}")


def delete(context: typer.Context, name: Name, *, yes: Yes = False, as_json: Json = False) -> None:
    """Remove a feature set: stop its job, and stop serving its features."""
    from feature_platform.deploy.control import delete as delete_featureset
    from feature_platform.deploy.control import make_delete_plan
    from feature_platform.plan.explain import explain

    words = (
        f"{name}: its job may have been stopped\n"
        f"to finish: fp delete {name}; to keep it: fp apply {name}"
    )
    with interruptible(lambda: words), open_project(context.obj) as world:
        message(explain(make_delete_plan(world, name)))
        ask(f"Delete {name}?", yes=yes)
        delete_featureset(world, name, tell_stage)
    if as_json:
        print_json({"featureset": name, "state": "deleted"})
    else:
        say(f"{name}: deleted")


def _check_reset(names: Sequence[str] | None, reset: Sequence[str] | None) -> None:
    """Refuse a reset that does not say whose column it is.

    Raises:
        typer.BadParameter: Not exactly one feature set is named.
    """
    if reset and len(names or ()) != 1:
        msg = "--reset needs exactly one feature set: fp apply FS --reset COLUMN"
        raise typer.BadParameter(msg, param_hint="--reset")


def _load(settings: Settings) -> "Project":
    """Load the definitions; errors are reported, valid ones are kept."""
    from feature_platform.definition.loading import load_project

    project = load_project(settings.featuresets)
    for problem in project.problems:
        message(str(problem))
    return project


@contextmanager
def open_project(settings: Settings) -> Iterator["World"]:
    """Connect to a project's servers."""
    from feature_platform.engines.world import open_world

    with open_world(settings) as world:
        yield world


def ask(question: str, *, yes: bool) -> None:
    """Return if the answer is yes.

    Raises:
        typer.BadParameter: There is nobody to ask.
        SystemExit: The answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        msg = "confirmation needed, but standard input is not a terminal; pass --yes"
        raise typer.BadParameter(msg)
    if not Confirm.ask(Text(escape(question)), console=console, default=False):
        message("nothing was changed")
        raise SystemExit(EXIT_FAILED)


def _outcome(outcome: "Outcome") -> dict[str, Any]:
    snapshot = outcome.snapshot
    return {
        "featureset": outcome.featureset,
        "change": outcome.change,
        "state": snapshot.state if snapshot else None,
        "generation": snapshot.generation if snapshot else None,
        "job_id": snapshot.job_id if snapshot else None,
        "error": str(outcome.error) if outcome.error else None,
    }


def _in_words(outcome: "Outcome") -> str:
    if outcome.error:
        return f"{outcome.featureset}: failed: {outcome.error}"
    if outcome.change == "none":
        return f"{outcome.featureset}: no changes"
    return f"{outcome.featureset}: done"


def tell_stage(text: str) -> None:
    """Report a stage to a person before it is done."""
    message(f"  {text}")


def _list_outcome(outcome: "ListOutcome") -> dict[str, Any]:
    error = str(outcome.error) if outcome.error else None
    return {"list": outcome.name, "change": outcome.change, "error": error}


def _list_in_words(outcome: "ListOutcome") -> str:
    if outcome.error:
        return f"feature list {outcome.name}: failed: {outcome.error}"
    return f"feature list {outcome.name}: {'no changes' if outcome.change == 'none' else 'done'}"


def _nothing(settings: Settings, project: "Project") -> str:
    if project.problems:
        return "no feature set could be loaded; fix the errors above first"
    return f"no feature sets are defined in {settings.featuresets}; `fp new NAME` writes one"


def _fail_if(failed: bool) -> None:
    if failed:
        raise SystemExit(EXIT_FAILED)
