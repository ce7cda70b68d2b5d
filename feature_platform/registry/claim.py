"""Which number a writer that is no job gets; the kernel decides in the same way for jobs. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from feature_platform.errors import PlanRefusedError
from feature_platform.registry.base import Attempt, Epoch
from feature_platform.registry.history import history, holds, last_rewrite

FIRST_CHECKPOINT_ID = 1
"""The only checkpoint id of writers that are not jobs."""


def next_attempt(attempts: Sequence[Attempt], owner: str, request: Attempt) -> Attempt:
    """Return the attempt to be claimed, or the one that was claimed by the same execution.

    Raises:
        PlanRefusedError: Another deployment owns the generation, or the restore point is abandoned.
    """
    claimed = next((item for item in attempts if item.execution == request.execution), None)
    start = _named(request.restore_point)
    if claimed is not None:
        if claimed.restore_point != request.restore_point:
            msg = (
                f"attempt {claimed.attempt} of {request.execution} started from "
                f"{_named(claimed.restore_point)}, not from {start}; plan again"
            )
            raise PlanRefusedError(msg)
        return claimed
    if owner != request.deployment:
        msg = (
            f"deployment {request.deployment} may not write: the generation is owned by "
            f"{owner or 'nobody'}; to let it write, plan again"
        )
        raise PlanRefusedError(msg)
    newest = max((item.attempt for item in attempts), default=0)
    line = history(attempts, newest)
    rewrite = last_rewrite(attempts, line)
    if rewrite > request.restore_point[0]:
        msg = (
            f"a {request.kind} cannot start from {start}: attempt {rewrite} has rewritten rows "
            "since, without undo rows"
        )
        raise PlanRefusedError(msg)
    if not holds(line, request.restore_point):
        msg = (
            f"a {request.kind} cannot start from {start}: it is not in the lineage of attempt "
            f"{newest}, because a later attempt started from an earlier point"
        )
        raise PlanRefusedError(msg)
    return replace(request, attempt=newest + 1)


def _named(epoch: Epoch) -> str:
    return f"checkpoint {epoch[1]} of attempt {epoch[0]}"
