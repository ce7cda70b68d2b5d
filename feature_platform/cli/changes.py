"""`fp plan`, `apply`, `wait`, `stop`, `delete`: what would change, and changing it."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.prompt import Confirm

from feature_platform.cli.output import EXIT_FAILED, console, print_json
from feature_platform.settings import Settings

if TYPE_CHECKING:
    from feature_platform.definition.loading import Project
    from feature_platform.deploy.apply import Outcome
    from feature_platform.deploy.world import World

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[FS]...", help="Feature sets; all without any.")
]
Name = Annotated[str, typer.Argument(metavar="FS", help="Name of a deployed feature set.")]
AcceptDifferences = Annotated[
    bool,
    typer.Option(
        "--accept-differences",
        help="Switch to recomputed rows also where the old ones differ, and without the events "
        "that the changed source cannot read any more.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Reset = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="A feature that is to count from now on; repeatable."),
]
StartEmpty = Annotated[
    bool, typer.Option("--start-empty", help="Begin a new generation without its history.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (plan, apply, wait, stop, delete):
        app.command()(command)


def plan(
    context: typer.Context,
    names: Names = None,
    *,
    reset: Reset = None,
    start_empty: StartEmpty = False,
    as_json: Json = False,
) -> None:
    """Show what would change, and change nothing."""
    from feature_platform.deploy.apply import make_plans
    from feature_platform.plan.explain import explain

    _check_reset(names, reset)
    project = _load(context.obj)
    with open_project(context.obj) as world:
        plans = make_plans(world, project, names or (), reset=reset or (), start_empty=start_empty)
    if as_json:
        print_json([item.to_json() for item in plans])
    else:
        typer.echo("\n\n".join(explain(item) for item in plans) or "no feature sets are defined")
    _fail_if(bool(project.problems) and not names)


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
    """Do what `fp plan` shows; return when every new job's first checkpoint is complete."""
    from feature_platform.deploy.apply import apply as execute_all
    from feature_platform.deploy.apply import make_plans
    from feature_platform.plan.explain import explain

    _check_reset(names, reset)
    project = _load(context.obj)
    with open_project(context.obj) as world:
        plans = make_plans(
            world,
            project,
            names or (),
            reset=reset or (),
            start_empty=start_empty,
            accept_differences=accept_differences,
        )
        for item in plans:
            tell(explain(item))
        if any(item.stages for item in plans):
            ask("Apply this?", yes=yes)
        outcomes = execute_all(world, plans, lambda text: tell(f"  {text}"))
    if as_json:
        print_json([_outcome(outcome) for outcome in outcomes])
    for outcome in outcomes:
        tell(_in_words(outcome))
    failed = any(outcome.error for outcome in outcomes)
    _fail_if(failed or (bool(project.problems) and not names))


def wait(
    context: typer.Context,
    name: Name,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds.")] = 300.0,
    *,
    as_json: Json = False,
) -> None:
    """Return when all events sent so far are counted and written."""
    from feature_platform.clock import to_iso
    from feature_platform.deploy.wait import wait as wait_for

    with open_project(context.obj) as world, console.status(f"waiting for {name}"):
        cut = wait_for(world, name, timeout_s=timeout)
    if as_json:
        print_json(
            {
                "featureset": name,
                "attempt": cut.attempt,
                "label": cut.label,
                "recorded": to_iso(cut.recorded_ms),
                "positions": dict(sorted(cut.positions.items())),
            }
        )
    else:
        events = sum(cut.positions.values())
        typer.echo(
            f"{name}: everything up to cut {cut.attempt}/{cut.label} is written ({events} events)"
        )


def stop(context: typer.Context, name: Name, *, as_json: Json = False) -> None:
    """Stop a job with a savepoint; `fp apply` starts it again from there."""
    from feature_platform.deploy.control import stop as stop_job

    with open_project(context.obj) as world:
        snapshot = stop_job(world, name, lambda text: tell(f"  {text}"))
    if as_json:
        print_json({"featureset": name, "state": snapshot.state, "savepoint": snapshot.savepoint})
    else:
        typer.echo(f"{name}: {snapshot.state}; its savepoint is {snapshot.savepoint}")


def delete(context: typer.Context, name: Name, *, yes: Yes = False, as_json: Json = False) -> None:
    """Remove a feature set: its job stops, and its features are served no more."""
    from feature_platform.deploy.control import delete as delete_featureset
    from feature_platform.deploy.control import make_delete_plan
    from feature_platform.plan.explain import explain

    with open_project(context.obj) as world:
        tell(explain(make_delete_plan(world, name)))
        ask(f"Delete {name}?", yes=yes)
        delete_featureset(world, name, lambda text: tell(f"  {text}"))
    if as_json:
        print_json({"featureset": name, "state": "deleted"})
    else:
        typer.echo(f"{name}: deleted")


def _check_reset(names: Sequence[str] | None, reset: Sequence[str] | None) -> None:
    """Refuse a reset that does not say whose column it is.

    Raises:
        typer.BadParameter: Not exactly one feature set is named.
    """
    if reset and len(names or ()) != 1:
        msg = "name the one feature set whose column is meant: fp apply FS --reset COLUMN"
        raise typer.BadParameter(msg, param_hint="--reset")


def _load(settings: Settings) -> "Project":
    """Load the definitions; mistakes are told, the good ones go on."""
    from feature_platform.definition.loading import load_project

    project = load_project(settings.featuresets)
    for problem in project.problems:
        tell(str(problem))
    return project


@contextmanager
def open_project(settings: Settings) -> Iterator["World"]:
    """Connect to a project's servers."""
    from feature_platform.deploy.world import open_world

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
        msg = "this changes something and nobody can be asked here; add --yes"
        raise typer.BadParameter(msg)
    if not Confirm.ask(question, console=console, default=False):
        tell("nothing was changed")
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
        return f"{outcome.featureset}: is as defined"
    return f"{outcome.featureset}: done"


def tell(text: str) -> None:
    """Tell a person something, as it is: brackets are no markup, lines stay whole."""
    console.print(text, markup=False, soft_wrap=True)


def _fail_if(failed: bool) -> None:
    if failed:
        raise SystemExit(EXIT_FAILED)
