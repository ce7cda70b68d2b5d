"""The command line on real servers, from events to numbers."""

import json
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from feature_platform.clock import SystemClock, to_iso
from feature_platform.engines.world import open_world
from feature_platform.settings import Settings, load_settings
from tests.integration.commands import FP, TIMEOUT_S, fp

MakeProject = Callable[[Mapping[str, str]], Settings]

NAME = f"shop_{uuid4().hex[:6]}"
SOURCE = f"""
source: {NAME}
topic: {NAME}
format: json
event_time: at
columns: {{item: STRING, price: "DECIMAL(10,2)", buyer: BIGINT, at: TIMESTAMP}}
"""
FEATURE_SET = f"""
featureset: {NAME}
description: What is bought.
owner: tests
entity: item
source: {NAME}
sql: |
  SELECT item,
         COUNT(*)           AS sold,
         AVG(price)         AS price,
         MAX(price)         AS dearest,
         LAST_N(buyer, 2)   AS buyers
  FROM {NAME}
  GROUP BY item
features:
  sold:    {{windows: [30m], lifetime: true}}
  price:   {{windows: [30m], scale: 2}}
  dearest: {{windows: [1d]}}
  buyers:  latest
"""
MINUTE_MS = 60_000
SERVED = [
    {
        "entity": "pen",
        "status": "ok",
        "values": {
            "sold_30m": 3,
            "sold_lifetime": 3,
            "price_30m": 2.0,
            "dearest_1d": 2.5,
            "buyers": [9, 8],
        },
    },
    {
        "entity": "cap",
        "status": "no_data",
        "values": {
            "sold_30m": 0,
            "sold_lifetime": 0,
            "price_30m": None,
            "dearest_1d": None,
            "buyers": None,
        },
    },
]


@pytest.fixture
def shop(project: MakeProject) -> Path:
    """A project with one feature set, and events in a file."""
    files = {f"featuresets/sources/{NAME}.yaml": SOURCE, f"featuresets/{NAME}.yaml": FEATURE_SET}
    folder = project(files).project
    bought = [("pen", 1.5, 7), ("pen", 2.5, 8), ("ink", 9.99, 7), ("pen", 2.0, 9)]
    lines = [
        json.dumps({"item": item, "price": price, "buyer": buyer, "at": number * MINUTE_MS})
        for number, (item, price, buyer) in enumerate(bought)
    ]
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n\n")
    return folder


def check_the_catalogue(shop: Path) -> None:
    """What is deployed is listed, and shown as it is deployed."""
    (listed,) = fp(shop, "list", "--json").facts
    assert (listed["state"], listed["changed"], listed["served"]) == ("running", False, 5)
    shown = fp(shop, "show", NAME, "--json").facts
    assert (shown["shown"], len(shown["deployed"]["job_id"])) == ("deployed", 32)


