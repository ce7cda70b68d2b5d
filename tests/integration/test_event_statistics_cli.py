"""`fp statistics` of a feature set: events through Kafka, archived, measured, judged."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from feature_platform.local.ports import with_free_ports
from feature_platform.local.stack import Stack
from feature_platform.settings import Settings, load_settings
from tests.integration.commands import Ran, fp
from tests.settings_file import write_settings

DAYS = ("2026-03-01", "2026-03-08")
DAY_MS = 86_400_000
START_MS = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1000)
SOURCE = """\
source: mail
topic: mail
format: json
event_time: at
columns: {user_id: BIGINT, action: STRING, ms: INT, at: TIMESTAMP}
"""
FEATURES = """\
featureset: mails
description: What people do with mails.
owner: tests
entity: user_id
source: mail
sql: |
  SELECT user_id,
         COUNT(*) FILTER (WHERE action = 'opne') AS opens,
         COUNT(*) FILTER (WHERE action = 'click') AS clicks,
         AVG(ms)                                  AS mean_ms
  FROM mail
  WHERE action <> 'test'
  GROUP BY user_id
features:
  opens:   {windows: [1d]}
  clicks:  {windows: [1d]}
  mean_ms: {windows: [1d]}
statistics:
  rows_min: 50
  limits:
    "*": {psi: <= 0.2}
    mean_ms: {nulls: <= 0.2}
"""
LIST = "list: mails\nversion: 1\nfeatures: [mails.clicks_1d]\n"


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Iterator[Settings]:
    """A project with the feature set, and a broker."""
    folder = tmp_path / "featuresets"
    for inner in ("sources", "lists"):
        (folder / inner).mkdir(parents=True)
    (folder / "sources" / "mail.yaml").write_text(SOURCE)
    (folder / "mails.yaml").write_text(FEATURES)
    settings = with_free_ports(load_settings(tmp_path, {}))
    write_settings(settings)
    with Stack(settings, servers=("kafka",)):
        admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap})
        admin.create_topics([NewTopic("mail", num_partitions=2)])["mail"].result(timeout=30)
        yield settings


def event(number: int, day: int) -> dict[str, Any]:
    """Return an event of a day; clicks and nulls become more."""
    action = "test" if number % 10 == 9 else "click" if number % 10 < 1 + 5 * day else "open"
    ms = None if day and number % 3 == 0 else number
    at = START_MS + 7 * day * DAY_MS + number * 1_000
    return {"user_id": number % 7, "action": action, "ms": ms, "at": at}


def send(project: Settings, numbers: range, day: int) -> None:
    """Send events of a day and some that are none, and archive them."""
    lines = [json.dumps(event(number, day)) for number in numbers]
    lines += [json.dumps({"user_id": None, "at": START_MS + 7 * day * DAY_MS})] * 3
    sent = fp(project.project, "produce", "mail", "--file", "-", given="\n".join(lines))
    assert sent.code == 0, sent.messages
    assert fp(project.project, "archive", "mail").code == 0


def statistics(project: Settings, *arguments: str) -> tuple[Ran, dict[str, dict[str, Any]]]:
    """Run the command; return how it ended, and each line."""
    ran = fp(project.project, "statistics", "mails", "--json", *arguments)
    return ran, {each["name"]: each for each in ran.facts["columns"]}


def test_a_typo_and_a_drift_are_told(project: Settings) -> None:
    """What no event matches is said in words; what has moved is red; a day that grows is measured.

    A list of the same name has to be told apart.
    """
    nothing = fp(project.project, "statistics", "mails")
    assert (nothing.code, "fp archive mail" in nothing.messages) == (1, True)

    send(project, range(100), 0)
    ran, found = statistics(project)
    assert (ran.code, ran.facts["date"], ran.facts["featureset"]) == (0, DAYS[0], "mails")
    assert (found["opens"]["rows"], found["clicks"]["rows"], found["mean_ms"]["rows"]) == (
        0,
        10,
        90,
    )
    assert found["clicks"]["matched"] == 10 / 90
    kept = [number for number in range(100) if number % 10 != 9]
    assert found["mean_ms"]["mean"] == sum(kept) / 90
    assert (found["(events)"]["rows"], found["(dead letters)"]["rows"]) == (90, 3)
    assert ran.facts["unmatched"] == {
        "opens": f"opens: no event of {DAYS[0]} matches FILTER (WHERE action = 'opne'); "
        "action has 'open' 89%, 'click' 11%"
    }

    send(project, range(100, 200), 0)  # the same day grows by another archive
    ran, found = statistics(project, "--day", DAYS[0])
    assert (found["clicks"]["rows"], found["(events)"]["rows"]) == (20, 180)
    assert found["(dead letters)"]["rows"] == 6

    send(project, range(200), 1)
    ran, found = statistics(project)
    assert (ran.code, ran.facts["date"], ran.facts["against"]) == (3, *reversed(DAYS))
    assert {name: found[name]["status"] for name in ("opens", "clicks", "mean_ms")} == {
        "opens": "green",
        "clicks": "red",
        "mean_ms": "red",
    }
    table = fp(project.project, "statistics", "mails")
    assert table.code == 3
    assert "clicks: psi is " in table.out
    assert "opens: no event of 2026-03-08 matches FILTER (WHERE action = 'opne'); " in table.out

    (project.project / "featuresets" / "lists" / "mails.yaml").write_text(LIST)
    both = fp(project.project, "statistics", "mails")
    assert (both.code, "--of featureset" in both.messages) == (1, True)
    assert fp(project.project, "statistics", "mails", "--of", "featureset").code == 3
