"""Statistics of what was served, sent to Kafka and archived: a planted drift is red by its name."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feature_platform.engines.feature_log import archive_feature_log
from feature_platform.feature_log.log import FeatureLog
from feature_platform.feature_log.read import ServedLog
from feature_platform.feature_log_settings import FeatureLogSettings
from feature_platform.local.ports import with_free_ports
from feature_platform.local.stack import Stack
from feature_platform.serving import FeatureClient
from feature_platform.settings import Settings, load_settings
from feature_platform.testing import Deployed
from tests.integration.commands import Ran, fp
from tests.settings_file import write_settings
from tests.unit.feature_log.test_client_logs import POSTS, SOURCE, make_world

DAY_MS = 86_400_000
DAYS = ("2023-11-14", "2023-11-21")
KEYS = [f"p{number}" for number in range(10)]
LOGGED = FeatureLogSettings(share=1.0, close_ms=90_000)
LIST = """\
list: home
version: 1
features:
  - {name: posts.views_30m, as: views}
  - posts.score_30m
  - {name: posts.action, default: none}
  - posts.watches
statistics:
  rows_min: 200
  limits:
    "*": {psi: <= 0.2, js: <= 0.1}
    posts.score_30m: {nulls: <= 0.5}
"""


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Iterator[Settings]:
    """A project with the list, and a broker."""
    folder = tmp_path / "featuresets"
    for inner in ("sources", "lists"):
        (folder / inner).mkdir(parents=True)
    (folder / "sources" / "events.yaml").write_text(SOURCE)
    (folder / "posts.yaml").write_text(POSTS)
    (folder / "lists" / "home.yaml").write_text(LIST)
    settings = with_free_ports(load_settings(tmp_path, {}))
    write_settings(settings)
    with Stack(settings, servers=("kafka",)):
        yield settings


def serve(world: Deployed, settings: Settings, requests: int) -> list[dict[str, Any]]:
    """Ask for all posts again and again, and archive what was served; return its rows."""
    log = FeatureLog.to_kafka(LOGGED, settings.kafka)
    served: list[dict[str, Any]] = []
    with FeatureClient(world.tiles, world.registry, clock=world.clock, log=log) as client:
        features = client.prepare(list="home")
        for _ in range(requests):
            world.clock.advance(10)
            made = features.get(KEYS)
            columns = [column.to_list() for column in made.columns]
            served += [
                dict(zip(made.names, row, strict=True)) for row in zip(*columns, strict=True)
            ]
    assert log.stats().sent_rows == len(served) == requests * len(KEYS)
    archive_feature_log(settings, "home", lambda _: None)
    return served


def statistics(settings: Settings, *arguments: str) -> tuple[Ran, dict[str, dict[str, Any]]]:
    """Run the command; return how it ended, and each column."""
    ran = fp(settings.project, "statistics", "home", "--json", *arguments)
    return ran, {each["name"]: each for each in ran.facts["columns"]}


def assert_counted(column: dict[str, Any], values: list[Any]) -> None:
    """Check a column of whole numbers against its values."""
    known = [each for each in values if each is not None]
    assert column["rows"] == len(values)
    assert column["nulls"] == (len(values) - len(known)) / len(values)
    assert column["zeros"] == known.count(0) / len(values)
    assert column["distinct"] == len(set(known))
    if known:
        assert column["mean"] == pytest.approx(sum(known) / len(known))
        assert (column["min"], column["max"]) == (min(known), max(known))


def test_a_planted_drift_is_red_and_named(project: Settings, tmp_path: Path) -> None:
    """A job that has counted nothing for a week: its windows are empty, its properties stay."""
    world = make_world(tmp_path / "world")
    first = serve(world, project, 20)
    ran, found = statistics(project, "--day", DAYS[0])
    assert (ran.code, ran.facts["against"]) == (0, None)
    assert_counted(found["views"], [row["views"] for row in first])

    first += serve(world, project, 15)  # the same day grows by another archive
    ran, found = statistics(project, "--day", DAYS[0], "--against", DAYS[0])
    assert (ran.code, ran.facts["status"]) == (0, "green")
    assert_counted(found["views"], [row["views"] for row in first])
    actions = Counter(row["posts.action"] for row in first)
    assert {each["value"]: each["rows"] for each in found["posts.action"]["top"]} == actions
    assert (found["post"]["role"], found["post"]["distinct"]) == ("key", len(KEYS))
    archived = ServedLog.open(project, "home").to_arrow()
    assert found["posts.score_30m"]["nulls"] == archived["posts.score_30m"].null_count / 350

    world.clock.advance(7 * DAY_MS)
    later = serve(world, project, 30)
    ran, found = statistics(project)
    assert (ran.code, ran.facts["date"], ran.facts["against"]) == (3, *DAYS[::-1])
    assert_counted(found["views"], [row["views"] for row in later])
    status = {name: each["status"] for name, each in found.items()}
    assert status["views"] == status["posts.score_30m"] == "red"
    assert status["posts.action"] == status["posts.watches"] == "green"
    assert any(text.startswith("views: psi is ") for text in found["views"]["findings"])
    table = fp(project.project, "statistics", "home")
    assert table.code == 3
    assert "posts.score_30m: nulls is 1, the limit is <= 0.5; of 300 rows" in table.out
