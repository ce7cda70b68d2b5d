"""Asset checks of every feature set, a schedule for them, and `tiles/<fs>` by days. Wiring only.

The checks are checks of `live/<fs>`, not of `stream/<fs>`: a run that deploys would run them too,
and end minutes after the deployment. A run in which something differs fails.
"""

import warnings
from collections.abc import Iterator, Sequence
from datetime import timedelta

import dagster as dg

from feature_platform.checks.result import CHECKS, CheckReport
from feature_platform.checks.run import ENTITIES_MAX, CheckRequest
from feature_platform.checks.scope import Span
from feature_platform.definition.feature_list import FeatureList
from feature_platform.definition.model import FeatureSet, Source
from feature_platform.errors import PlanRefusedError, UnknownFeatureError
from feature_platform.orchestration import metadata
from feature_platform.orchestration.assets import live_key, stream_key
from feature_platform.orchestration.event_log import POOL, default_status
from feature_platform.orchestration.late_events import late_check_key
from feature_platform.orchestration.resources import Platform
from feature_platform.orchestration.statistics import (
    event_statistics_check_key,
    statistics_check_key,
)
from feature_platform.orchestration.usage import usage_check_key
from feature_platform.settings import Settings
from feature_platform.words import counted


class ChecksConfig(dg.Config):
    """How much a run of checks compares."""

    entities: int = ENTITIES_MAX
    """About how many entities; of more a share is taken, the same ones each time."""


class TilesConfig(dg.Config):
    """What a run of `tiles/<fs>` may do."""

    repair: bool = False
    """Stop the job, correct the rows that differ, and start it again from the store."""


def featureset_checks(featureset: FeatureSet) -> dg.AssetChecksDefinition:
    """Make all checks of a feature set: one Spark computes for all of them."""
    key = live_key(featureset.name)

    @dg.multi_asset_check(
        name=_op_name(featureset),
        specs=[
            dg.AssetCheckSpec(name=name, asset=key, description=description)
            for name, description in CHECKS.items()
        ],
        pool=POOL,
    )
    def checks(
        context: dg.AssetCheckExecutionContext, platform: Platform, config: ChecksConfig
    ) -> Iterator[dg.AssetCheckResult]:
        try:
            ask = CheckRequest(entities_max=config.entities)
            found = platform.check(featureset.name, ask, context.log.info)
        except UnknownFeatureError as error:
            found = metadata.unchecked(featureset.name, str(error))
        for result in found.results:
            yield metadata.check_result(result, key)
        if found.is_red:
            raise _failure(featureset.name, found)

    return checks


def checks_schedule(
    featuresets: Sequence[FeatureSet],
    lists: Sequence[FeatureList],
    sources: Sequence[Source],
    settings: Settings,
    cron: str,
) -> dg.ScheduleDefinition:
    """Make the schedule of all checks; a feature set or list whose checks fail stops no other."""
    keys = [
        dg.AssetCheckKey(asset_key=live_key(featureset.name), name=name)
        for featureset in featuresets
        for name in CHECKS
    ]
    keys += [event_statistics_check_key(featureset.name) for featureset in featuresets]
    keys += [usage_check_key(featureset.name) for featureset in featuresets]
    keys += [statistics_check_key(listed.name) for listed in lists]
    keys += [late_check_key(source.name) for source in sources]
    config = {"config": {"entities": settings.checks.sample_entities}}
    return dg.ScheduleDefinition(
        name="checks",
        job=dg.define_asset_job("checks", selection=dg.AssetSelection.checks(*keys)),
        run_config={"ops": {_op_name(featureset): config for featureset in featuresets}},
        cron_schedule=cron,
        default_status=default_status(settings),
        description="Compares tiles of a sample of entities with tiles recomputed from the events, "
        "judges the statistics of the events and of the served values of the day before, and "
        "shows how late events came, the cost of features, and who uses them.",
    )


def _op_name(featureset: FeatureSet) -> str:
    return f"checks_{featureset.name}"


def tiles_asset(featureset: FeatureSet, first_day: str) -> dg.AssetsDefinition:
    """Make the asset whose materialisation recomputes the tiles of days; a range is one run."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", dg.BetaWarning
        )  # of backfill policies; our version is locked
        return _tiles_asset(featureset, first_day)


def _tiles_asset(featureset: FeatureSet, first_day: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=dg.AssetKey(["tiles", featureset.name]),
        deps=[stream_key(featureset.name)],
        description=(
            "Recomputes the tiles of some days and compares them with stored rows. If rows "
            "differ, the run fails and lists them, or corrects them if `repair` is set."
        ),
        group_name=featureset.name,
        kinds={"spark", "cassandra"},
        partitions_def=dg.DailyPartitionsDefinition(start_date=first_day),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=POOL,
    )
    def tiles(
        context: dg.AssetExecutionContext, platform: Platform, config: TilesConfig
    ) -> dg.MaterializeResult[None]:
        window = context.partition_time_window
        last = (window.end - timedelta(days=1)).date()
        ask = CheckRequest(span=Span.of_days(window.start.date(), last), whole_log=config.repair)
        found = CheckReport(results=())
        try:
            found = platform.check(featureset.name, ask, context.log.info)
            if config.repair:
                found = platform.repair(featureset.name, ask, found, context.log.info)
        except PlanRefusedError as refused:
            shown = metadata.checked(found) if found.results else {}
            raise dg.Failure(str(refused), metadata=shown, allow_retries=False) from refused
        if _differs(found):
            raise _failure(featureset.name, found)
        return dg.MaterializeResult(metadata=metadata.checked(found))

    return tiles


def _failure(name: str, found: CheckReport) -> dg.Failure:
    """Return how a run ends in which something differs: red, with what was found."""
    red = [result for result in found.results if result.status == "red"]
    lines = [f"{name}: check {result.check} failed: {result.summary}" for result in red]
    if found.wrong:
        lines.append(
            f"{name}: rows of {counted(len(found.wrong), 'entity')} differ from their events"
        )
    steps = dict.fromkeys(result.next_step for result in red if result.next_step)
    lines += [f"next: {step}" for step in steps]
    return dg.Failure("\n".join(lines), metadata=metadata.checked(found), allow_retries=False)


def _differs(found: CheckReport) -> bool:
    """Return whether tiles are wrong; that a job is behind is none of their fault."""
    judged = (result for result in found.results if result.check != "freshness")
    return bool(found.wrong) or any(result.status == "red" for result in judged)
