"""From a folder of definitions to plans and outcomes."""

import pytest

from feature_platform.definition.loading import load_project
from feature_platform.deploy.apply import apply, make_plans
from feature_platform.errors import DefinitionError, UnknownFeatureError
from tests.unit.stage import Stage


def test_without_names_everything_defined_or_deployed_is_planned(stage: Stage) -> None:
    """What is deployed but no longer defined is shown, and left alone."""
    stage.apply()
    stage.define()
    (stage.folder / "posts.yaml").rename(stage.folder / "posts.txt")
    plans = make_plans(stage.world, load_project(stage.folder))
    assert [(plan.featureset, plan.change.kind) for plan in plans] == [("posts", "removed")]
    assert "fp delete posts" in plans[0].change.reasons[0]
    assert apply(stage.world, plans)[0].error is None
    assert len(stage.flink.running) == 1


def test_a_file_that_does_not_load_is_not_a_removal(stage: Stage) -> None:
    """A typing mistake never offers to delete what is deployed."""
    stage.apply()
    (stage.folder / "posts.yaml").write_text("featureset: [")
    project = load_project(stage.folder)
    assert make_plans(stage.world, project) == []
    with pytest.raises(DefinitionError):
        make_plans(stage.world, project, ["posts"])


def test_an_unknown_name_is_refused_with_a_guess(stage: Stage) -> None:
    """As typed, and the nearest known."""
    with pytest.raises(UnknownFeatureError, match=r"no feature set 'pots'.*did you mean 'posts'"):
        make_plans(stage.world, stage.define(), ["pots"])
    with pytest.raises(UnknownFeatureError, match="known: posts"):
        make_plans(stage.world, stage.define(), ["zzz"])


def test_one_that_fails_does_not_stop_the_others(stage: Stage) -> None:
    """Each has an outcome of its own."""
    stage.define()
    text = (stage.folder / "posts.yaml").read_text().replace("featureset: posts", "featureset: b")
    (stage.folder / "b.yaml").write_text(text.replace("'view'", "'play'"))
    stage.flink.broken_sql = "play"
    outcomes = apply(stage.world, make_plans(stage.world, load_project(stage.folder)))
    found = [(outcome.featureset, outcome.error is None) for outcome in outcomes]
    assert found == [("b", False), ("posts", True)]


def test_the_yaml_is_kept_with_what_is_deployed(stage: Stage) -> None:
    """Its source's included."""
    outcome = stage.apply()
    assert outcome.snapshot is not None
    assert outcome.snapshot.definition["featureset"] == "posts"
    assert outcome.snapshot.definition["source"]["topic"] == "post_events"
