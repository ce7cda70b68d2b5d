"""What becomes of feature lists: wanted ones compared with stored ones. Pure, changes nothing.

A version that is stored never changes its features, because rankers were trained on their columns.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from feature_platform.definition.feature_list import FeatureList
from feature_platform.words import counted

ListKind = Literal["none", "added", "changed", "described", "removed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredList:
    """A feature list as the registry has it."""

    name: str
    versions: tuple[FeatureList, ...]
    """Oldest first; never empty."""
    removed: bool = False
    """Whether it is not offered any more; its versions are kept."""

    @property
    def newest(self) -> FeatureList:
        """The version that rankers get unless they name one."""
        return self.versions[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPlan:
    """What will be done to one feature list."""

    name: str
    kind: ListKind
    wanted: FeatureList | None
    """What will be stored; None if it is removed."""
    stored: FeatureList | None
    """The newest version that is stored; None if there is none."""
    refusal: str = ""
    """Why it cannot be done; empty if it can."""

    def uses(self, featuresets: Collection[str]) -> bool:
        """Return whether the list uses one of these feature sets, or did."""
        versions = (each for each in (self.wanted, self.stored) if each)
        return any(name in featuresets for each in versions for name in each.featuresets)

    def lines(self) -> list[str]:
        """Return the plan for a person."""
        if self.refusal:
            return [f"feature list {self.name}: refused", f"  {self.refusal}"]
        if self.kind == "none":
            return [f"feature list {self.name}: no changes"]
        shown = self.wanted or self.stored
        if shown is None:
            return []
        head = f"feature list {self.name}: {self.kind}"
        if self.kind == "removed":
            return [head, "  rankers that prepare it again are refused; its versions are kept"]
        if self.kind == "described":
            return [head, "  owner or description; the features are the same"]
        told = f"version {shown.version}, {counted(len(shown.features), 'feature')}"
        return [f"{head}, {told}", *self._differences()]

    def _differences(self) -> list[str]:
        if self.wanted is None or self.stored is None:
            return []
        before = {each.column: each for each in self.stored.features}
        after = {each.column: each for each in self.wanted.features}
        lines = [f"  + {name}" for name in after if name not in before]
        lines += [f"  - {name}" for name in before if name not in after]
        both = [name for name in after if name in before]
        lines += [f"  ~ {name}" for name in both if after[name].to_json() != before[name].to_json()]
        if not lines and list(after) != list(before):
            lines = ["  the order of the features"]
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return the form that is written as JSON."""
        return {
            "list": self.name,
            "change": self.kind,
            "version": self.wanted.version if self.wanted else None,
            "stored_version": self.stored.version if self.stored else None,
            "refusal": self.refusal or None,
            "differences": [line.strip() for line in self._differences()],
        }


def plan_lists(
    wanted: Mapping[str, FeatureList], stored: Sequence[StoredList], *, may_remove: bool
) -> list[ListPlan]:
    """Compare lists, by name.

    Args:
        wanted: Those that are defined.
        stored: Those that the registry has.
        may_remove: Whether a stored list that is not defined is removed; false while a file does
            not load, because the list may be in that file.
    """
    known = {each.name: each for each in stored}
    plans = [_plan(each, known.get(name)) for name, each in sorted(wanted.items())]
    if may_remove:
        plans += [
            ListPlan(name=name, kind="removed", wanted=None, stored=each.newest)
            for name, each in sorted(known.items())
            if name not in wanted and not each.removed
        ]
    return plans


def _plan(wanted: FeatureList, stored: StoredList | None) -> ListPlan:
    newest = stored.newest if stored else None
    kind: ListKind = "changed"
    if stored is None or stored.removed:
        kind = "added"
    elif newest is not None and newest.version == wanted.version:
        described = (newest.owner, newest.description) != (wanted.owner, wanted.description)
        kind = "described" if described else "none"
    return ListPlan(
        name=wanted.name,
        kind=kind,
        wanted=wanted,
        stored=newest,
        refusal=version_refusal(wanted, newest),
    )


def version_refusal(wanted: FeatureList, newest: FeatureList | None) -> str:
    """Return why a version cannot be stored after the newest one; empty if it can."""
    if newest is None or wanted.version > newest.version:
        return ""
    if wanted.version < newest.version:
        return (
            f"version {newest.version} is stored, and {wanted.file or wanted.name} has version "
            f"{wanted.version}; to go back, write the earlier features as version "
            f"{newest.version + 1}"
        )
    if wanted.content == newest.content:
        return ""
    return (
        f"its features differ from those that are stored as version {newest.version}, and a "
        f"version never changes; write `version: {newest.version + 1}` in "
        f"{wanted.file or 'its file'}"
    )


def lost_features(
    lists: Sequence[ListPlan],
    stored: Sequence[StoredList],
    lost: Mapping[str, Collection[str]],
) -> dict[str, list[str]]:
    """Return why feature sets cannot change: lists would lose features, by feature set.

    Args:
        lists: What becomes of lists.
        stored: All that are stored; one without a plan stays as it is.
        lost: By feature set the names that are not served any more.
    """
    after = {each.name: each.newest for each in stored if not each.removed}
    for plan in lists:
        if plan.refusal:
            continue
        if plan.wanted is None:
            after.pop(plan.name, None)
        else:
            after[plan.name] = plan.wanted
    found: dict[str, list[str]] = {}
    for each in after.values():
        for feature in each.features:
            served = feature.name.partition(".")[2]
            if served in lost.get(feature.featureset, ()):
                owner = f" of {each.owner}" if each.owner else ""
                msg = (
                    f"feature list {each.name}{owner} (version {each.version}) uses "
                    f"{feature.name}, which would be removed; take it out of the list, with a "
                    "higher version, or keep the feature"
                )
                found.setdefault(feature.featureset, []).append(msg)
    return found
