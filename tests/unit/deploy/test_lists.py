"""Feature lists in plans: what is added, changed and removed, and what they keep from going."""

import pytest

from feature_platform.definition.loading import Project, load_project
from feature_platform.deploy.apply import apply, make_plans
from feature_platform.deploy.control import delete
from feature_platform.deploy.execute import execute
from feature_platform.deploy.lists import (
    ListOutcome,
    apply_lists,
    apply_servable_lists,
    make_list_plans,
)
from feature_platform.deploy.recover import make_rollback_plan
from feature_platform.errors import PlanRefusedError
from feature_platform.plan.explain import explain
from tests.unit.deploy.edits import ENTITY
from tests.unit.deploy.test_rollback import ADDED
from tests.unit.stage import Stage

LIST = """\
list: feed
version: 1
owner: ranking
features:
  - posts.views_2h
  - {name: posts.views_lifetime, as: total, default: 0}
"""
FEWER = ("lifetime: true, ", "")


def define(stage: Stage, text: str | None, *edits: tuple[str, str]) -> Project:
    """Write the feature set with edits, and the list unless there is none."""
    stage.define(*edits)
    file = stage.folder / "lists" / "feed.yaml"
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    if text is not None:
        file.write_text(text)
    return load_project(stage.folder)


def store(stage: Stage, project: Project, *names: str) -> list[ListOutcome]:
    """Do what `fp apply` does."""
    plans = make_plans(stage.world, project, names)
    lists = make_list_plans(stage.world, project, names)
    assert all(outcome.error is None for outcome in apply(stage.world, plans))
    return apply_lists(stage.world, lists)


def test_a_list_is_stored_after_its_feature_sets(stage: Stage) -> None:
    """Before that, no ranker can prepare it."""
    project = define(stage, LIST)
    (early,) = apply_lists(stage.world, make_list_plans(stage.world, project))
    (outcome,) = store(stage, project)

    assert "posts.views_2h, posts.views_lifetime are not served yet" in str(early.error)
    assert (outcome.name, outcome.change, outcome.error) == ("feed", "added", None)
    (stored,) = stage.world.registry.feature_lists()
    assert [each.column for each in stored.newest.features] == ["posts.views_2h", "total"]
    assert [plan.kind for plan in make_list_plans(stage.world, project)] == ["none"]


def test_a_version_never_changes_its_features(stage: Stage) -> None:
    """The plan says which version to write; owner and description may change."""
    store(stage, define(stage, LIST))
    (plan,) = make_list_plans(stage.world, define(stage, LIST.replace("default: 0", "default: 1")))
    assert "stored as version 1, and a version never changes; write `version: 2`" in plan.refusal
    (refused,) = apply_lists(stage.world, [plan])
    assert isinstance(refused.error, PlanRefusedError)

    newer = LIST.replace("default: 0", "default: 1").replace("version: 1", "version: 2")
    (plan,) = make_list_plans(stage.world, define(stage, newer))
    assert plan.lines() == ["feature list feed: changed, version 2, 2 features", "  ~ total"]
    assert apply_lists(stage.world, [plan])[0].error is None
    (back,) = make_list_plans(stage.world, define(stage, LIST))
    assert "write the earlier features as version 3" in back.refusal

    (plan,) = make_list_plans(stage.world, define(stage, newer.replace("ranking", "feed team")))
    assert (plan.kind, plan.refusal) == ("described", "")
    apply_lists(stage.world, [plan])
    (stored,) = stage.world.registry.feature_lists()
    assert [(each.version, each.owner) for each in stored.versions] == [
        (1, "ranking"),
        (2, "feed team"),
    ]


def test_a_feature_that_a_list_uses_is_not_removed(stage: Stage) -> None:
    """The plan is red and names list, owner and feature; nothing of it is carried out."""
    store(stage, define(stage, LIST))
    before = stage.world.registry.snapshots()
    (plan,) = make_plans(stage.world, define(stage, LIST, FEWER), ["posts"])

    told = (
        "feature list feed of ranking (version 1) uses posts.views_lifetime, which would be "
        "removed; take it out of the list, with a higher version, or keep the feature"
    )
    assert plan.refusals == (told,)
    assert "  refused: feature list feed of ranking" in explain(plan)
    with pytest.raises(PlanRefusedError, match="feature list feed of ranking"):
        execute(plan, stage.world)
    assert stage.world.registry.snapshots() == before


