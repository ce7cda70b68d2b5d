"""The asset factory of training sets: what is upstream, what a run makes, what the page shows."""

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from feature_platform.clock import to_iso
from feature_platform.errors import UnknownFeatureError
from feature_platform.orchestration.catalogue import definitions
from feature_platform.orchestration.training import training_set_asset
from feature_platform.orchestration.training_sets import NEXT, SetPlace, SetWish, make_set
from feature_platform.pushes.loading import load
from feature_platform.testing import Deployed
from feature_platform.training import TrainingSet
from feature_platform.training.manifest import Manifest, UsedFeatureSet, UsedLabels
from tests.unit.feature_log.test_archive import INSTANT_MS
from tests.unit.feature_log.test_client_logs import make_world
from tests.unit.orchestration.fake import World
from tests.unit.training.test_served import answer, logged

LIST = """
list: feed
version: 1
features: [engagement.views_30m]
"""
WISH = SetWish(of="feed", labels="outcomes", within="30m")
DAY_MS = 86_400_000


def manifest() -> Manifest:
    """Return what a set of five rows says of itself."""
    used = UsedFeatureSet(
        featureset="engagement", generation=1, data_fingerprint="abc", entity="post_id",
        source="posts", offsets={}, begins_ms=0, ends_ms=9,
    )  # fmt: skip
    labels = UsedLabels(
        source="outcomes", fingerprint="def", columns=("clicked",), keys={}, request="",
        within_ms=1, late_ms=0, offsets={}, begins_ms=0, ends_ms=9, status={"ok": 3, "open": 2},
        open_left_out=False,
    )  # fmt: skip
    return Manifest(
        list="feed", list_version=1, as_of="event", serving_lag_ms=0, edge_ms=0, instant="at",
        keys={}, time_zone="", features=(), featuresets=(used,), rows=5, status={"ok": 5},
        files=(), seconds={"answers": 1.25, "values": 0.5}, made_ms=7, labels=labels,
    )  # fmt: skip


def run(
    world: World, asset: dg.AssetsDefinition, day: str | None = None
) -> dg.MaterializeResult[None]:
    """Materialise; return what the page shows."""
    done = dg.materialize([asset], resources={"platform": world.resource}, partition_key=day)
    (event,) = done.get_asset_materialization_events()
    return dg.MaterializeResult(metadata=event.materialization.metadata)


def test_what_is_read_is_upstream(folder: Path) -> None:
    """The list, the event logs of its sources and of the labels; or the feature log."""
    (folder / "featuresets" / "lists").mkdir()
    (folder / "featuresets" / "lists" / "feed.yaml").write_text(LIST)
    computed = training_set_asset("a", WISH, project=folder, spine="rows.parquet")
    served = training_set_asset("b", WISH, project=folder, deps=[dg.AssetKey("mine")])
    unknown = training_set_asset("c", SetWish(of="nobody"), project=folder, spine="rows.parquet")

    def upstream(asset: dg.AssetsDefinition) -> set[str]:
        return {key.to_user_string() for key in asset.dependency_keys}

    assert upstream(computed) == {"list/feed", "event_log/posts", "event_log/outcomes"}
    assert upstream(served) == {
        "list/feed", "event_log/feature_log/feed", "event_log/outcomes", "mine",
    }  # fmt: skip
    assert upstream(unknown) == {"list/nobody"}
    merged = dg.Definitions.merge(
        definitions(folder), dg.Definitions(assets=[computed, served, unknown])
    )
    dg.Definitions.validate_loadable(merged)


def test_a_run_makes_a_set_and_shows_it(world: World, folder: Path) -> None:
    """Rows by status, seconds, fingerprints; the spine may be made by a function."""
    world.made = TrainingSet(folder / "made", manifest=manifest())
    table = pa.table({"at": [1]})
    asset = training_set_asset("a", WISH, project=folder, spine=lambda _: table)
    shown = run(world, asset).metadata or {}
    assert world.sets == [(WISH, table, SetPlace(folder=Path("training_sets/a")))]
    assert shown["folder"] == dg.MetadataValue.path(folder / "made")
    assert shown["dagster/row_count"] == dg.MetadataValue.int(5)
    assert shown["total_seconds"] == dg.MetadataValue.float(1.8)
    statuses = shown["statuses"]
    assert isinstance(statuses, dg.TableMetadataValue)
    assert [each.data for each in statuses.records] == [
        {"status": "ok", "rows": 5},
        {"status": "label ok", "rows": 3},
        {"status": "label open", "rows": 2},
    ]
    prints = {"engagement": "abc", "labels of outcomes": "def"}
    assert shown["fingerprints"] == dg.MetadataValue.json(prints)


def test_a_partition_is_a_day_of_the_feature_log(world: World, folder: Path) -> None:
    """In a folder of its own, with the instants of that day, UTC."""
    world.made = TrainingSet(folder / "made", manifest=manifest())
    asset = training_set_asset("a", WISH, project=folder, daily_from="2026-11-01", folder="sets")
    run(world, asset, "2026-11-02")
    ((_, rows, place),) = world.sets
    assert rows is None
    assert place.folder == Path("sets/a/2026-11-02")
    assert (to_iso(place.start_ms), place.end_ms) == (
        "2026-11-02T00:00:00Z",
        place.start_ms + DAY_MS,
    )


@pytest.fixture(name="deployed")
def _deployed(tmp_path: Path) -> Deployed:
    return make_world(tmp_path)


def test_each_run_has_a_folder_of_its_own(deployed: Deployed, tmp_path: Path) -> None:
    """Named after the time; a set whose run ended before it was named is kept, too."""
    logged(tmp_path, [answer(0, 2), answer(1, 3)])
    found = load(tmp_path)
    log = found.settings.event_log.model_copy(update={"folder": str(tmp_path / "log")})
    loaded = replace(found, settings=found.settings.model_copy(update={"event_log": log}))
    said: list[str] = []
    place = SetPlace(folder=Path("sets"), end_ms=INSTANT_MS + 1)

    def make(wish: SetWish) -> TrainingSet:
        return make_set(loaded, deployed.registry, wish, None, place, said.append)

    first = make(SetWish(of="home"))
    assert (first.manifest.rows, said) == (2, ["writing rows"])
    assert first.folder.name == to_iso(first.manifest.made_ms).replace(":", "")
    first.folder.rename(first.folder.with_name(NEXT))
    second = make(SetWish(of="home"))
    assert {each.name for each in (tmp_path / "sets").iterdir()} == {
        first.folder.name,
        second.folder.name,
    }
    with pytest.raises(UnknownFeatureError, match="source nobody is not defined"):
        make(SetWish(of="home", labels="nobody"))
