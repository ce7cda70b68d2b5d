"""The asset graph: one broken file is an error, everything else stays; materialising deploys."""

import inspect
import runpy
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import dagster as dg
import pytest

from feature_platform.orchestration import assets, event_log, feature_log, sensors, training
from feature_platform.orchestration.assets import broken_check, stream_asset
from feature_platform.orchestration.event_log import event_log_asset
from feature_platform.orchestration.resources import Platform
from feature_platform.paths import DEFINITIONS
from feature_platform.pushes.loading import load
from tests.unit.orchestration.fake import World

LINES_MAX = 25


def _definitions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    monkeypatch.setenv("FP_PROJECT", str(folder))
    defs = runpy.run_path(str(DEFINITIONS))["defs"]
    assert isinstance(defs, dg.Definitions)
    dg.Definitions.validate_loadable(defs)
    return defs


def _specs(defs: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def test_every_feature_set_has_its_assets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source, a stream to materialise and a live job to look at."""
    defs = _definitions(folder, monkeypatch)
    assert set(_specs(defs)) == {
        "source/posts",
        "event_log/posts",
        "stream/engagement",
        "live/engagement",
        "tiles/engagement",
    }
    for name in ("event_log", "checks"):
        schedule = defs.resolve_schedule_def(name)
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert defs.resolve_sensor_def("jobs").default_status is dg.DefaultSensorStatus.RUNNING


def test_a_broken_file_is_an_error_and_the_rest_stays(
    folder: Path, broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its asset says what is wrong and where; it has a check, and the good one is there."""
    defs = _definitions(folder, monkeypatch)
    specs = _specs(defs)
    assert set(specs) >= {"stream/engagement", f"broken/{broken.stem}"}
    assert f"{broken.name}:7:" in (specs[f"broken/{broken.stem}"].description or "")


def test_only_broken_files_load_too(
    folder: Path, broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project without a good feature set has a page, a sensor, and errors on it."""
    (folder / "featuresets" / "engagement.yaml").unlink()
    specs = _specs(_definitions(folder, monkeypatch))
    assert set(specs) == {"source/posts", "event_log/posts", f"broken/{broken.stem}"}


def test_an_empty_project_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without anything is no error."""
    assert _specs(_definitions(tmp_path, monkeypatch)) == {}


def test_the_check_of_a_broken_file_is_red_until_it_is_mended(folder: Path, broken: Path) -> None:
    """It looks at the file as it is when the check runs."""
    check = broken_check(broken.stem, lambda platform: platform.load().broken)
    spec = assets.broken_asset(broken.stem, load(folder).broken[broken.stem])
    given: dict[str, Any] = {
        "assets": [spec, check],
        "resources": {"platform": Platform(project=str(folder))},
    }

    def passed() -> bool:
        result = dg.materialize(**given, selection=dg.AssetSelection.all_asset_checks())
        (evaluation,) = result.get_asset_check_evaluations()
        return evaluation.passed

    before = passed()
    broken.write_text(broken.read_text().replace("MEDIAN(action)", "COUNT(*)"))
    assert (before, passed()) == (False, True)


def test_materialising_deploys(folder: Path, world: World) -> None:
    """The run's metadata show the plan, the job's page, the attempt and what is served."""
    (event,) = _materialise(folder, world).get_asset_materialization_events()
    shown = event.materialization.metadata
    assert world.calls == [("deploy", "engagement")]
    assert shown["plan"].value == "```\nengagement: new feature set\n```"
    assert shown["job"].value == "http://127.0.0.1:8081/#/job/running/j1/overview"
    assert shown["attempt"].value == 3
    served = shown["served"]
    assert isinstance(served, dg.TableMetadataValue)
    assert [record.data["feature"] for record in served.records] == ["views"]


def test_materialising_an_event_log_shows_the_archived_offsets(folder: Path, world: World) -> None:
    """Records, files, bytes, and up to where each partition is archived."""
    asset = event_log_asset(load(folder).project.sources["posts"])
    result = dg.materialize([asset], resources={"platform": world.resource})
    (event,) = result.get_asset_materialization_events()
    shown = event.materialization.metadata
    assert world.calls == [("archive", "posts")]
    assert (shown["added"].value, shown["records"].value) == (3, 10)
    offsets = shown["offsets"]
    assert isinstance(offsets, dg.TableMetadataValue)
    assert [record.data for record in offsets.records] == [
        {"partition": "posts/0", "archived_to": 10}
    ]


def test_owners_are_written_as_dagster_wants_them(folder: Path) -> None:
    """A team's name may hold anything in YAML; a person is an address."""
    featureset = load(folder).project.featuresets["engagement"]
    spec = stream_asset(featureset, "the project's folder").get_asset_spec()
    assert spec.owners == ["team:ranking_feed"]


@pytest.mark.parametrize("module", [assets, event_log, feature_log, sensors, training])
def test_dagster_code_is_wiring(module: ModuleType) -> None:
    """A function that makes an asset, a check or a sensor has at most 25 lines, docs aside."""
    functions = [
        function
        for _, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
    ]
    assert [each.__name__ for each in functions if _lines(each) > LINES_MAX] == []


def _lines(function: FunctionType) -> int:
    """Count the lines of a function without its documentation."""
    docs = function.__doc__.count("\n") + 1 if function.__doc__ else 0
    return len(inspect.getsourcelines(function)[0]) - docs


def _materialise(
    folder: Path, world: World, tags: dict[str, str] | None = None
) -> dg.ExecuteInProcessResult:
    featureset = load(folder).project.featuresets["engagement"]
    return dg.materialize(
        [stream_asset(featureset, "the project's folder")],
        resources={"platform": world.resource},
        tags=tags or {},
    )
