"""Assets: `stream/<fs>` deploys, `live/<fs>` shows how its job does, `list/<name>` stores a list.

A file that does not load is `broken/<file>`.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence

import dagster as dg

from feature_platform.definition.feature_list import FeatureList
from feature_platform.definition.model import FeatureSet, Source
from feature_platform.errors import FeaturePlatformError, Problem
from feature_platform.orchestration import metadata
from feature_platform.orchestration.resources import Platform
from feature_platform.settings import SETTINGS_FILE

FEATURE_SET_TAG = "fp/featureset"
BROKEN_GROUP = "broken_definitions"
PERSON = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")
"""What Dagster takes for an address."""


def stream_key(name: str) -> dg.AssetKey:
    """Return the key of the asset that deploys a feature set."""
    return dg.AssetKey(["stream", name])


def live_key(name: str) -> dg.AssetKey:
    """Return the key of the asset that shows how its job is doing."""
    return dg.AssetKey(["live", name])


def source_asset(source: Source) -> dg.AssetSpec:
    """Describe a topic; nothing here writes it."""
    return dg.AssetSpec(
        dg.AssetKey(["source", source.name]),
        description=source.description or f"Events of topic `{source.topic}`.",
        group_name="sources",
        kinds={"kafka"},
        metadata=metadata.source(source),
    )


def stream_asset(featureset: FeatureSet, origin: str) -> dg.AssetsDefinition:
    """Make the asset whose materialisation deploys a feature set; `origin` is whose definition."""

    @dg.asset(
        key=stream_key(featureset.name),
        deps=[dg.AssetKey(["source", featureset.source.name])],
        description=metadata.description(featureset),
        group_name=featureset.name,
        kinds={"flink", "cassandra"},
        owners=_owners(featureset.owner),
        code_version=featureset.data_fingerprint,
        metadata=metadata.definition(featureset, origin),
        pool=f"deploy_{featureset.name}",
    )
    def stream(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
        done = platform.deploy(featureset.name, context.log.info)
        return dg.MaterializeResult(metadata=metadata.deployed(done))

    return stream


def live_asset(featureset: FeatureSet) -> dg.AssetSpec:
    """Describe the running job; the sensor `jobs` observes it."""
    return dg.AssetSpec(
        live_key(featureset.name),
        deps=[stream_key(featureset.name)],
        description=(
            "The running job: lag, rows per second, last cut. Its checks compare the rows it has "
            "written with rows recomputed from the events."
        ),
        group_name=featureset.name,
        kinds={"flink"},
        owners=_owners(featureset.owner),
    )


def list_asset(listed: FeatureList, shown: Collection[str]) -> dg.AssetsDefinition:
    """Make the asset whose materialisation stores a feature list.

    Args:
        listed: The list.
        shown: The feature sets that are on the page.
    """

    @dg.asset(
        key=dg.AssetKey(["list", listed.name]),
        deps=[live_key(name) for name in listed.featuresets if name in shown],
        description=listed.description or "Features that a ranker asks for in one call.",
        group_name="lists",
        kinds={"cassandra"},
        owners=_owners(listed.owner),
        code_version=str(listed.version),
        metadata=metadata.feature_list(listed),
    )
    def feature_list(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> dg.MaterializeResult[None]:
        stored = platform.store_list(listed.name, context.log.info)
        return dg.MaterializeResult(metadata=metadata.feature_list(stored))

    return feature_list


def broken_asset(name: str, problems: Sequence[Problem]) -> dg.AssetSpec:
    """Describe a file that does not load; everything else stays usable."""
    return dg.AssetSpec(
        broken_key(name),
        description=metadata.broken(problems),
        group_name=BROKEN_GROUP,
        kinds={"yaml"},
        metadata={"problems": len(problems), "file": problems[0].file},
    )


def broken_check(
    name: str, look: Callable[[Platform], Mapping[str, Sequence[Problem]]]
) -> dg.AssetChecksDefinition:
    """Make the check that is red until a broken file was fixed; `look` says what is broken."""

    @dg.asset_check(
        asset=broken_key(name), name="loads", description="The file's definition is valid."
    )
    def loads(platform: Platform) -> dg.AssetCheckResult:
        try:
            problems = look(platform).get(name, ())
        except FeaturePlatformError as error:
            problems = [Problem(file=SETTINGS_FILE, line=1, column=1, message=str(error))]
        return metadata.check_of(problems)

    return loads


def broken_key(name: str) -> dg.AssetKey:
    """Return the key under which a broken file is shown."""
    return dg.AssetKey(["broken", name])


def _owners(text: str) -> list[str]:
    """Return an owner that Dagster takes, a person or a team; any other is metadata alone."""
    owner = text.strip()
    if PERSON.fullmatch(owner):
        return [owner]
    team = re.sub(r"[^A-Za-z0-9_-]+", "_", owner).strip("_")
    return [f"team:{team}"] if team and "@" not in owner else []
