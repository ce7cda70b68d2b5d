"""Whatever a definition holds, Dagster loads the others, and the sensors that watch over jobs."""

import warnings
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value

from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.orchestration import assets, catalogue
from feature_platform.orchestration.catalogue import definitions
from feature_platform.orchestration.checks import featureset_checks
from feature_platform.orchestration.days import first_day
from feature_platform.pushes.loading import load
from feature_platform.settings import load_settings

ALWAYS = {"stream/engagement", "live/engagement", "tiles/engagement", "source/posts"}
TEXTS = (
    *("@ranking", "ranking@corp", "Jane Doe <j@corp.example>", "a@b.museumcollections", "@", ":"),
    *(
        "team:",
        "team:x",
        "team:a/b@c",
        "Команда поиска",
        "日本語 🚀 \u202e",
        "___",
        "\u200b",
        "a\u0301",
    ),
    *("```", "[red]x[/red]", "<script>alert(1)</script>", "{{ x }}", "$(id)", "%s%n", "\\x00"),
    *("x" * 100_000, "many words " * 5_000, "line\nline", "\tindented", "null", "~", "no", "1e999"),
    *("\U0010ffff", "\ufffe", "\ue000", "'; DROP TABLE x; --", "a|b|c", "👩‍👩‍👧‍👦" * 1_000),
)
EVERYWHERE = (
    "owner",
    "description",
    "source description",
    "feature description",
    "text",
    "literal",
)


