"""Which number a writer that is no job gets; the kernel decides in the same way for jobs. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from feature_platform.errors import PlanRefusedError
from feature_platform.registry.base import Attempt
from feature_platform.registry.history import history, holds, last_rewrite

FIRST_LABEL = 1
"""The only label of writers that are no jobs."""


def next_attempt(attempts: Sequence[Attempt], owner: str, request: Attempt) -> Attempt:
    """Return the attempt to be claimed, or the one that was claimed by the same execution.

    Raises:
        PlanRefusedError: Another deployment owns the generation, or R is dead.
    """
    claimed = next((item for item in attempts if item.execution == request.execution), None)
    if claimed is not None:
        if claimed.r != request.r:
            msg = (
                f"attempt {claimed.attempt} of {request.execution} started from {claimed.r}, not "
                f"from {request.r}; plan again"
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
    if rewrite > request.r_attempt:
        msg = (
            f"a {request.kind} cannot start from {request.r}: attempt {rewrite} has rewritten rows "
            "since, without undo rows"
        )
        raise PlanRefusedError(msg)
    if not holds(line, request.r):
        msg = (
            f"a {request.kind} cannot start from {request.r}: it is not in the lineage of attempt "
            f"{newest}, because a later attempt started from an earlier point"
        )
        raise PlanRefusedError(msg)
    return replace(request, attempt=newest + 1)