def test_from_events_to_numbers(shop: Path) -> None:
    """Plan, apply, produce, wait, get, rows, status, stop, apply again, delete: in that order."""
    # 1. A plan changes nothing; without an answer, nothing is applied.
    (planned,) = fp(shop, "plan", "--json").facts
    assert (planned["featureset"], planned["change"]) == (NAME, "new")
    assert fp(shop, "apply").code == 2
    assert fp(shop, "plan", "--json").facts == [planned]
    # 2. Applied, it runs, and there is nothing left to do.
    (applied,) = fp(shop, "apply", NAME, "--yes", "--json").facts
    assert (applied["state"], applied["error"]) == ("running", None)
    assert fp(shop, "plan", "--json").facts[0]["change"] == "none"
    # 3. Events are sent as they are, moved to now; what has no time is refused, bad lines are not.
    events = str(shop / "events.jsonl")
    sent = fp(shop, "produce", NAME, "--file", events, "--shift-to-now", "--json")
    assert (sent.code, sent.facts["sent"], sent.facts["refused"]) == (0, 4, 0)
    sent = fp(shop, "produce", NAME, "--file", "-", "--json", given="no json\n")
    assert (sent.code, sent.facts["sent"]) == (0, 1)
    # 4. Everything sent is counted and written.
    waited = fp(shop, "wait", NAME, "--json")
    assert (waited.code, sum(waited.facts["positions"].values())) == (0, 5)
    asked = fp(shop, "get", NAME, "--entity", "pen", "--entity", "cap", "--json")
    assert asked.facts == SERVED
    check_the_catalogue(shop)
    # 5. The rows behind them: three minutes in the head, and lifetime.
    tiles = fp(shop, "rows", NAME, "--entity", "pen", "--json").facts
    minutes = [tile["values"]["sold"] for tile in tiles if tile["level"] == "1m"]
    (lifetime,) = [tile for tile in tiles if tile["level"] == "lifetime"]
    assert (minutes, lifetime["values"]["buyers"]) == ([1, 1, 1], [9, 8])
    # 6. The status knows the job, and the line that was no JSON.
    status = fp(shop, "status", "--json").facts
    (healthy,) = status["featuresets"]
    assert (healthy["state"], healthy["lag"], healthy["dead_letter_reasons"]) == (
        "running",
        0,
        {"not_json": 1},
    )
    # 7. Stopped, it answers on; started again, it goes on counting.
    assert fp(shop, "stop", NAME, "--json").facts["state"] == "stopped"
    assert fp(shop, "apply", NAME, "--yes", "--json").facts[0]["change"] == "start"
    assert fp(shop, "produce", NAME, "--file", events, "--shift-to-now").code == 0
    (waited,) = fp(shop, "wait", "--json").facts
    assert sum(waited["positions"].values()) == 9
    only = fp(shop, "get", NAME, "pen", "--features", "sold_lifetime", "--json").facts
    assert only[0]["values"] == {"sold_lifetime": 6}
    # 8. A past instant: nothing was sold an hour before.
    before = to_iso(SystemClock().now_ms() - 60 * MINUTE_MS)
    past = fp(shop, "get", NAME, "pen", "--features", "sold_30m", "--at", before, "--json")
    assert past.facts[0]["values"] == {"sold_30m": 0}
    # 9. Deleted, it is unknown.
    assert fp(shop, "delete", NAME).code == 2
    assert fp(shop, "delete", NAME, "--yes").code == 0
    gone = fp(shop, "get", NAME, "--entity", "pen")
    assert (gone.code, "is not deployed" in gone.messages) == (1, True)


def test_an_interrupted_apply_says_what_runs_and_the_next_one_finishes_it(shop: Path) -> None:
    """Ctrl-C while the new job is waited for: the job runs, and is adopted."""
    process = subprocess.Popen(
        [FP, "--project", shop, "apply", NAME, "--yes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert any(f"{NAME}: wait for the first checkpoint" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, "Traceback" in messages) == (130, False)
    assert f"interrupted: {NAME} was interrupted: at the stage `wait for the first" in messages
    assert "the new job is running in Flink but is not recorded as deployed yet" in messages
    assert messages.endswith(f"to finish: fp apply {NAME}\n")
    assert [item["state"] for item in fp(shop, "list", "--json").facts] == ["deploying"]
    (applied,) = fp(shop, "apply", NAME, "--yes", "--json").facts
    assert (applied["state"], applied["error"]) == ("running", None)
    with open_world(load_settings(shop)) as world:
        mine = [job for job in world.cluster.jobs() if job.name.startswith(NAME) and job.lives]
    assert [job.id for job in mine] == [applied["job_id"]]


def test_a_broken_file_does_not_stop_the_others(shop: Path) -> None:
    """Its mistake is told with its place, the others are planned, and the exit code is 1."""
    broken = FEATURE_SET.replace(f"featureset: {NAME}", "featureset: other").replace(
        "COUNT(*) ", "MEDIAN(price)"
    )
    (shop / "featuresets" / "other.yaml").write_text(broken)
    planned = fp(shop, "plan", "--json")
    assert (planned.code, [plan["featureset"] for plan in planned.facts]) == (1, [NAME])
    assert "featuresets/other.yaml:" in planned.messages


def test_what_is_not_there_is_named_with_what_is_near(shop: Path) -> None:
    """A misspelt source, feature set or feature is wrong use, with a hint."""
    misspelt = NAME.replace("shop", "shoop")
    produced = fp(shop, "produce", misspelt, "--file", "-")
    assert (produced.code, "did you mean" in produced.messages) == (2, True)
    assert fp(shop, "plan").code == 0
    asked = fp(shop, "get", misspelt, "--entity", "pen")
    assert (asked.code, "not deployed" in asked.messages) == (1, True)
