"""Printing a plan for people: what becomes of every feature, and the stages of `apply`."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from feature_platform.clock import to_iso
from feature_platform.definition.ranges import LONG_DIGITS, LONG_MAX
from feature_platform.definition.source import parse_type
from feature_platform.plan.compare import NOW_MS, Kind, NameVerdict, Verdict
from feature_platform.plan.costs import Costs
from feature_platform.plan.planner import Plan
from feature_platform.plan.snapshot import DeployedFeature
from feature_platform.tiles.grid import format_duration
from feature_platform.tiles.layout import is_beyond
from feature_platform.tiles.size import TEXT_BYTES_MAX
from feature_platform.words import counted

HEADLINES: dict[Kind, str] = {
    "none": "no changes",
    "new": "new feature set",
    "metadata": "registry update only, the job keeps running",
    "forward": "upgrade from a savepoint",
    "rebuild": "build a new generation",
    "start": "start from the savepoint",
    "restart": "restart from the newest checkpoint",
    "recover": "restart",
    "rollback": "return to the version before the last upgrade",
    "return": "return to the generation that the deployed one replaced",
    "sweep": "finish the rollback: write back rows that the undone version wrote",
    "repair": "correct rows from the events",
    "stop": "stop with a savepoint",
    "removed": "no longer defined",
    "finish": "finish an interrupted change",
}

SAME: frozenset[Kind] = frozenset(
    {"none", "start", "restart", "recover", "sweep", "repair", "finish"}
)
"""Kinds after which the same is served and stored as before."""

LARGE_HEAD_BYTES = 100_000
"""From here on it is said how large texts may make a head."""
LONG_KEPT_MS = 9 * 365 * 86_400_000
"""Rows kept for longer may outlive what stores take for an expiry, see `store.base`."""


def explain(plan: Plan) -> str:
    """Return the plan as text, a line for each fact, without a line break at the end."""
    lines = [f"{plan.featureset}: {HEADLINES[plan.change.kind]}"]
    lines += [f"  because {reason}" for reason in plan.change.reasons]
    lines += [f"  refused: {refusal}" for refusal in plan.refusals]
    same = plan.change.kind in SAME
    lines += [] if same else _verdict_lines(plan.verdicts)
    lines += [] if same or plan.target is None else range_lines(plan.target.features)
    lines += cost_lines(plan.costs, same=same) if plan.costs else []
    lines += [f"  {number}. {stage.words}" for number, stage in enumerate(plan.stages, 1)]
    return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictGroup:
    """Served names that the same becomes of."""

    names: tuple[str, ...]
    verdict: Verdict
    since: str
    """Since when they count; empty if that says nothing."""
    why: str


def verdict_groups(verdicts: Sequence[NameVerdict]) -> list[VerdictGroup]:
    """Return the served names by what becomes of them."""
    return [
        VerdictGroup(
            names=tuple(item.name for item in items),
            verdict=verdict,
            since=_since(since_ms),
            why=why,
        )
        for (verdict, since_ms, why), items in groupby(sorted(verdicts, key=_group), key=_group)
    ]


def _verdict_lines(verdicts: Sequence[NameVerdict]) -> list[str]:
    return [
        f"  {', '.join(group.names)}: {group.verdict}"
        f"{f' since {group.since}' if group.since else ''}{f' ({group.why})' if group.why else ''}"
        for group in verdict_groups(verdicts)
    ]


def range_lines(features: Sequence[DeployedFeature]) -> list[str]:
    """Say how large a value may be that is summed with digits after the point."""
    summed = [
        feature
        for feature in features
        if feature.aggregate in {"sum", "avg"} and _has_range(feature)
    ]
    ordered = sorted(summed, key=_range)
    return [
        f"  {', '.join(feature.name for feature in members)}: {_range_words(*key)}"
        for key, members in groupby(ordered, key=_range)
    ]


def _has_range(feature: DeployedFeature) -> bool:
    """Return whether values of the type may be too large for a sum of the feature's scale."""
    kind = parse_type(feature.value_type)
    digits = kind.precision - kind.scale + feature.scale
    return kind.name == "DOUBLE" or (kind.name == "DECIMAL" and digits > LONG_DIGITS)


def _range(feature: DeployedFeature) -> tuple[int, bool]:
    return feature.scale, any(is_beyond(column) for column in feature.columns)


def _range_words(scale: int, shows: bool) -> str:
    most = f"{LONG_MAX / 10**scale:.1e}".replace("e+0", "e").replace("e+", "e")
    digits = "1 digit" if scale == 1 else f"{scale} digits"
    beyond = (
        "with a larger value in the window there is no result"
        if shows
        else "an event with a larger value is a dead letter"
    )
    return f"sums keep {digits} after the decimal point, values up to {most}; {beyond}"


def _since(since_ms: int) -> str:
    return "" if since_ms in (0, NOW_MS) else to_iso(since_ms)


def _group(verdict: NameVerdict) -> tuple[Verdict, int, str]:
    return verdict.verdict, verdict.since_ms, verdict.why


def cost_lines(costs: Costs, *, same: bool) -> list[str]:
    """Say what it costs; rows and bytes only where they may change."""
    seconds = costs.downtime_ms / 1000
    pause = f"updates pause for about {seconds:.0f} s" if seconds else "updates do not pause"
    time = f"  {pause} ({costs.downtime_basis})"
    if same:
        return [time]
    rows = _before(str(costs.rows_before), str(costs.rows_after), known=costs.rows_before > 0)
    before, after = _kilobytes(costs.bytes_before), _kilobytes(costs.bytes_after)
    size = _before(before, after, known=costs.bytes_before > 0)
    lines = [
        time,
        (
            f"  reads: up to {counted(costs.rows_after, 'row')} per entity if all features are "
            f"requested{rows}"
        ),
        f"  storage: up to {after} per entity{size}",
        *(f"    {reason}" for reason in costs.growth),
    ]
    if costs.head_bytes_max >= LARGE_HEAD_BYTES:
        most = _kilobytes(costs.head_bytes_max)
        lines.append(
            f"  storage: up to {most} for the head if every string has {TEXT_BYTES_MAX:,} bytes"
        )
    if costs.kept_ms > LONG_KEPT_MS:
        kept = format_duration(costs.kept_ms)
        lines.append(f"  retention: {kept}; rows that would expire after 2038-01-18 never expire")
    return lines


def _before(before: str, after: str, *, known: bool) -> str:
    return f", was {before}" if known and before != after else ""


def _kilobytes(count: int) -> str:
    return f"{count / 1000:.1f} kB"
