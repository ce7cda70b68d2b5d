"""What tests need, shipped: the naive oracle, random events, a clock that is moved by hand."""

from feature_platform.testing.clock import ManualClock
from feature_platform.testing.deployed import Deployed, deploy_in_memory
from feature_platform.testing.events import Mix, generate_events
from feature_platform.testing.reference import ExpectedEntity, ExpectedTile, Oracle
from feature_platform.testing.reference_events import DeadLetter, RawEvent

__all__ = [
    "DeadLetter",
    "Deployed",
    "ExpectedEntity",
    "ExpectedTile",
    "ManualClock",
    "Mix",
    "Oracle",
    "RawEvent",
    "deploy_in_memory",
    "generate_events",
]
