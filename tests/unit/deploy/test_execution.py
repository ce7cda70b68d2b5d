"""Every stage of a plan has something that does it."""

from feature_platform.deploy.execution import HANDLERS
from feature_platform.plan import stages
from feature_platform.plan.stages import Stage


def test_every_stage_has_a_handler() -> None:
    """A stage that a plan may hold and nobody does would be found in the midst of a deployment."""
    kinds = {
        kind
        for kind in vars(stages).values()
        if isinstance(kind, type) and issubclass(kind, Stage) and kind is not Stage
    }
    assert len(kinds) > 20
    assert set(HANDLERS) == kinds
