"""`fp recover`, `fp rollback`: a job that does not run, an upgrade that should not have been."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from feature_platform.cli.changes import Json, Name, Yes, ask, open_project
from feature_platform.cli.interrupt import interruptible
from feature_platform.cli.output import message, print_json, say

if TYPE_CHECKING:
    from feature_platform.plan.snapshot import Snapshot

From = Annotated[
    Literal["checkpoint", "savepoint", "store"] | None,
    typer.Option(
        "--from",
        help="Where to restart from; default: the savepoint of a stopped job, else the newest "
        "checkpoint, else the store.",
    ),
]
AcceptAge = Annotated[
    bool,
    typer.Option(
        "--accept-age", help="Continue although events may count twice; the refusal says how many."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (recover, rollback):
        app.command()(command)


def recover(
    context: typer.Context,
    name: Name,
    start: From = None,
    *,
    accept_age: AcceptAge = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Restart a job as deployed, from its newest checkpoint or from the store."""
    from feature_platform.cli.walked import Walked
    from feature_platform.deploy.execute import execute
    from feature_platform.deploy.recover import make_recover_plan
    from feature_platform.errors import RestoreFailedError
    from feature_platform.plan.explain import explain

    options = " ".join([*(["--from", start] if start else []), *_age(accepted=accept_age)])
    walked = Walked("fp recover", options)
    with interruptible(walked.in_words), open_project(context.obj) as world:
        plan = make_recover_plan(world, name, start, accept_age=accept_age)
        message(explain(plan))
        ask(f"Restart {name}?", yes=yes)
        walked.begin(plan)
        try:
            done = execute(plan, world, walked.report)
        except RestoreFailedError as error:
            if start is not None:
                raise
            message(f"{error}; trying the store instead")
            plan = make_recover_plan(world, name, "store", accept_age=accept_age)
            message(explain(plan))
            walked.begin(plan)
            done = execute(plan, world, walked.report)
    _report(name, done, "is running again", as_json=as_json)


def rollback(
    context: typer.Context,
    name: Name,
    *,
    accept_age: AcceptAge = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Undo the last upgrade, its rows included."""
    from feature_platform.cli.walked import Walked
    from feature_platform.deploy.execute import execute
    from feature_platform.deploy.recover import make_rollback_plan
    from feature_platform.plan.explain import explain

    walked = Walked("fp rollback", " ".join(_age(accepted=accept_age)))
    with interruptible(walked.in_words), open_project(context.obj) as world:
        plan = make_rollback_plan(world, name, accept_age=accept_age)
        message(explain(plan))
        ask(f"Roll {name} back?", yes=yes)
        walked.begin(plan)
        done = execute(plan, world, walked.report)
    _report(name, done, "is back to the version before the upgrade", as_json=as_json)


def _age(*, accepted: bool) -> list[str]:
    return ["--accept-age"] if accepted else []


def _report(name: str, done: "Snapshot | None", words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "featureset": name,
                "state": done.state if done else None,
                "generation": done.generation if done else None,
                "job_id": done.job_id if done else None,
            }
        )
    else:
        say(f"{name}: {words}")
