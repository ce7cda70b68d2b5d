"""`fp init` writes a project that is valid as it is, and never writes over anything."""

import json
import re
import runpy
from pathlib import Path

import dagster as dg
import pytest
import yaml
from typer.testing import CliRunner

from feature_platform import __version__
from feature_platform.cli.main import build
from feature_platform.clock import SystemClock
from feature_platform.definition.loading import load_project
from feature_platform.errors import CallerError
from feature_platform.settings import load_settings
from feature_platform.starter.events import COUNT, HOUR_MS, HOURS, example_events
from feature_platform.starter.project import FILES, TEMPLATES

ROOT = Path(__file__).parents[3]
NOW_MS = 1_800_000_000_000


def _fp(*words: str) -> str:
    """Run `fp`, and return its messages."""
    result = CliRunner().invoke(build(), list(words))
    if isinstance(result.exception, CallerError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stderr


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Path:
    _fp("init", str(tmp_path / "my-features"))
    return tmp_path / "my-features"


def test_a_new_project_is_valid(project: Path) -> None:
    """Definitions and settings have no mistake, and every mark of the templates is filled in."""
    found = load_project(project / "featuresets")

    assert (found.problems, list(found.sources), list(found.featuresets)) == (
        (),
        ["post_events"],
        ["post_engagement"],
    )
    assert load_settings(project, {}) == load_settings(project.parent, {}).model_copy(
        update={"project": project}
    )
    texts = [path.read_text() for path in project.rglob("*") if path.is_file()]
    assert not [text for text in texts if re.search("@[A-Z]+@", text)]


def test_every_template_is_written(project: Path) -> None:
    """The project has a file for each template, and the events."""
    written = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()}

    assert written == {*FILES, "events.jsonl", "featuresets/schema.json"}
    assert {path.name for path in TEMPLATES.iterdir()} == set(FILES.values())


def test_the_events_fit_the_source_and_the_present(project: Path) -> None:
    """They have the source's columns, in order of time; the last of them happens now."""
    source = load_project(project / "featuresets").sources["post_events"]
    events = [json.loads(line) for line in (project / "events.jsonl").read_text().splitlines()]
    times = [event["ts"] for event in events]
    now_ms = SystemClock().now_ms()

    assert len(events) == COUNT
    assert {name for event in events for name in event} == dict(source.columns).keys()
    assert times == sorted(times)
    assert now_ms - HOUR_MS < times[-1] <= now_ms
    assert times[-1] - times[0] < HOURS * HOUR_MS


def test_the_same_events_are_drawn_every_time() -> None:
    """Counts can be shown in the documentation: only the times differ."""
    first, second = ([json.loads(e) for e in example_events(at)] for at in (NOW_MS, NOW_MS + 5))

    assert [{**event, "ts": event["ts"] + 5} for event in first] == second


def test_dagster_loads_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`definitions.py` shows its own project, wherever Dagster is started."""
    monkeypatch.delenv("FP_PROJECT", raising=False)

    defs: dg.Definitions = runpy.run_path(str(project / "definitions.py"))["defs"]

    keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert {"stream/post_engagement", "tiles/post_engagement"} <= keys


def test_the_workflow_installs_this_version(project: Path) -> None:
    """Every job installs the version that wrote it, and runs commands that exist."""
    workflow = yaml.safe_load((project / ".github/workflows/features.yaml").read_text())

    steps = [step.get("run") for job in workflow["jobs"].values() for step in job["steps"]]
    install = f"pip install 'feature-platform[cli]=={__version__}'"
    plan = 'fp plan --format markdown >> "$GITHUB_STEP_SUMMARY"'
    expected = [install, "fp validate", "fp test", install, plan]
    assert [step for step in steps if step] == expected


def test_the_readme_shows_the_same_feature_set(project: Path) -> None:
    """The first definition that a person reads is the one that `fp init` writes."""
    shown = (ROOT / "README.md").read_text().split("```yaml\n", 1)[1].split("```", 1)[0]
    written = yaml.safe_load((project / "featuresets" / "post_engagement.yaml").read_text())

    left_out = {"settings", "tests"}
    assert yaml.safe_load(shown) == {key: written[key] for key in written if key not in left_out}


def test_new_reads_the_projects_source(project: Path) -> None:
    """A further feature set starts from the source that is there."""
    _fp("--project", str(project), "new", "post_reach")

    found = load_project(project / "featuresets")
    assert (found.problems, found.featuresets["post_reach"].source.name) == ((), "post_events")


def test_an_empty_folder_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`fp init .` writes into the folder where it is called."""
    monkeypatch.chdir(tmp_path)

    assert _fp("init", ".").endswith("next: fp up && fp apply\n")
    assert (tmp_path / "definitions.py").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("full", r"full is not empty, it has notes.txt: fp init overwrites nothing. Name a new"),
        ("full/notes.txt", "notes.txt is a file; name another folder"),
        ("a:b", "its path has ':'; name another folder"),
    ],
)
def test_nothing_is_overwritten(tmp_path: Path, name: str, message: str) -> None:
    """A folder that cannot be used is refused before anything is written."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")

    with pytest.raises(CallerError, match=message):
        _fp("init", str(tmp_path / name))

    assert [path.name for path in tmp_path.rglob("*")] == ["full", "notes.txt"]
