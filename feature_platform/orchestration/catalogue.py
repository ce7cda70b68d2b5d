"""What Dagster loads. Each source and feature set alone: one that is odd takes nothing with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import dagster as dg
from dagster._utils.schedules import is_valid_cron_schedule

from feature_platform.clock import SystemClock
from feature_platform.definition.feature_list import FeatureList
from feature_platform.definition.model import FeatureSet, Source
from feature_platform.errors import FeaturePlatformError, Problem
from feature_platform.orchestration.assets import (
    broken_asset,
    broken_check,
    list_asset,
    live_asset,
    source_asset,
    stream_asset,
)
from feature_platform.orchestration.checks import (
    checks_schedule,
    featureset_checks,
    tiles_asset,
)
from feature_platform.orchestration.days import first_day
from feature_platform.orchestration.event_log import event_log_asset, event_log_schedule
from feature_platform.orchestration.feature_log import (
    feature_log_asset,
    feature_log_key,
    match_check,
    match_schedule,
)
from feature_platform.orchestration.late_events import late_check
from feature_platform.orchestration.push_sensor import deploy_commit, git_push, judge_commit
from feature_platform.orchestration.resources import Platform
from feature_platform.orchestration.sensors import jobs_sensor, old_tables_sensor, restart_deployed
from feature_platform.orchestration.statistics import event_statistics_check, statistics_check
from feature_platform.orchestration.usage import usage_check
from feature_platform.pushes.loading import Loaded, broken_name, load, project_folder
from feature_platform.settings import (
    SETTINGS_FILE,
    ChecksSettings,
    EventLogSettings,
    Settings,
)

ERROR_CHARACTERS_MAX = 500
"""Of an error of Dagster's that nobody has foreseen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is on the page."""

    assets: tuple[dg.AssetsDefinition | dg.AssetSpec, ...] = ()
    checks: tuple[dg.AssetChecksDefinition, ...] = ()
    sources: tuple[Source, ...] = ()
    featuresets: tuple[FeatureSet, ...] = ()
    lists: tuple[FeatureList, ...] = ()
    broken: Mapping[str, Sequence[Problem]] = field(default_factory=dict)

    def __add__(self, more: "Shown") -> "Shown":
        """Return both."""
        return Shown(
            assets=self.assets + more.assets,
            checks=self.checks + more.checks,
            sources=self.sources + more.sources,
            featuresets=self.featuresets + more.featuresets,
            lists=self.lists + more.lists,
            broken={**self.broken, **more.broken},
        )


def definitions(project: str | Path | None = None) -> dg.Definitions:
    """Return what Dagster loads for a project; it always loads.

    Args:
        project: Its folder; without one FP_PROJECT names it, else it is the clone, or the folder
            that Dagster runs in.
    """
    folder = project_folder(project)
    try:
        return catalogue(load(folder))
    except FeaturePlatformError as error:
        told = Problem(file=SETTINGS_FILE, line=1, column=1, message=str(error))
        nothing = _broken({broken_name(SETTINGS_FILE): (told,)})
        return _definitions(Settings(project=folder), nothing)


def catalogue(loaded: Loaded) -> dg.Definitions:
    """Return what Dagster loads for a project; sensors and schedules are always among it."""
    settings = loaded.settings
    shown = show(loaded) + _crons(settings)
    defs = _definitions(settings, shown)
    wrong = _refusal(defs)
    if wrong:  # each one loads alone, and yet they do not together
        told = Problem(file="featuresets", line=1, column=1, message=wrong)
        together = _broken({"all_definitions": (told,)})
        return _definitions(settings, together)
    return defs


def show(loaded: Loaded) -> Shown:
    """Return what is on the page for each file: its assets, or what is wrong with it."""
    shown = _broken(loaded.broken)
    for source in loaded.project.sources.values():
        shown += _alone(source.file, partial(_source, source))
    known = {source.name for source in shown.sources}
    for featureset in loaded.project.featuresets.values():
        if featureset.source.name in known:
            shown += _alone(featureset.file, partial(_featureset, loaded, featureset))
        else:
            msg = f"source {featureset.source.name} cannot be shown; see {featureset.source.file}"
            shown += _broken_file(featureset.file, msg)
    names = frozenset(featureset.name for featureset in shown.featuresets)
    for listed in loaded.project.lists.values():
        shown += _alone(listed.file, partial(_list, listed, names))
    return shown


