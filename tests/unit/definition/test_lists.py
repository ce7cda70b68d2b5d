"""Feature lists as they are written: what is taken, and the report of each mistake."""

from collections.abc import Callable, Mapping

import pytest

from feature_platform.definition.feature_list import FeatureList, ListedFeature, default_fits
from feature_platform.definition.loading import DefinitionFile, Project, load_files

Load = Callable[[Mapping[str, str | bytes]], Project]
SOURCE = """\
source: events
topic: events
event_time: ts
columns: {post_id: BIGINT, user_id: BIGINT, name: STRING, flag: BOOLEAN, watch: DOUBLE,
          ts: TIMESTAMP}
"""
SETS = {
    "posts": ("post_id", "COUNT(*) AS views, LAST_VALUE(name) AS title, LAST_N(watch, 3) AS seen"),
    "users": ("user_id", "AVG(watch) AS watch, LAST_VALUE(flag) AS flag, MIN(ts) AS first_seen"),
}
FEATURES = {
    "posts": "{views: {windows: [30m], lifetime: true}, title: latest, seen: latest}",
    "users": "{watch: {windows: [1d], scale: 2}, flag: latest, first_seen: {windows: [1d]}}",
}
HEAD = "list: feed\nversion: 3\nowner: ranking\ndescription: The feed.\n"


def files(text: str) -> dict[str, str | bytes]:
    """Return a project with two feature sets, and a list."""
    made: dict[str, str | bytes] = {"sources/events.yaml": SOURCE, "lists/feed.yaml": text}
    for name, (entity, aggregates) in SETS.items():
        made[f"{name}.yaml"] = (
            f"featureset: {name}\nentity: {entity}\nsource: events\nsql: |\n"
            f"  SELECT {entity}, {aggregates} FROM events GROUP BY {entity}\n"
            f"features: {FEATURES[name]}\n"
        )
    return made


def test_a_list_is_read(load: Load) -> None:
    """Names alone, and with another column, a default and an age; in the order of the file."""
    text = f"""{HEAD}entities: [user_id, post_id]
features:
  - users.watch_1d
  - {{name: posts.views_30m, as: views, default: 0}}
  - {{name: posts.title, default: '', max_age: 7d}}
  - {{name: posts.seen, default: [0.5, 1]}}
  - {{name: users.flag, default: false}}
"""
    project = load(files(text))

    assert project.problems == ()
    assert project.lists["feed"] == FeatureList(
        name="feed",
        version=3,
        owner="ranking",
        description="The feed.",
        features=(
            ListedFeature(name="users.watch_1d"),
            ListedFeature(name="posts.views_30m", shown_as="views", default=0),
            ListedFeature(name="posts.title", default="", max_age_ms=7 * 86_400_000),
            ListedFeature(name="posts.seen", default=[0.5, 1]),
            ListedFeature(name="users.flag", default=False),
        ),
        file="featuresets/lists/feed.yaml",
    )
    stored = project.lists["feed"].to_json()
    assert FeatureList.from_json(stored).to_json() == stored


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (f"{HEAD}features: [posts.view_30m]", 5, "unknown feature `view_30m` of `posts`; did you"),
        (
            f"{HEAD}features: [post.views_30m]",
            5,
            "unknown feature set `post`; did you mean `posts`",
        ),
        (f"{HEAD}features: [views_30m]", 5, "has no feature set; write FEATURESET.views_30m"),
        (f"{HEAD}features: [posts.title, posts.title]", 5, "is listed twice, first in line 5"),
        (f"{HEAD}features: []", 5, "must be a list of 1 to 2,000 features"),
        (f"{HEAD}features: posts.title", 5, "must be a list of 1 to 2,000 features"),
        (f"{HEAD}features: [7]", 5, "a listed feature must be a string"),
        (f"{HEAD}features: [{{as: x}}]", 5, "`name` is missing of a listed feature"),
        (f"{HEAD}features: [{{name: posts.title, defult: x}}]", 5, "did you mean `default`"),
        (f"{HEAD}features: [{{name: posts.title, default: 5}}]", 5, "it serves STRING; write a"),
        (f"{HEAD}features: [{{name: users.flag, default: 1}}]", 5, "it serves BOOLEAN"),
        (f"{HEAD}features: [{{name: posts.views_30m, default: 0.5}}]", 5, "it serves BIGINT"),
        (f"{HEAD}features: [{{name: posts.seen, default: 1}}]", 5, "it serves list of DOUBLE"),
        (f"{HEAD}features: [{{name: posts.seen, default: [x]}}]", 5, "it serves list of DOUBLE"),
        (f"{HEAD}features: [{{name: users.watch_1d, default: .inf}}]", 5, "must be a number"),
        (f"{HEAD}features: [{{name: posts.title, max_age: 7}}]", 5, "must be a duration"),
        (f"{HEAD}features: [{{name: posts.views_30m, max_age: 7d}}]", 5, "it is a COUNT, and only"),
        (f"{HEAD}features: [{{name: posts.title, as: a b}}]", 5, "is not a valid name"),
        (f"{HEAD}features: [{{name: posts.title, as: fp_row}}]", 5, "the feature log's own"),
        (f"{HEAD}features: [{{name: posts.title, as: post_id}}]", 5, "is also the entity of posts"),
        (f"{HEAD}entities: [post_id]\nfeatures: [posts.title, users.flag]", 5, "lacks `user_id`"),
        (f"{HEAD}entities: [post]\nfeatures: [posts.title]", 5, "unknown entity `post`"),
        (f"{HEAD}entities: post_id\nfeatures: [posts.title]", 5, "`entities` must be a list"),
        ("list: feed\nfeatures: [posts.title]", 1, "`version` is missing"),
        ("list: feed\nversion: 0\nfeatures: [posts.title]", 2, "must be an integer from 1"),
        (
            "list: Feed\nversion: 1\nfeatures: [posts.title]",
            1,
            "feature list `Feed` is not a valid",
        ),
        ("lst: feed\nversion: 1\nfeatures: [posts.title]", 1, "unknown key `lst`; did you mean"),
        ("list: feed\nversion: 1", 1, "`features` is missing; add a line such as"),
    ],
)
def test_a_mistake_is_told_with_place_and_remedy(
    load: Load, text: str, line: int, problem: str
) -> None:
    """And takes nothing else with it."""
    project = load(files(text))

    told = [f"{each.line} {each.message}" for each in project.problems]
    assert any(each.startswith(f"{line} ") and problem in each for each in told), told
    assert project.lists == {}
    assert set(project.featuresets) == {"posts", "users"}