@pytest.mark.parametrize("names", [(), ("posts",)])
def test_a_list_that_changes_with_it_lets_a_feature_go(stage: Stage, names: tuple[str]) -> None:
    """Also if the list goes altogether, and if only the feature set is asked for."""
    store(stage, define(stage, LIST))
    shorter = LIST.replace("version: 1", "version: 2").partition("  - {")[0]
    assert [each.error for each in store(stage, define(stage, shorter, FEWER), *names)] == [None]

    store(stage, define(stage, LIST.replace("version: 1", "version: 3")))
    (gone,) = store(stage, define(stage, None, FEWER), *names)
    assert (gone.change, gone.error) == ("removed", None)
    (stored,) = stage.world.registry.feature_lists()
    assert stored.removed
    (again,) = make_list_plans(stage.world, define(stage, LIST.replace("version: 1", "version: 4")))
    assert (again.kind, again.refusal) == ("added", "")


def test_a_list_that_gives_up_a_feature_is_stored_before_that_goes(stage: Stage) -> None:
    """At no time does its newest version name a feature that is not served."""
    store(stage, define(stage, LIST))
    fewer = LIST.replace("version: 1", "version: 2")
    fewer = fewer.replace("  - {name: posts.views_lifetime, as: total, default: 0}\n", "")
    project = define(stage, fewer, FEWER)

    early, waiting = apply_servable_lists(stage.world, make_list_plans(stage.world, project))

    assert ([each.change for each in early], waiting) == (["changed"], [])
    (stored,) = stage.world.registry.feature_lists()
    assert [each.name for each in stored.newest.features] == ["posts.views_2h"]
    (plan,) = make_plans(stage.world, project)
    assert not plan.refusals
    execute(plan, stage.world)


def test_a_list_of_a_new_feature_waits_for_it(stage: Stage) -> None:
    """It is no error before its feature sets are deployed."""
    plans = make_list_plans(stage.world, define(stage, LIST))

    assert apply_servable_lists(stage.world, plans) == ([], plans)


def test_a_list_that_does_not_load_is_not_a_removal(stage: Stage) -> None:
    """What it keeps from going, it still keeps; other changes are planned."""
    store(stage, define(stage, LIST))
    project = define(stage, "list: [", FEWER)

    assert make_list_plans(stage.world, project) == []
    assert make_plans(stage.world, project)[0].refusals != ()
    assert make_plans(stage.world, define(stage, "list: ["))[0].refusals == ()


def test_a_feature_set_that_a_list_uses_is_not_deleted(stage: Stage) -> None:
    """A person removes the list first."""
    store(stage, define(stage, LIST))
    with pytest.raises(PlanRefusedError, match=r"feature list feed of ranking .*posts\.views_2h"):
        delete(stage.world, "posts")
    stage.world.registry.remove_list("feed")
    delete(stage.world, "posts")
    assert stage.world.registry.snapshots() == []


@pytest.mark.parametrize("edits", [(), ENTITY], ids=["the same generation", "the one before"])
def test_a_feature_that_a_list_uses_is_not_rolled_back(
    stage: Stage, edits: tuple[tuple[str, str], ...]
) -> None:
    """The newest version of the list could not be served any more."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply()
    stage.run_to(1, 1, p0=3)
    stage.cut(1, 3, p0=5)
    assert stage.apply(*edits, *ADDED, start_empty=bool(edits)).error is None
    project = define(stage, LIST.replace("posts.views_2h", "posts.top_2h"), *edits, *ADDED)
    assert apply_lists(stage.world, make_list_plans(stage.world, project))[0].error is None

    with pytest.raises(PlanRefusedError, match=r"feature list feed of ranking .*posts\.top_2h"):
        make_rollback_plan(stage.world, "posts")
    stage.world.registry.remove_list("feed")
    assert make_rollback_plan(stage.world, "posts").change.kind == (
        "return" if edits else "rollback"
    )