@pytest.fixture
def shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], set[str]]:
    """Load the project as Dagster's code server does, and hand it over as that does."""

    def names() -> set[str]:
        monkeypatch.setenv("FP_PROJECT", str(folder))
        defs = definitions()
        dg.Definitions.validate_loadable(defs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of Dagster's own calls
            serialize_value(RepositorySnap.from_def(defs.get_repository_def())).encode()
        for sensor in ("jobs", "old_tables", "git_push"):
            assert defs.resolve_sensor_def(sensor).name == sensor
        for schedule in ("checks", "event_log"):
            assert defs.resolve_schedule_def(schedule).name == schedule
        return {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()}

    return names


@pytest.mark.parametrize("where", EVERYWHERE)
def test_an_odd_text_takes_nothing_with_it(
    folder: Path, shown: Callable[[], set[str]], where: str
) -> None:
    """It is shown, or its file is broken; all else is there."""
    for number, text in enumerate(TEXTS):
        source, odd = _odd(folder, where, text, f"odd_{number}")
        (folder / "featuresets" / "sources" / f"odd_{number}.yaml").write_text(source)
        (folder / "featuresets" / f"odd_{number}.yaml").write_text(odd)
    names = shown()
    assert names >= ALWAYS
    for number in range(len(TEXTS)):
        assert (f"stream/odd_{number}" in names) != (f"broken/odd_{number}" in names)


def _odd(folder: Path, where: str, text: str, name: str) -> tuple[str, str]:
    """Return a source and a feature set with a text at some place."""
    source = (folder / "featuresets" / "sources" / "posts.yaml").read_text()
    source = source.replace("source: posts", f"source: {name}_posts")
    odd = (folder / "featuresets" / "engagement.yaml").read_text()
    odd = odd.replace("engagement", name).replace("source: posts", f"source: {name}_posts")
    odd = odd.replace("FROM posts", f"FROM {name}_posts")
    literal = text.replace("'", "''").replace("\n", " ")
    if where == "text":
        return source, text
    if where == "source description":
        return f"{source}description: {_quoted(text)}\n", odd
    old, new = {
        "owner": ("owner: ranking & feed", f"owner: {_quoted(text)}"),
        "description": (
            "description: How people react to a post.",
            f"description: {_quoted(text)}",
        ),
        "feature description": ("lifetime: true", f"lifetime: true, description: {_quoted(text)}"),
        "literal": ("COUNT(*) AS", f"COUNT(*) FILTER (WHERE action = '{literal}') AS"),
    }[where]
    assert old in odd
    return source, odd.replace(old, new, 1)


def _quoted(text: str) -> str:
    escaped = "".join(
        each if each.isprintable() and each not in '"\\' else f"\\U{ord(each):08x}" for each in text
    )
    return f'"{escaped}"'


@pytest.mark.parametrize(
    ("owner", "owners"),
    [
        ("j@corp.example", ["j@corp.example"]),
        ("ranking & feed", ["team:ranking_feed"]),
        ("@ranking", []),
        ("ranking@corp", []),
        ("Jane Doe <j@corp.example>", []),
        ("Команда", []),
    ],
)
def test_an_owner_is_shown_as_dagster_takes_it_or_as_text(
    folder: Path, owner: str, owners: list[str]
) -> None:
    """A person or a team; the text itself is among the metadata in any case."""
    file = folder / "featuresets" / "engagement.yaml"
    file.write_text(file.read_text().replace("ranking & feed", _quoted(owner)))
    featureset = load(folder).project.featuresets["engagement"]
    spec = assets.stream_asset(featureset, "here").get_asset_spec()
    assert spec.owners == owners
    assert spec.metadata["owner"] == dg.MetadataValue.text(owner)


@pytest.mark.parametrize(
    "name",
    ["ä.yaml", "ö.yaml", "a b.yaml", "..yaml", "checks.yaml", "a-b.yml", "x" * 200 + ".yaml"],
)
def test_files_of_any_name_are_told_apart(
    folder: Path, shown: Callable[[], set[str]], name: str
) -> None:
    """Each broken one has an asset of its own."""
    for each in (name, "_.yaml", "__.yaml"):
        (folder / "featuresets" / each).write_text("featureset: [")
    names = shown()
    assert names >= ALWAYS
    assert len([each for each in names if each.startswith("broken/")]) == 3


def test_thousands_of_features_load(folder: Path, shown: Callable[[], set[str]]) -> None:
    """As many as a file takes."""
    calls = ", ".join(f"COUNT(*) AS views_{number}" for number in range(1_000))
    asked = "\n".join(f"  views_{number}: {{windows: [30m, 1d]}}" for number in range(1_000))
    file = folder / "featuresets" / "engagement.yaml"
    text = file.read_text().replace("COUNT(*) AS views", calls)
    file.with_name("wide.yaml").write_text(
        text.replace("engagement", "wide").partition("features:")[0] + f"features:\n{asked}\n"
    )
    assert shown() >= {*ALWAYS, "stream/wide"}


@pytest.mark.parametrize(
    "fails", ["stream_asset", "live_asset", "tiles_asset", "featureset_checks"]
)
@pytest.mark.parametrize("error", [ValueError, RecursionError, dg.DagsterInvalidDefinitionError])
def test_what_dagster_refuses_is_a_broken_file(
    folder: Path,
    shown: Callable[[], set[str]],
    monkeypatch: pytest.MonkeyPatch,
    fails: str,
    error: type[Exception],
) -> None:
    """Whatever the reason: the asset says it, and the sensor that restarts jobs is loaded."""
    file = folder / "featuresets" / "engagement.yaml"
    file.with_name("odd.yaml").write_text(file.read_text().replace("engagement", "odd"))
    made = getattr(catalogue, fails)

    def refuse(featureset: FeatureSet, *rest: object) -> object:
        if featureset.name == "odd":
            msg = "no owner"
            raise error(msg)
        return made(featureset, *rest)

    monkeypatch.setattr(catalogue, fails, refuse)
    names = shown()
    assert names >= {*ALWAYS, "broken/odd"}
    assert "stream/odd" not in names
    told = catalogue.show(load(folder)).broken["odd"]
    assert "no owner" in str(told[0])


def test_what_dagster_refuses_only_once_it_looks_is_a_broken_file(
    folder: Path, shown: Callable[[], set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not all is judged when an asset is made."""
    file = folder / "featuresets" / "engagement.yaml"
    file.with_name("odd.yaml").write_text(file.read_text().replace("engagement", "odd"))
    made = assets.live_asset

    def twice(featureset: FeatureSet) -> dg.AssetSpec:
        spec = made(featureset)
        return spec.replace_attributes(key=assets.stream_key("odd")) if _is_odd(spec) else spec

    monkeypatch.setattr(catalogue, "live_asset", twice)
    assert shown() >= {*ALWAYS, "broken/odd"}


def _is_odd(spec: dg.AssetSpec) -> bool:
    return spec.key.path[-1] == "odd"


def test_what_dagster_refuses_only_together_leaves_the_sensors(
    folder: Path, shown: Callable[[], set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file loads alone, and yet they do not together: jobs are started again all the same."""
    file = folder / "featuresets" / "engagement.yaml"
    file.with_name("odd.yaml").write_text(file.read_text().replace("engagement", "odd"))
    made = assets.live_asset

    def same(featureset: FeatureSet) -> dg.AssetSpec:
        return made(featureset).replace_attributes(key=assets.live_key("engagement"))

    checks = featureset_checks
    monkeypatch.setattr(catalogue, "live_asset", same)
    monkeypatch.setattr(
        catalogue, "featureset_checks", lambda each: checks(each) if each.name != "odd" else _none()
    )
    assert "broken/all_definitions" in shown()


def _none() -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=assets.live_key("engagement"), name="another")
    def another() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    return another


def test_settings_with_a_mistake_are_a_broken_file(
    folder: Path, shown: Callable[[], set[str]]
) -> None:
    """The sensors load, and say at each tick what is wrong."""
    (folder / "feature_platform.toml").write_text("[store]\nport = 'x'\n")
    assert shown() == {"broken/feature_platform"}


NOON_MS = 1_790_000_000_000  # 2026-09-21


@pytest.mark.parametrize(
    ("archived", "first"),
    [
        ([], "2026-09-14"),
        (["date=2026-09-19", "date=2026-09-20"], "2026-09-14"),
        (["date=2025-01-31"], "2025-01-31"),
        (["date=1970-01-21", "date=2999-01-01", "date=2026-09-10"], "2026-09-10"),
        (["date=none", "stray"], "2026-09-14"),
    ],
)
def test_days_begin_with_the_first_that_is_archived(
    folder: Path, archived: list[str], first: str
) -> None:
    """A partition for each day since 2024 says of nearly all that they are missing."""
    loaded = load(folder)
    for name in archived:
        (folder / ".fp" / "event_log" / "posts" / "posts" / "data" / name).mkdir(parents=True)
    assert first_day(loaded.settings, loaded.project.sources["posts"], NOON_MS) == first


def test_a_log_in_an_object_store_is_not_asked(folder: Path) -> None:
    """The page loads without any server."""
    settings = load_settings(folder, {"FP_EVENT_LOG__FOLDER": "s3a://features/log"})
    assert first_day(settings, load(folder).project.sources["posts"], NOON_MS) == "2026-09-14"


def test_a_source_that_cannot_be_shown_is_named_where_it_is_used(
    folder: Path, shown: Callable[[], set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its feature sets are no use without it."""

    def refuse(source: object) -> dg.AssetSpec:
        raise ValueError(source)

    monkeypatch.setattr(catalogue, "source_asset", refuse)
    assert shown() == {"broken/sources_posts", "broken/engagement"}
    assert load_project(folder / "featuresets").problems == ()


def test_a_list_is_downstream_of_its_feature_sets(
    folder: Path, shown: Callable[[], set[str]]
) -> None:
    """It is stored by its asset; one that does not load is broken alone."""
    lists = folder / "featuresets" / "lists"
    lists.mkdir()
    text = "list: feed\nversion: 2\nowner: ranking\nfeatures: [engagement.views_30m]\n"
    (lists / "feed.yaml").write_text(text)
    (lists / "odd.yaml").write_text("list: odd\nversion: 1\nfeatures: [engagement.vews_30m]\n")

    names = shown()

    assert names >= {*ALWAYS, "list/feed", "broken/lists_odd"}
    spec = next(
        each
        for each in definitions().resolve_all_asset_specs()
        if each.key == dg.AssetKey(["list", "feed"])
    )
    assert [dep.asset_key for dep in spec.deps] == [dg.AssetKey(["live", "engagement"])]
    assert "event_log/feature_log/feed" in names
    assert (spec.owners, spec.code_version) == (["team:ranking"], "2")
