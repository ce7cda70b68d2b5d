"""Dagster on real servers: it deploys, revives dead jobs, and shows a broken file as an error."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from feature_platform.broker.sender import EventSender
from feature_platform.checks.result import CHECKS
from feature_platform.clock import SystemClock
from feature_platform.deploy.wait import wait
from feature_platform.engines.flink import FlinkRest
from feature_platform.engines.world import open_world
from feature_platform.local.ports import with_free_ports
from feature_platform.local.stack import Stack
from feature_platform.orchestration.late_metadata import LATE_EVENTS
from feature_platform.orchestration.statistics import STATISTICS
from feature_platform.orchestration.usage_metadata import USAGE
from feature_platform.paths import DEFINITIONS
from feature_platform.plan.snapshot import Snapshot
from feature_platform.pushes.push_record import read_record
from feature_platform.serving.opened import open_client
from feature_platform.settings import GitSettings, Settings
from feature_platform.store.base import HEAD_LEVEL, RowWrite
from tests.integration.page import Page
from tests.integration.waiting import PATIENCE_S, until
from tests.settings_file import write_settings

NAME = f"clicks_{uuid4().hex[:6]}"
SOURCE = f"""
source: {NAME}
topic: {NAME}
format: json
event_time: at
columns: {{page: STRING, at: TIMESTAMP}}
"""
FEATURE_SET = f"""
featureset: {NAME}
description: How often a page is seen.
owner: tests
entity: page
source: {NAME}
sql: |
  SELECT page, COUNT(*) AS views FROM {NAME} GROUP BY page
features:
  views: {{windows: [30m], lifetime: true}}
