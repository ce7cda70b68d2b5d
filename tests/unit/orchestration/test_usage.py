"""The check `usage` of a feature set in Dagster: what its names cost, and who uses them."""

import runpy
from pathlib import Path

import dagster as dg
import pytest

from feature_platform.definition.loading import load_project
from feature_platform.errors import EventLogError, MissingExtraError, UnknownFeatureError
from feature_platform.orchestration import usage_metadata
from feature_platform.orchestration.assets import live_key
from feature_platform.orchestration.resources import Platform
from feature_platform.orchestration.usage import usage_check, usage_check_key
from feature_platform.paths import DEFINITIONS
from feature_platform.statistics.usage import FeatureUse
from tests.unit.orchestration.fake import World

WARN = dg.AssetCheckSeverity.WARN
LIST = "list: home\nversion: 1\nfeatures: [{name: engagement.views_30m, as: views}]\n"


def use(name: str, *verdicts: str, logged: int | None = 8) -> FeatureUse:
    """Return what a name costs."""
    lists = () if "in no list" in verdicts else ("home",)
    return FeatureUse(
        featureset="engagement",
        feature=name.split("_", maxsplit=1)[0],
        name=name,
        bytes=12,
        rows=5,
        lists=lists,
        logged=logged,
        nulls=0.25 if logged else None,
        distinct=4 if logged else None,
        verdicts=verdicts,
    )


def checked(
    world: World, folder: Path
) -> tuple[dg.AssetCheckEvaluation, dict[str, dg.MetadataValue]]:
    """Run the check; return its verdict, and what was observed."""
    featureset = load_project(folder / "featuresets").featuresets["engagement"]
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [dg.AssetSpec(live_key("engagement")), usage_check(featureset)],
            resources={"platform": world.resource},
            selection=dg.AssetSelection.all_asset_checks(),
            instance=instance,
        )
        seen = [
            event.asset_observation_data.asset_observation.metadata
            for event in result.all_events
            if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION
        ]
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation, dict(seen[0]) if seen else {}


def test_names_that_nobody_asks_for_are_shown(folder: Path, world: World) -> None:
    """Without a warning: a name may be there for later."""
    world.used = [use("views_30m"), use("views_lifetime", "in no list", logged=None)]
    found, seen = checked(world, folder)

    assert (found.passed, found.asset_key) == (True, live_key("engagement"))
    assert found.description == "2 served names: 1 in no list"
    assert "* in no list: `views_lifetime`" in str(found.metadata["report"].value)
    names = found.metadata["names"]
    assert isinstance(names, dg.TableMetadataValue)
    unused, used = (row.data for row in names.records)
    assert (unused["name"], unused["verdict"], unused["logged"]) == (
        *("views_lifetime", "in no list"),
        None,
    )
    assert (used["bytes"], used["rows"], used["logged"], used["lists"]) == (12, 5, 8, "home")
    numbers = {name: value.value for name, value in seen.items()}
    assert (numbers["served names"], numbers["in no list"], numbers["constant"]) == (2, 1, 0)
    assert (numbers["views_30m logged"], numbers["views_30m nulls"]) == (8, 0.25)
    assert numbers["bytes of features"] == 12
    assert "views_lifetime logged" not in numbers


@pytest.mark.parametrize("verdict", ["always null", "constant", "not served"])
def test_what_lists_ask_for_in_vain_is_a_warning(folder: Path, world: World, verdict: str) -> None:
    """Its run does not fail."""
    world.used = [use("views_30m", verdict), use("views_lifetime")]
    found, seen = checked(world, folder)

    assert (found.passed, found.severity) == (False, WARN)
    assert found.description == f"2 served names: 1 {verdict}"
    assert seen[verdict].value == 1


@pytest.mark.parametrize(
    "why",
    [
        UnknownFeatureError("engagement is no longer defined"),
        MissingExtraError("it needs the extra statistics"),
        EventLogError("a commit is damaged"),
        OSError("disk full"),
    ],
)
def test_what_is_not_known_fails_no_run(folder: Path, world: World, why: Exception) -> None:
    """It is a warning with the reason, and nothing is plotted."""
    world.used = why
    found, seen = checked(world, folder)

    assert (found.passed, found.severity, seen) == (False, WARN, {})
    assert str(found.metadata["report"].value) == str(why)


def test_many_names_are_shown_up_to_a_limit(
    folder: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those with a verdict first."""
    for limit in ("PLOTTED_MAX", "SHOWN_MAX", "NAMED_MAX"):
        monkeypatch.setattr(usage_metadata, limit, 1)
    world.used = [use("a"), use("b", "constant"), use("c", "constant")]
    found, seen = checked(world, folder)

    names = found.metadata["names"]
    assert isinstance(names, dg.TableMetadataValue)
    assert [row.data["name"] for row in names.records] == ["b"]
    assert {name.split()[0] for name in seen if name.endswith(" rows")} == {"b"}
    assert "* constant: `b` and 1 more" in str(found.metadata["report"].value)


def test_the_platform_looks_at_the_definitions_as_they_are(folder: Path) -> None:
    """Of all lists, also those that came since the page was loaded."""
    platform = Platform(project=str(folder))
    found = {each.name: each for each in platform.usage("engagement", print)}
    assert found["views_30m"].verdicts == ("in no list",)
    (folder / "featuresets" / "lists").mkdir()
    (folder / "featuresets" / "lists" / "home.yaml").write_text(LIST)
    found = {each.name: each for each in platform.usage("engagement", print)}
    assert (found["views_30m"].lists, found["views_30m"].verdicts) == (("home",), ())
    assert found["views_30m"].rows > found["views_lifetime"].rows == 1
    with pytest.raises(UnknownFeatureError, match="feature set gone is no longer defined"):
        platform.usage("gone", print)


def test_it_runs_every_night(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the checks."""
    monkeypatch.setenv("FP_PROJECT", str(folder))
    defs: dg.Definitions = runpy.run_path(str(DEFINITIONS))["defs"]
    job = defs.resolve_job_def(defs.resolve_schedule_def("checks").job_name)
    assert usage_check_key("engagement") in job.asset_layer.asset_graph.asset_check_keys
