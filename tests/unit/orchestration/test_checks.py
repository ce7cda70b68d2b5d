"""Checks and tiles by days in Dagster: verdicts with what is wrong, one run for a range."""

from pathlib import Path

import dagster as dg
import pytest

from feature_platform.checks.result import CHECKS, CheckReport, CheckResult, Status
from feature_platform.errors import PlanRefusedError, UnknownFeatureError
from feature_platform.orchestration.assets import live_key
from feature_platform.orchestration.checks import featureset_checks, tiles_asset
from feature_platform.pushes.loading import load
from tests.unit.orchestration.fake import World

FIRST_DAY = "2024-01-01"


@pytest.fixture
def red(world: World) -> World:
    """A world whose rows are wrong."""
    world.checked = CheckReport(results=tuple(_result(name) for name in CHECKS), wrong=("a", "b"))
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
    """One computation gives all verdicts, and its run fails: a green one would be overlooked."""
    found = _checked(folder, red)
    assert set(found) == set(CHECKS)
    report = str(found["parity"].metadata["report"].value)
    assert "views of 'a' differ" in report
    assert "and 2 more" in report
    assert "fp check engagement --repair" in report
    assert red.calls == [("check", "engagement")]


def test_what_could_not_be_judged_is_neither_green_nor_red(folder: Path, red: World) -> None:
    """It is a warning; only what was compared and is equal has passed."""
    found = _checked(folder, red)
    error, warn = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
    failed = {name: item.severity for name, item in found.items() if not item.passed}
    assert failed == {"parity": error, "freshness": warn}


def test_a_run_of_checks_succeeds_if_nothing_differs(folder: Path, world: World) -> None:
    """What could not be judged fails no run."""
    verdicts: list[Status] = ["green", "green", "green", "skipped", "green"]
    world.checked = CheckReport(
        results=tuple(
            CheckResult(featureset="engagement", check=name, status=status, summary="x")
            for name, status in zip(CHECKS, verdicts, strict=True)
        )
    )
    assert len(_checked(folder, world, success=True)) == len(CHECKS)


def test_what_is_not_deployed_is_not_judged(folder: Path, world: World) -> None:
    """A definition that nobody has deployed yet fails no run of every night."""
    world.checked = UnknownFeatureError("engagement is not deployed")
    found = _checked(folder, world, success=True)
    assert {item.severity for item in found.values()} == {dg.AssetCheckSeverity.WARN}
    assert "engagement is not deployed" in str(found["parity"].metadata["report"].value)


def _checked(
    folder: Path, world: World, *, success: bool = False
) -> dict[str, dg.AssetCheckEvaluation]:
    result = dg.materialize(
        [
            dg.AssetSpec(live_key("engagement")),
            featureset_checks(load(folder).project.featuresets["engagement"]),
        ],
        resources={"platform": world.resource},
        selection=dg.AssetSelection.all_asset_checks(),
        raise_on_error=False,
    )
    assert result.success == success
    return {item.check_name: item for item in result.get_asset_check_evaluations()}


@pytest.mark.parametrize("repair", [False, True])
def test_a_range_of_days_is_one_computation(folder: Path, world: World, *, repair: bool) -> None:
    """Its metadata say what was found; rows are corrected only if the run is told to."""
    tags = {
        "dagster/asset_partition_range_start": FIRST_DAY,
        "dagster/asset_partition_range_end": "2024-01-02",
    }
    result = _tiles(folder, world, repair=repair, tags=tags)
    event, *_ = result.get_asset_materialization_events()
    days = "engagement 2024-01-01 2024-01-02"
    asked = [("check whole log", days), ("repair", days)] if repair else [("check", days)]
    assert world.calls == asked
    assert event.materialization.metadata["wrong_entities"].value == 0


@pytest.mark.parametrize("repair", [False, True])
def test_days_whose_tiles_differ_are_failed(folder: Path, red: World, *, repair: bool) -> None:
    """Also what is still wrong after a repair; the partition is red, and says what was found."""
    result = _tiles(folder, red, repair=repair, partition_key=FIRST_DAY)
    assert not result.success
    assert result.get_asset_materialization_events() == []
    (event,) = [item for item in result.all_events if item.is_step_failure]
    failure = event.step_failure_data.user_failure_data
    assert failure is not None
    assert failure.description == (
        "engagement: check parity failed: parity of 2 entities\n"
        "engagement: rows of 2 entities differ from their events\n"
        "next: fp check engagement --repair"
    )
    assert "views of 'a' differ" in str(failure.metadata["findings"].value)


def test_a_job_that_is_behind_is_no_fault_of_its_tiles(folder: Path, world: World) -> None:
    """Freshness is judged, too, and has checks of its own."""
    late = CheckResult(featureset="engagement", check="freshness", status="red", summary="late")
    world.checked = CheckReport(results=(late,))
    assert _tiles(folder, world, partition_key=FIRST_DAY).success


def test_a_refused_repair_shows_what_was_found(folder: Path, red: World) -> None:
    """The run fails with the reason, and with what nobody can see otherwise."""
    red.repaired = PlanRefusedError("views count since an upgrade only")
    result = _tiles(folder, red, repair=True, partition_key=FIRST_DAY)
    (event,) = [item for item in result.all_events if item.is_step_failure]
    failure = event.step_failure_data.user_failure_data
    assert failure is not None
    assert failure.description == "views count since an upgrade only"
    assert "views of 'a' differ" in str(failure.metadata["findings"].value)


def test_a_repair_that_is_refused_at_once_fails_with_the_reason(folder: Path, world: World) -> None:
    """Before anything was compared."""
    world.checked = PlanRefusedError("the log lacks events")
    result = _tiles(folder, world, repair=True, partition_key=FIRST_DAY)
    (event,) = [item for item in result.all_events if item.is_step_failure]
    failure = event.step_failure_data.user_failure_data
    assert failure is not None
    assert failure.description == "the log lacks events"


def _tiles(
    folder: Path,
    world: World,
    *,
    repair: bool = False,
    partition_key: str | None = None,
    tags: dict[str, str] | None = None,
) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [tiles_asset(load(folder).project.featuresets["engagement"], FIRST_DAY)],
        resources={"platform": world.resource},
        partition_key=partition_key,
        tags=tags,
        run_config={"ops": {"tiles__engagement": {"config": {"repair": repair}}}},
        raise_on_error=False,
    )