settings: {{checkpoint_interval: 5s}}
"""
CHANGED = FEATURE_SET.replace("AS views", "AS views, LAST_VALUE(page) AS last").replace(
    "features:", "features:\n  last: latest"
)
REBUILT = FEATURE_SET.replace("COUNT(*)", "COUNT(page)").replace(
    "checkpoint_interval", "on_change: rebuild, checkpoint_interval"
)
BROKEN = FEATURE_SET.replace(NAME, "broken_one").replace("COUNT(*)", "MEDIAN(page)")
LIMITS = """
statistics: {{rows_min: 1, limits: {{views: {{rows: ">= {least}"}}}}}}
"""
EVENTS, PAGES = 30, 5
DAY_MS = 86_400_000
STATUS = "sh -c 'echo $FP_STATE $FP_COMMIT >> statuses'"

GIT = shutil.which("git") or "git"
AUTHOR = ("-c", "user.name=t", "-c", "user.email=t@example.org")


@pytest.fixture
def page(project: Callable[[dict[str, str]], Settings]) -> Iterator[Page]:
    """A project with one feature set, and a Dagster of its own on the shared servers."""
    files = {f"featuresets/sources/{NAME}.yaml": SOURCE, f"featuresets/{NAME}.yaml": FEATURE_SET}
    shared = project(files)
    _give_own_dagster_home(shared.data)
    settings = shared.model_copy(
        update={
            "dagster": with_free_ports(shared).dagster.model_copy(update={"schedules": False}),
            "git": GitSettings(repository="definitions.git", status_command=STATUS),
        }
    )
    write_settings(settings)
    _git(settings.project, "init", "--quiet", "--bare", "definitions.git")
    with Stack(settings, servers=("dagster",)):
        yield Page(settings=settings)


def _give_own_dagster_home(data: Path) -> None:
    """Link what the servers need, not the whole folder: another Dagster may run in that."""
    shared = data.resolve()
    data.unlink()
    data.mkdir()
    for entry in shared.iterdir():
        if entry.name not in ("dagster", "run", "lock", "logs"):
            (data / entry.name).symlink_to(entry)


def _deployed(settings: Settings) -> Snapshot | None:
    with open_world(settings) as world:
        return world.registry.snapshot(NAME)


def test_the_life_of_a_feature_set_on_the_page(page: Page) -> None:
    """Materialised, it runs; killed, it comes back; a broken file beside it changes nothing.

    One test, because a Dagster of its own takes half a minute to start.
    """
    # 1. The button deploys; the run ends, the job goes on, and the page shows what was done.
    _deploy_by_button(page)
    # 2. The sensor observes it.
    seen = until(lambda: page.entries("assetObservations", "live", NAME), "an observation")
    assert (seen["attempt"]["intValue"], seen["dead_letters"]["intValue"]) == (1, 0)
    # 3. A changed definition, materialised from the command line without the web server's help:
    #    Dagster knows of it all the same.
    (page.settings.featuresets / f"{NAME}.yaml").write_text(CHANGED)
    _materialise_by_command(page.settings)
    until(lambda: _shows_job(page), "the deployment to be recorded")
    second = _deployed(page.settings)
    assert second is not None
    assert (second.state, "last" in second.job.sql) == ("running", True)
    # 4. Somebody breaks its file, and then cancels the job: the sensor starts it again as it was
    #    deployed, as a new attempt.
    file = page.settings.featuresets / f"{NAME}.yaml"
    file.write_text(CHANGED.replace("COUNT(*)", "MEDIAN(page)"))
    page.reload()
    assert f"stream/{NAME}" not in page.assets()
    flink = FlinkRest(page.settings.flink.rest_url)
    flink.cancel(second.job_id)
    third = until(lambda: _other_job(page.settings, second.job_id), "another job")
    job = flink.job(third)
    assert job is not None
    assert job.lives
    file.write_text(CHANGED)
    # 5. A broken file is an error of its own, the rest stays.
    _write_odd_files(page)
    page.reload()
    told = page.assets()
    assert {f"stream/{NAME}", "stream/odd_one"} <= told.keys()
    assert "featuresets/broken_one.yaml:" in told["broken/broken_one"]


@pytest.mark.long
def test_events_are_archived_checked_and_repaired_on_the_page(page: Page) -> None:
    """What Spark does is started from Dagster, and what is pushed is deployed."""
    (page.settings.featuresets / f"{NAME}.yaml").write_text(CHANGED)
    _deploy_by_button(page)
    _write_odd_files(page)
    page.reload()
    # 1. Events are archived, compared as a whole, and the tiles of two days once more.
    _archive_and_check(page)
    # 2. What features take of the events of a day is judged by the limits of the YAML.
    _judge_statistics(page)
    _show_reports(page)
    # 3. Pushes deploy.
    _deploy_by_push(page)
    # 4. Rows that differ are corrected, if that is asked for.
    _repair_a_row(page)


def _write_odd_files(page: Page) -> None:
    """Lay a broken definition beside the right one, and one whose owner is odd."""
    (page.settings.featuresets / "broken_one.yaml").write_text(BROKEN)
    odd = FEATURE_SET.replace(NAME, "odd_one", 1).replace("owner: tests", 'owner: "@tests"')
    (page.settings.featuresets / "odd_one.yaml").write_text(odd)


def _deploy_by_button(page: Page) -> None:
    """Materialise the stream; Spark's checks are no part of that run."""
    assert page.materialise("stream", NAME) == "SUCCESS"
    first = _deployed(page.settings)
    assert first is not None
    shown = page.entries("assetMaterializations", "stream", NAME)
    assert f"{NAME}: new feature set" in shown["plan"]["mdStr"]
    assert shown["job"]["url"].endswith(f"/#/job/running/{first.job_id}/overview")
    assert shown["attempt"]["intValue"] == 1
    assert page.check_status("parity", "live", NAME) == ""
    assert len(page.partitions("tiles", NAME)) < 10


