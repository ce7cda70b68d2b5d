"""What `prepare` is asked for, as a feature list: a stored one by its name, or names alone."""

from collections.abc import Sequence

from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.definition.problems import did_you_mean
from feature_platform.errors import UnknownFeatureError
from feature_platform.plan.lists import StoredList


def chosen_list(stored: Sequence[StoredList], name: str, version: int | None) -> FeatureList:
    """Return a version of a stored list; without a number the newest.

    Raises:
        UnknownFeatureError: There is no such list or version, or the list was removed.
    """
    lists = {each.name: each for each in stored if not each.removed}
    if name not in lists:
        known = f"; stored are {', '.join(sorted(lists)[:12])}" if lists else ""
        hint = did_you_mean(name, lists) or known or "; fp apply stores those of a project"
        removed = any(each.name == name for each in stored)
        what = "was removed" if removed else "is not stored"
        msg = f"feature list {name!r} {what}{hint}"
        raise UnknownFeatureError(msg)
    versions = {each.version: each for each in lists[name].versions}
    if version is None:
        return lists[name].newest
    if version not in versions:
        told = ", ".join(map(str, versions))
        msg = f"feature list {name!r} has no version {version!r}; stored are {told}"
        raise UnknownFeatureError(msg)
    return versions[version]


def listed_names(names: Sequence[str], featureset: str | None) -> FeatureList:
    """Return names as a list without a name; bare ones are of a feature set and shown so."""
    return FeatureList(
        name="",
        version=0,
        features=tuple(
            ListedFeature(name=f"{featureset}.{name}", shown_as=name)
            if featureset
            else ListedFeature(name=name)
            for name in names
        ),
    )
