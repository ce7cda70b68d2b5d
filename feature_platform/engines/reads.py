"""Everything that can be asked about what is deployed, and nothing that changes it."""

from dataclasses import dataclass

from feature_platform.clock import WaitingClock
from feature_platform.engines.ports import ClusterReader, Recounter, RowReader, TopicReader
from feature_platform.registry.base import RegistryReader
from feature_platform.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """What planners, checks and looks are handed: a change through it does not type-check."""

    settings: Settings
    registry: RegistryReader
    tiles: RowReader
    topics: TopicReader
    cluster: ClusterReader
    recounter: Recounter
    clock: WaitingClock
    poll_s: float = 0.5
    """How long a wait sleeps between two looks."""