def _archive_and_check(page: Page) -> None:
    """Materialise the event log, run every check, recompute a range of days."""
    now_ms = SystemClock().now_ms()
    lines = [b'{"page": "p%d", "at": %d}' % (number % PAGES, now_ms) for number in range(EVENTS)]
    with EventSender(page.settings.kafka, NAME) as sender:
        for line in lines:
            sender.send(line)
    with open_world(page.settings) as world:
        wait(world, NAME)
    assert page.materialise("event_log", NAME) == "SUCCESS"
    shown = page.entries("assetMaterializations", "event_log", NAME)
    assert shown["added"]["intValue"] == EVENTS
    assert page.run_checks(NAME) == dict.fromkeys(CHECKS, "SUCCEEDED")
    assert page.materialise("tiles", NAME, tags=_two_days()) == "SUCCESS"
    assert page.entries("assetMaterializations", "tiles", NAME)["wrong_entities"]["intValue"] == 0


def _judge_statistics(page: Page) -> None:
    """The newest day that is over is within its limits, until there is one that it passes."""
    yesterday_ms = SystemClock().now_ms() - DAY_MS
    with EventSender(page.settings.kafka, NAME) as sender:
        for number in range(EVENTS):
            sender.send(b'{"page": "old", "at": %d}' % (yesterday_ms + number))
    assert page.materialise("event_log", NAME) == "SUCCESS"
    file = page.settings.featuresets / f"{NAME}.yaml"
    for least, ended in ((EVENTS, ("SUCCESS", "SUCCEEDED")), (EVENTS + 1, ("FAILURE", "FAILED"))):
        file.write_text(CHANGED + LIMITS.format(least=least))
        page.reload()
        assert page.run_check(STATISTICS, "live", NAME) == ended
    file.write_text(CHANGED)
    page.reload()


def _show_reports(page: Page) -> None:
    """How late events came, and what features cost: of what the runs before have archived."""
    assert page.run_check(LATE_EVENTS, "event_log", NAME) == ("SUCCESS", "SUCCEEDED")
    shown = page.entries("assetObservations", "event_log", NAME)
    assert {"date", "events", "p99 s", f"{NAME} 1m had ended"} <= shown.keys()
    assert page.run_check(USAGE, "live", NAME) == ("SUCCESS", "SUCCEEDED")


def _repair_a_row(page: Page) -> None:
    """A row is lost: the day is red, and the row written again if that is asked for."""
    _lose_a_row(page.settings, "p0")
    assert page.materialise("tiles", NAME, tags=_two_days()) == "FAILURE"
    config = {"ops": {f"tiles__{NAME}": {"config": {"repair": True}}}}
    assert page.materialise("tiles", NAME, tags=_two_days(), config=config) == "SUCCESS"
    assert page.entries("assetMaterializations", "tiles", NAME)["wrong_entities"]["intValue"] == 0
    assert _views(page.settings, "p0") == EVENTS // PAGES
    with open_world(page.settings) as world:
        kinds = [attempt.kind for attempt in world.registry.attempts(NAME, 2)]
    assert kinds[-2:] == ["repair", "stream"]


def _two_days() -> dict[str, str]:
    """Return the tags of a run for yesterday and today."""
    today = datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC).date()
    days = {"start": today - timedelta(days=1), "end": today}
    return {f"dagster/asset_partition_range_{end}": day.isoformat() for end, day in days.items()}


def _job_id(settings: Settings) -> str:
    snapshot = _deployed(settings)
    assert snapshot is not None
    return snapshot.job_id


def _lose_a_row(settings: Settings, entity: str) -> None:
    with open_world(settings) as world:
        snapshot = world.registry.snapshot(NAME)
        assert snapshot is not None
        rows = world.tiles.read_entity(snapshot.table, entity)
        (head,) = [row for row in rows if row.level == HEAD_LEVEL]
        lost = RowWrite(level=HEAD_LEVEL, start_ms=0, payload=None)
        world.tiles.write(snapshot.table, entity, [lost], written=head.written + 1)


def _views(settings: Settings, page: str) -> int:
    """Return how often a page was seen, as a ranker is told."""
    with open_client(settings) as client:
        (answer,) = client.prepare(["views_lifetime"], featureset=NAME).get([page]).to_dicts()
    return int(answer["values"]["views_lifetime"])


