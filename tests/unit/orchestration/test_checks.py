"""Checks and tiles by days in Dagster: verdicts with what is wrong, one run for a range."""

from pathlib import Path
from typing import Protocol

import dagster as dg
import pytest

from feature_platform.checks.result import CHECKS, Checked, CheckResult, Status
from feature_platform.errors import FeaturePlatformError, PlanRefusedError
from feature_platform.orchestration.assets import stream_key
from feature_platform.orchestration.checks import FIRST_DAY, featureset_checks, tiles_asset
from feature_platform.orchestration.loading import load
from feature_platform.orchestration.resources import Platform


class World(Protocol):
    """See conftest."""

    calls: list[tuple[str, str]]
    checked: Checked
    repaired: Checked | FeaturePlatformError | None

    @property
    def resource(self) -> Platform:
        """The platform to hand to Dagster."""
        ...


@pytest.fixture
def red(world: World) -> World:
    """A world whose rows are wrong."""
    world.checked = Checked(results=tuple(_result(name) for name in CHECKS), wrong=("a", "b"))
    return world


def _result(name: str) -> CheckResult:
    verdicts: dict[str, Status] = {"parity": "red", "freshness": "skipped"}
    status = verdicts.get(name, "green")
    return CheckResult(
        featureset="engagement",
        check=name,  # type: ignore[arg-type]  # a key of CHECKS
        status=status,
        summary=f"{name} of 2 entities",
        findings=("views of 'a' differ",) if status == "red" else (),
        found=3 if status == "red" else 0,
        next_step="fp check engagement --repair" if status == "red" else "",
    )


def test_a_red_check_says_what_is_wrong_and_what_to_do(folder: Path, red: World) -> None:
    """One computation gives all verdicts; what could not be judged is not red."""
    featureset = load(folder).project.featuresets["engagement"]
    checks = featureset_checks(featureset)
    result = dg.materialize(
        [dg.AssetSpec(stream_key("engagement")), checks],
        resources={"platform": red.resource},
        selection=dg.AssetSelection.all_asset_checks(),
    )
    found = {item.check_name: item for item in result.get_asset_check_evaluations()}
    assert set(found) == set(CHECKS)
    assert [name for name, item in found.items() if not item.passed] == ["parity"]
    report = str(found["parity"].metadata["report"].value)
    assert "views of 'a' differ" in report
    assert "and 2 more" in report
    assert "fp check engagement --repair" in report
    assert red.calls == [("check", "engagement")]


@pytest.mark.parametrize("repair", [False, True])
def test_a_range_of_days_is_one_computation(folder: Path, red: World, *, repair: bool) -> None:
    """Its metadata say what was found; rows are corrected only if the run is told to."""
    asset = tiles_asset(load(folder).project.featuresets["engagement"])
    config = {"ops": {"tiles__engagement": {"config": {"repair": repair}}}}
    tags = {
        "dagster/asset_partition_range_start": FIRST_DAY,
        "dagster/asset_partition_range_end": "2024-01-02",
    }
    result = dg.materialize(
        [asset], resources={"platform": red.resource}, tags=tags, run_config=config
    )
    event, *_ = result.get_asset_materialization_events()
    days = "engagement 2024-01-01 2024-01-02"
    asked = [("check whole log", days), ("repair", days)] if repair else [("check", days)]
    assert red.calls == asked
    assert event.materialization.metadata["wrong_entities"].value == 2
    assert "views of 'a' differ" in str(event.materialization.metadata["findings"].value)


def test_a_refused_repair_shows_what_was_found(folder: Path, red: World) -> None:
    """The run fails with the reason, and with what nobody can see otherwise."""
    red.repaired = PlanRefusedError("views count since an upgrade only")
    asset = tiles_asset(load(folder).project.featuresets["engagement"])
    result = dg.materialize(
        [asset],
        partition_key=FIRST_DAY,
        resources={"platform": red.resource},
        run_config={"ops": {"tiles__engagement": {"config": {"repair": True}}}},
        raise_on_error=False,
    )
    (event,) = [item for item in result.all_events if item.is_step_failure]
    failure = event.step_failure_data.user_failure_data
    assert failure is not None
    assert failure.description == "views count since an upgrade only"
    assert "views of 'a' differ" in str(failure.metadata["findings"].value)
