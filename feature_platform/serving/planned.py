"""The plans of a prepared list, kept until something changes them: a deployment, or the clock."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from feature_platform.plan.snapshot import Snapshot
from feature_platform.serving.read_plan import Group, ReadPlan, changes_ms, plan_reads, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a list asks for."""

    kinds: dict[str, list[ReadPlan]]
    """By kind of entity, a plan for each feature set."""

    @property
    def about(self) -> dict[str, list[Snapshot]]:
        """The feature sets by kind of entity."""
        return {kind: [plan.group.snapshot for plan in plans] for kind, plans in self.kinds.items()}


def planned(
    groups: tuple[Group, ...], now_ms: int, at_ms: int | None, edge_ms: int, tiles_max: int
) -> Planned:
    """Plan the reads of all feature sets; see `plan_reads`."""
    kinds: dict[str, list[ReadPlan]] = {}
    for group in groups:
        plan = plan_reads(group, now_ms, at_ms, edge_ms, tiles_max)
        kinds.setdefault(group.snapshot.entity, []).append(plan)
    return Planned(kinds=kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """Plans of now, with what they are good for."""

    snapshots: Sequence[Snapshot]
    from_ms: int
    until_ms: int
    """Before when no cover changes."""
    planned: Planned


@dataclass(slots=True)
class Planner:
    """Plans of now for one list. Mutable; threads may plan at the same time, and one is kept."""

    names: tuple[str, ...]
    edge_ms: int
    tiles_max: int
    _kept: _Kept | None = field(default=None, init=False)

    def now(
        self,
        snapshots: Sequence[Snapshot],
        now_ms: int,
        check: Callable[[tuple[Group, ...]], None],
    ) -> Planned:
        """Return the plans of now.

        Args:
            snapshots: What is deployed; the same object as long as it is the same.
            now_ms: The present.
            check: Refuses what does not fit them.

        Raises:
            UnknownFeatureError: A name is not served.
            LimitExceededError: The windows need more tiles than allowed.
        """
        kept = self._kept
        if (
            kept is not None
            and kept.snapshots is snapshots
            and kept.from_ms <= now_ms < kept.until_ms
        ):
            return kept.planned
        groups = resolve(snapshots, self.names)
        check(groups)
        made = planned(groups, now_ms, None, self.edge_ms, self.tiles_max)
        plans = [plan for plans in made.kinds.values() for plan in plans]
        until_ms = min((changes_ms(plan, now_ms) for plan in plans), default=now_ms)
        self._kept = _Kept(snapshots=snapshots, from_ms=now_ms, until_ms=until_ms, planned=made)
        return made

    def past(
        self,
        snapshots: Sequence[Snapshot],
        now_ms: int,
        at_ms: int,
        check: Callable[[tuple[Group, ...]], None],
    ) -> Planned:
        """Return the plans of a past instant.

        Raises:
            UnknownFeatureError: A name is not served.
            OutOfReachError: The instant is in the future, or tiles are no longer kept.
            LimitExceededError: The windows need more tiles than allowed.
        """
        groups = resolve(snapshots, self.names)
        check(groups)
        return planned(groups, now_ms, at_ms, self.edge_ms, self.tiles_max)
