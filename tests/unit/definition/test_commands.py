"""`fp validate` and `fp new`, as a feature author meets them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from feature_platform.cli.main import build
from feature_platform.definition.loading import load_project
from feature_platform.definition.schema import schema_text
from feature_platform.errors import CallerError

ROOT = Path(__file__).parents[3]


def _fp(project: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(build(), ["--project", str(project), *words])
    if isinstance(result.exception, CallerError):
        raise result.exception
    return result.exit_code, result.stdout


def test_the_demo_is_valid() -> None:
    """The feature sets of the demo have no mistake and show all kinds of features."""
    code, output = _fp(ROOT, "validate", "--json")

    assert code == 0
    facts = json.loads(output)
    served = {each["name"]: each["served"] for each in facts["featuresets"]}
    assert {"airport_traffic", "carrier_punctuality", "aircraft_usage"} == set(served)
    assert {"departures_30m", "departures_lifetime"} <= set(served["airport_traffic"])
    assert {"airport", "last_airports"} <= set(served["aircraft_usage"])


def test_validate_fails_on_mistakes(tmp_path: Path) -> None:
    """Every problem is in the JSON with its place, and the exit code is 1."""
    (tmp_path / "featuresets").mkdir()
    (tmp_path / "featuresets" / "broken.yaml").write_text("- list\n")

    code, output = _fp(tmp_path, "validate", "--json")

    message = "a definition is a mapping of `key: value` lines, not a list"
    expected = {"file": "featuresets/broken.yaml", "line": 1, "column": 1, "message": message}
    assert (code, [expected]) == (1, json.loads(output)["problems"])
    assert _fp(tmp_path, "validate") == (1, "")


def test_an_empty_project_is_valid(tmp_path: Path) -> None:
    """Nothing to check is no failure."""
    assert _fp(tmp_path, "validate") == (0, "")


def test_new_writes_what_validates(tmp_path: Path) -> None:
    """A scaffold with its source loads without a mistake and serves features."""
    _fp(tmp_path, "new", "user_activity")

    project = load_project(tmp_path / "featuresets")
    assert project.problems == ()
    assert list(project.sources) == ["events"]
    assert "events_30m" in project.featuresets["user_activity"].features[0].served_names


def test_new_names_the_schema_for_editors(tmp_path: Path) -> None:
    """The first line of each file leads to it from there; one that exists is left alone."""
    _fp(tmp_path, "new", "user_activity")

    folder = tmp_path / "featuresets"
    schema = folder / "schema.json"
    assert schema.read_text() == schema_text()
    for path in (folder / "user_activity.yaml", folder / "sources" / "events.yaml"):
        first = path.read_text().splitlines()[0]
        named = first.removeprefix("# yaml-language-server: $schema=")
        assert (path.parent / named).resolve() == schema.resolve(), first

    schema.write_text("{}")
    _fp(tmp_path, "new", "other_activity")
    assert schema.read_text() == "{}"


def test_new_reads_a_source_that_exists(tmp_path: Path) -> None:
    """A scaffold over an existing source uses its columns and leaves its file alone."""
    sources = tmp_path / "featuresets" / "sources"
    sources.mkdir(parents=True)
    text = (ROOT / "featuresets" / "sources" / "flights.yaml").read_text()
    (sources / "flights.yaml").write_text(text)

    _fp(tmp_path, "new", "airports", "--source", "flights")

    project = load_project(tmp_path / "featuresets")
    assert project.problems == ()
    assert project.featuresets["airports"].entity == "origin"
    assert (sources / "flights.yaml").read_text() == text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("taken",), "feature set `taken` already exists in"),
        (("Big",), "feature set `Big` is not a valid name"),
        (("small", "--source", "../x"), "source `../x` is not a valid name"),
        (("small", "--source", "broken"), "`topic` is missing"),
        (("small", "--source", "renamed"), "defines another source"),
        (("small", "--source", "times"), "has no column of type"),
    ],
)
def test_new_refuses(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    """Nothing is overwritten, and nothing is written that could not be used."""
    sources = tmp_path / "featuresets" / "sources"
    sources.mkdir(parents=True)
    (sources / "broken.yaml").write_text("source: broken\n")
    times = "topic: t\nevent_time: ts\ncolumns: {ts: TIMESTAMP}\n"
    (sources / "renamed.yaml").write_text(f"source: clocks\n{times}")
    (sources / "times.yaml").write_text(f"source: times\n{times}")
    (tmp_path / "featuresets" / "taken.yaml").write_text("# mine\n")

    with pytest.raises(CallerError, match=message):
        _fp(tmp_path, "new", *words)

    files = sorted(path.name for path in tmp_path.rglob("*.*"))
    assert files == ["broken.yaml", "renamed.yaml", "taken.yaml", "times.yaml"]


def test_new_asks_which_of_several_sources(tmp_path: Path) -> None:
    """With one source there is no question; with two, none is guessed."""
    sources = tmp_path / "featuresets" / "sources"
    sources.mkdir(parents=True)
    for name in ("clicks", "views"):
        text = f"source: {name}\ntopic: t\nevent_time: ts\ncolumns: {{ts: TIMESTAMP}}\n"
        (sources / f"{name}.yaml").write_text(text)

    with pytest.raises(CallerError, match="has the sources clicks, views: choose --source"):
        _fp(tmp_path, "new", "activity")