def _deploy_by_push(page: Page) -> None:
    """Push what only looks different, which launches nothing, beside a mistake, which is told.

    Then the definition of the beginning comes back, and a changed one with its history counted
    anew; all by the objects of a bare repository.
    """
    job_id, work = _job_id(page.settings), page.settings.project / "work"
    _git(page.settings.project, "clone", "--quiet", "definitions.git", str(work))
    _push(work, {NAME: CHANGED.replace("SELECT page", "SELECT  page"), "broken_one": BROKEN})
    words = until(
        lambda: _with_text(page.push_words(), "everything else is up to date"),
        "the push to be judged",
    )
    assert "featuresets/broken_one.yaml:" in words
    assert _job_id(page.settings) == job_id
    until(lambda: page.runs("judge_commit") == ["FAILURE"], "the push to be red")
    assert page.check_status("loads", "broken", "broken_one") == "FAILED"
    record = read_record(page.settings.data)
    assert record is not None
    assert (record.state, record.text.count("broken_one.yaml")) == ("failure", 1)
    until(  # what lies in the folder alone is not shown any more
        lambda: "stream/odd_one" not in page.assets(), "the page to show what was pushed"
    )
    assert "broken/broken_one" in page.assets()
    _push(work, {NAME: FEATURE_SET})
    until(lambda: _without_last(page.settings), "the feature to go")
    until(
        lambda: _with_text(page.push_words(), "no new push since"),
        "the push to be done",
    )
    until(lambda: page.runs("judge_commit") == ["SUCCESS", "SUCCESS", "FAILURE"], "a green run")
    statuses = (page.settings.project / "statuses").read_text().split()[::2]
    assert statuses == ["failure", "pending", "success"]
    _push(work, {NAME: REBUILT})
    until(lambda: _generation(page.settings) == 2, "the rebuild")
    assert _views(page.settings, "p0") == EVENTS // PAGES


def _push(work: Path, featuresets: Mapping[str, str]) -> None:
    """Commit these feature sets beside the source, and push."""
    folder = work / "featuresets" / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.yaml").write_text(SOURCE)
    for path in folder.parent.glob("*.yaml"):
        path.unlink()
    for name, text in featuresets.items():
        (folder.parent / f"{name}.yaml").write_text(text)
    _git(work, "add", "--all")
    _git(work, "commit", "--quiet", "--message", f"{len(featuresets)} feature sets")
    _git(work, "push", "--quiet", "origin", "HEAD:main")


def _git(where: Path, *arguments: str) -> None:
    subprocess.run([GIT, *AUTHOR, *arguments], cwd=where, check=True, capture_output=True)


def _shows_job(page: Page) -> bool:
    """Tell whether `stream/<fs>` shows the job that runs."""
    shown = page.entries("assetMaterializations", "stream", NAME)
    return bool(shown) and _job_id(page.settings) in shown["job"]["url"]


def _with_text(words: str, text: str) -> str:
    return words if text in words else ""


def _without_last(settings: Settings) -> bool:
    """Tell whether the first definition is deployed again."""
    snapshot = _deployed(settings)
    return bool(snapshot and snapshot.state == "running" and "last" not in snapshot.job.sql)


def _generation(settings: Settings) -> int:
    """Return which generation runs; 0 if none does at the moment."""
    snapshot = _deployed(settings)
    return snapshot.generation if snapshot and snapshot.state == "running" else 0


def _materialise_by_command(settings: Settings) -> None:
    command = ("dagster", "asset", "materialize", "-f", str(DEFINITIONS))
    run = subprocess.run(
        [Path(sys.executable).with_name(command[0]), *command[1:], "--select", f"stream/{NAME}"],
        env={**os.environ, "FP_PROJECT": str(settings.project), "DAGSTER_HOME": ""},
        cwd=settings.project,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]


def _other_job(settings: Settings, before: str) -> str:
    """Return the id of the job that runs instead; empty while there is none."""
    snapshot = _deployed(settings)
    is_new = snapshot is not None and snapshot.job_id != before and snapshot.state == "running"
    return snapshot.job_id if snapshot and is_new else ""