def _list(listed: FeatureList, featuresets: frozenset[str]) -> Shown:
    return Shown(
        assets=(list_asset(listed, featuresets), feature_log_asset(listed)),
        checks=(match_check(listed), statistics_check(listed)),
        lists=(listed,),
    )


def _source(source: Source) -> Shown:
    return Shown(
        assets=(source_asset(source), event_log_asset(source)),
        checks=(late_check(source),),
        sources=(source,),
    )


def _featureset(loaded: Loaded, featureset: FeatureSet) -> Shown:
    first = first_day(loaded.settings, featureset.source, SystemClock().now_ms())
    return Shown(
        assets=(
            stream_asset(featureset, loaded.origin),
            live_asset(featureset),
            tiles_asset(featureset, first),
        ),
        checks=(
            featureset_checks(featureset),
            event_statistics_check(featureset),
            usage_check(featureset),
        ),
        featuresets=(featureset,),
    )


def _alone(file: str, make: Callable[[], Shown]) -> Shown:
    """Return what a file defines, or, if Dagster does not take it, why."""
    try:
        made = make()
    except Exception as error:  # noqa: BLE001 (shown as a mistake of this file)
        return _broken_file(file, _in_words(error))
    resources = {"platform": Platform(project="")}
    wrong = _refusal(
        dg.Definitions(assets=made.assets, asset_checks=made.checks, resources=resources)
    )
    return _broken_file(file, wrong) if wrong else made


def _refusal(defs: dg.Definitions) -> str:
    """Return why Dagster does not load these; empty if it does."""
    try:
        dg.Definitions.validate_loadable(defs)
    except Exception as error:  # noqa: BLE001 (shown on the page)
        return _in_words(error)
    return ""


def _in_words(error: Exception) -> str:
    what = f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS_MAX]
    return f"the definition is valid, but Dagster cannot show it ({what}); fp commands work"


def _broken_file(file: str, message: str) -> Shown:
    problem = Problem(file=file, line=1, column=1, message=message)
    return _broken({broken_name(file): (problem,)})


def _broken(files: Mapping[str, Sequence[Problem]]) -> Shown:
    return Shown(
        assets=tuple(broken_asset(name, problems) for name, problems in files.items()),
        checks=tuple(broken_check(name, _look) for name in files),
        broken=files,
    )


def _look(platform: Platform) -> Mapping[str, Sequence[Problem]]:
    """Return what is broken at the moment."""
    loaded = platform.load()
    return (show(loaded) + _crons(loaded.settings)).broken


def _schedules(settings: Settings, shown: Shown) -> list[dg.ScheduleDefinition]:
    names = [source.name for source in shown.sources]
    served = [feature_log_key(listed.name) for listed in shown.lists]
    checks_cron = _cron(settings.checks, ChecksSettings())
    return [
        event_log_schedule(names, served, settings, _cron(settings.event_log, EventLogSettings())),
        checks_schedule(shown.featuresets, shown.lists, shown.sources, settings, checks_cron),
        match_schedule(shown.lists, settings, checks_cron),
    ]


def _cron(
    section: EventLogSettings | ChecksSettings, usual: EventLogSettings | ChecksSettings
) -> str:
    """Return when a schedule runs; the usual time where a setting says no time."""
    return section.cron if is_valid_cron_schedule(section.cron) else usual.cron


def _crons(settings: Settings) -> Shown:
    """Return the settings of schedules that are no times; they run at their usual times."""
    crons = {"event_log.cron": settings.event_log.cron, "checks.cron": settings.checks.cron}
    problems = [
        Problem(
            file=SETTINGS_FILE,
            line=1,
            column=1,
            message=f"{name} = {cron!r} is not a cron schedule such as '37 3 * * *'; the default "
            "schedule is used",
        )
        for name, cron in crons.items()
        if not is_valid_cron_schedule(cron)
    ]
    return _broken({broken_name(SETTINGS_FILE): problems} if problems else {})


def _definitions(settings: Settings, shown: Shown) -> dg.Definitions:
    return dg.Definitions(
        assets=shown.assets,
        asset_checks=shown.checks,
        jobs=[deploy_commit, judge_commit, restart_deployed],
        sensors=[jobs_sensor, old_tables_sensor, git_push],
        schedules=_schedules(settings, shown),
        resources={"platform": Platform(project=str(settings.project))},
        executor=dg.in_process_executor,
    )
