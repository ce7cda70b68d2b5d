"""`fp wait`: returns when everything that was sent is counted and written."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feature_platform.cli.changes import Json, Names, open_project
from feature_platform.cli.interrupt import interruptible
from feature_platform.cli.output import EXIT_FAILED, complain, console, message, print_json, say
from feature_platform.words import counted, names_of

if TYPE_CHECKING:
    from feature_platform.engines.reads import Reads
    from feature_platform.registry.base import Cut


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(wait)


def wait(
    context: typer.Context,
    names: Names = None,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds in total.")] = 300.0,
    *,
    as_json: Json = False,
) -> None:
    """Wait until all events sent so far are counted and written.

    Without names, it waits for every feature set whose job should run. If one fails, it still
    waits for the others. --json prints an object for one name, else a list.
    """
    facts: list[dict[str, Any]] = []
    done: list[str] = []
    with interruptible(lambda: _left(done, names)), open_project(context.obj) as world:
        wanted = list(dict.fromkeys(names)) if names else _running(world)
        failed = _wait_for_each(world, wanted, timeout, facts, done, as_json=as_json)
    if as_json:
        print_json(facts[0] if names and len(wanted) == 1 and facts else facts)
    if failed:
        raise SystemExit(EXIT_FAILED)


def _wait_for_each(
    reads: "Reads",
    names: Sequence[str],
    timeout: float,
    facts: list[dict[str, Any]],
    done: list[str],
    *,
    as_json: bool,
) -> bool:
    """Wait for one after the other; return whether any failed."""
    from feature_platform.deploy.wait import wait as wait_for
    from feature_platform.errors import CallerError, JobFailedError

    deadline, failed = time.monotonic() + timeout, False
    for name in names:
        try:
            with console.status(f"waiting for {name}"):
                left = timeout if len(names) == 1 else max(0.0, deadline - time.monotonic())
                cut = wait_for(reads, name, timeout_s=left)
        except (CallerError, JobFailedError) as error:
            if len(names) == 1:
                raise
            failed = True
            complain(str(error))
            facts.append({"featureset": name, "error": str(error)})
            continue
        done.append(name)
        facts.append(_fact(name, cut))
        if not as_json:
            events = counted(sum(cut.positions.values()), "event")
            say(
                f"{name}: written up to recovery point {cut.attempt}/{cut.checkpoint_id} ({events})"
            )
    return failed


def _fact(name: str, cut: "Cut") -> dict[str, Any]:
    from feature_platform.clock import to_iso

    return {
        "featureset": name,
        "attempt": cut.attempt,
        "checkpoint_id": cut.checkpoint_id,
        "recorded": to_iso(cut.recorded_ms),
        "positions": dict(sorted(cut.positions.items())),
    }


def _running(reads: "Reads") -> list[str]:
    found = [item.featureset for item in reads.registry.snapshots() if item.state == "running"]
    if not found:
        message("no feature set is deployed and running; nothing to wait for")
    return found


def _left(done: Sequence[str], names: Sequence[str] | None) -> str:
    written = f"written: {names_of(list(done))}; " if done else ""
    again = " ".join(["fp wait", *(name for name in names or () if name not in done)])
    return f"{written}jobs keep running, nothing was changed\nto wait again: {again}"
