"""What is not done unasked: a change that loses history needs a person's explicit word."""

from feature_platform.errors import PlanRefusedError
from feature_platform.plan.planner import Plan

START_EMPTY = "--start-empty"
NAMES_MAX = 8


def consented(plan: Plan, *, start_empty: bool) -> bool:
    """Tell whether a plan loses nothing, or whether that was agreed to."""
    return start_empty or plan.change.kind != "rebuild"


def require_consent(plan: Plan, *, start_empty: bool) -> None:
    """Return if the plan loses nothing, or if that was agreed to.

    Raises:
        PlanRefusedError: It loses history; the message says whose, and how to agree.
    """
    if consented(plan, start_empty=start_empty):
        return
    reasons = "; ".join(plan.change.reasons)
    names = [verdict.name for verdict in plan.verdicts]
    more = len(names) - NAMES_MAX
    shown = ", ".join(names[:NAMES_MAX]) + (f" and {more} more" if more > 0 else "")
    msg = (
        f"{plan.featureset} cannot go on with what it has counted: {reasons}. Its new generation "
        f"starts empty: {shown} lose their history, and count from the first event on that is "
        f"still in the topic. If that is what you want: fp apply {plan.featureset} {START_EMPTY}. "
        f"Otherwise take the change back, give the changed definition another name, or, if only "
        f"`on_change: rebuild` asks for it, set `on_change: forward`"
    )
    raise PlanRefusedError(msg)