def test_two_lists_of_one_name_are_told_at_both(load: Load) -> None:
    """Which one was meant, nobody knows; other lists are there."""
    text = f"{HEAD}features: [posts.title]"
    other = text.replace("list: feed", "list: other")
    project = load({**files(text), "lists/b.yaml": text, "lists/c.yaml": other})

    assert [problem.file for problem in project.problems] == [
        "featuresets/lists/b.yaml",
        "featuresets/lists/feed.yaml",
    ]
    assert list(project.lists) == ["other"]


def test_a_list_of_a_broken_feature_set_says_so(load: Load) -> None:
    """The mistake is reported once where it is, and here by what depends on it."""
    made = files(f"{HEAD}features: [posts.title]")
    broken = {**made, "posts.yaml": str(made["posts.yaml"]).replace("COUNT(*)", "MEDIAN(watch)")}
    project = load(broken)

    (told,) = [each for each in project.problems if "lists/" in each.file]
    assert "feature set `posts` has errors of its own; fix them first" in told.message


def test_one_key_cannot_be_of_two_types(load: Load) -> None:
    """Two feature sets are about `user_id`, a number in one and a text in the other."""
    made = files(f"{HEAD}features: [users.flag, texts.n_lifetime]")
    made["sources/texts.yaml"] = SOURCE.replace("source: events", "source: texts").replace(
        "user_id: BIGINT", "user_id: STRING"
    )
    made["texts.yaml"] = (
        "featureset: texts\nentity: user_id\nsource: texts\nsql: |\n"
        "  SELECT user_id, COUNT(*) AS n FROM texts GROUP BY user_id\n"
        "features: {n: {lifetime: true}}\n"
    )
    (told,) = load(made).problems

    assert "`user_id` is STRING in texts and BIGINT in users" in told.message


def test_lists_come_from_a_commit_like_other_definitions() -> None:
    """Whatever read the files, the folder decides what they are."""
    made = files(f"{HEAD}features: [posts.title]")
    read = [
        DefinitionFile(path=path, data=text.encode() if isinstance(text, str) else text)
        for path, text in made.items()
    ]

    assert list(load_files(read).lists) == ["feed"]


@pytest.mark.parametrize(
    ("default", "served", "fits"),
    [
        (2**63 - 1, "BIGINT", True),
        (2**63, "BIGINT", False),
        (True, "BIGINT", False),
        (1, "DECIMAL(10,2)", True),
        ("1", "DOUBLE", False),
        ([], "list of STRING", True),
        (["a", 1], "list of STRING", False),
        ([1], "BIGINT", False),
    ],
)
def test_a_default_is_of_the_type_that_is_served(
    default: int | str | list[int | float | str | bool], served: str, fits: bool
) -> None:
    """True is not a number, and a list is only for LAST_N."""
    assert default_fits(default, served) == fits
