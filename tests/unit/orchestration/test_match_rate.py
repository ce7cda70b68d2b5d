"""The check `match_rate` of a list in Dagster: its verdict, its rates, and how its run ends."""

import dagster as dg
import pytest

from feature_platform.checks.result import Findings
from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.errors import (
    FeaturePlatformError,
    MissingExtraError,
    SparkFailedError,
    UnknownFeatureError,
)
from feature_platform.match.judge import Verdict
from feature_platform.match.report import MatchReport, Tally, reported
from feature_platform.orchestration.feature_log import feature_log_key, match_check
from tests.unit.orchestration.fake import World

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
FINDING = "views of 'p1' at 12:00: served 7, recomputed 8; events 30m of posts/0: 17"
EXPLAINED = "views of 'p2' at 12:00: late: served 1, by all that was known 2; events: posts/1: 5"


def found(**verdicts: int) -> MatchReport:
    """Return what was found of a list with two features; one of them is always equal."""
    tally, findings = Tally(), Findings()
    counts: dict[Verdict, int] = {"equal": 6, "late": 2, "different": 0}
    for verdict, count in counts.items():
        for _ in range(verdicts.get(verdict, count)):
            tally.add("views", verdict)
    for _ in range(8):
        tally.add("action", "equal")
    if verdicts.get("different"):
        findings.add([FINDING])
    return reported("home", 8, tally, findings, (EXPLAINED,))


def checked(
    world: World, *, success: bool
) -> tuple[dg.AssetCheckEvaluation | None, list[dg.AssetObservation]]:
    """Run the check; return its verdict, and what was observed."""
    home = FeatureList(name="home", version=1, features=(ListedFeature(name="posts.views"),))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [dg.AssetSpec(feature_log_key("home")), match_check(home)],
            resources={"platform": world.resource},
            selection=dg.AssetSelection.all_asset_checks(),
            raise_on_error=False,
            instance=instance,
        )
        assert result.success == success
        observations = [
            event.asset_observation_data.asset_observation
            for event in result.all_events
            if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION
        ]
        evaluations = result.get_asset_check_evaluations()
    assert world.calls == [("match", "home")]
    return (evaluations[0] if evaluations else None), observations


def test_equal_or_explained_is_green_with_rates_to_plot(world: World) -> None:
    """Each feature has a number for what is equal, and one for what is explained, too."""
    world.matched = found()
    verdict, (seen,) = checked(world, success=True)

    assert verdict is not None
    assert verdict.passed
    rates = {name: value.value for name, value in seen.metadata.items()}
    assert rates == {
        "rows": 8,
        "different": 0,
        "equal/views": 0.75,
        "matched/views": 1.0,
        "equal/action": 1.0,
        "matched/action": 1.0,
    }
    assert seen.asset_key == feature_log_key("home")
    assert rates.items() <= {k: v.value for k, v in verdict.metadata.items()}.items()
    assert EXPLAINED in str(verdict.metadata["explained"].value)


def test_a_value_that_differs_is_red_and_its_run_fails(world: World) -> None:
    """Feature, entity and events are in the verdict, and in why the run failed."""
    world.matched = found(equal=4, different=4)
    verdict, (seen,) = checked(world, success=False)

    assert verdict is not None
    assert (verdict.passed, verdict.severity) == (False, ERROR)
    assert FINDING in str(verdict.metadata["report"].value)
    assert seen.metadata["matched/views"].value == pytest.approx(0.6)
    assert seen.metadata["different"].value == 4


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "no row was served"),
        (UnknownFeatureError("home is no longer defined"), "no longer defined"),
        (MissingExtraError("it needs the extra spark"), "needs the extra spark"),
    ],
)
def test_what_cannot_be_compared_is_a_warning(
    world: World, answer: FeaturePlatformError | None, why: str
) -> None:
    """It is neither green nor red, has no rate to plot, and fails no run of every night."""
    world.matched = answer
    verdict, observations = checked(world, success=True)

    assert verdict is not None
    assert (verdict.passed, verdict.severity) == (False, WARN)
    assert why in str(verdict.metadata["report"].value)
    assert observations == []


def test_a_comparison_that_broke_fails(world: World) -> None:
    """Spark did not answer: there is no verdict, and the run says why."""
    world.matched = SparkFailedError("Spark was killed")

    assert checked(world, success=False) == (None, [])
