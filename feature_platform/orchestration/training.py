"""A factory of assets that make training sets, for a project's own `definitions.py`."""

from collections.abc import Callable, Sequence
from pathlib import Path

import dagster as dg

from feature_platform.orchestration import metadata
from feature_platform.orchestration.event_log import POOL, event_log_key
from feature_platform.orchestration.feature_log import feature_log_key
from feature_platform.orchestration.resources import Platform
from feature_platform.orchestration.training_sets import SetPlace, SetWish
from feature_platform.pushes.loading import load
from feature_platform.training.spine import SpineLike

MakeSpine = Callable[[dg.AssetExecutionContext], SpineLike]
"""Returns the rows of a run; of a day's, `context.partition_time_window` says which."""


def training_set_asset(
    name: str,
    wish: SetWish,
    *,
    project: str | Path,
    spine: MakeSpine | str | Path | None = None,
    daily_from: str = "",
    folder: str = "training_sets",
    deps: Sequence[dg.AssetKey] = (),
) -> dg.AssetsDefinition:
    """Return the asset `training_set/<name>`, whose materialisation makes a training set.

    Each run makes a folder of its own, `<folder>/<name>/<time>`, which the metadata name; a run
    that was interrupted is continued by the next. Nothing is ever deleted.

    Args:
        name: Of the asset.
        wish: Which set: the list, labels, and how features are computed.
        project: The project's folder; `Path(__file__).parent` in its `definitions.py`.
        spine: The rows: a path, or a function that returns a path or a table; None: what was
            served, of the feature log.
        daily_from: The first day, such as `2026-12-01`: a partition a day, of which the feature
            log's rows are those of the day. Empty: one set of everything.
        folder: Where sets are made, relative to the project.
        deps: What is upstream, beside the list and the logs that are read.
    """
    upstream = [dg.AssetKey(["list", wish.of]), *_logs(project, wish, served=spine is None), *deps]
    days = dg.DailyPartitionsDefinition(daily_from) if daily_from else None
    return _asset(name, wish, spine, Path(folder) / name, list(dict.fromkeys(upstream)), days)


def _asset(
    name: str,
    wish: SetWish,
    spine: MakeSpine | str | Path | None,
    folder: Path,
    upstream: Sequence[dg.AssetKey],
    days: dg.DailyPartitionsDefinition | None,
) -> dg.AssetsDefinition:
    @dg.asset(
        key=dg.AssetKey(["training_set", name]),
        deps=upstream,
        description=f"Training sets of list {wish.of}, in {folder}.",
        group_name="training",
        kinds={"spark", "parquet"},
        partitions_def=days,
        pool=POOL,
    )
    def training_set(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> dg.MaterializeResult[None]:
        rows = spine(context) if callable(spine) else spine
        made = platform.training_set(wish, rows, _place(context, folder), context.log.info)
        return dg.MaterializeResult(metadata=metadata.training_set(made))

    return training_set


def _place(context: dg.AssetExecutionContext, folder: Path) -> SetPlace:
    """Return where a run's set is made, and the instants that it is about."""
    if not context.has_partition_key:
        return SetPlace(folder=folder)
    window = context.partition_time_window
    return SetPlace(
        folder=folder / context.partition_key,
        start_ms=round(window.start.timestamp() * 1000),
        end_ms=round(window.end.timestamp() * 1000),
    )


def _logs(project: str | Path, wish: SetWish, *, served: bool) -> list[dg.AssetKey]:
    """Return the assets of the logs that are read; of a list that is not defined, none."""
    keys = [event_log_key(wish.labels)] if wish.labels else []
    if served:
        return [*keys, feature_log_key(wish.of)]
    loaded = load(project).project
    listed = loaded.lists.get(wish.of)
    names = listed.featuresets if listed else ()
    sources = {loaded.featuresets[name].source.name for name in names if name in loaded.featuresets}
    return [*keys, *map(event_log_key, sorted(sources))]
