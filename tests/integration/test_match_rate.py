"""What is served while events flow and a job is killed is what the events say was known then."""

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice

import pytest

from feature_platform.broker.sender import ensure_topic
from feature_platform.clock import SystemClock
from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.deploy.recover import ensure_running
from feature_platform.engines.job_spec import JobSpec
from feature_platform.engines.ports import Submitter
from feature_platform.feature_log.log import FeatureLog
from feature_platform.feature_log_settings import FeatureLogSettings
from feature_platform.match.bounds import CLOCKS_MS
from feature_platform.match.report import MatchReport
from feature_platform.match.run import MatchRequest, match
from feature_platform.serving import CacheSettings, FeatureClient
from feature_platform.settings import password
from feature_platform.testing import RawEvent
from feature_platform.testing.submitter import EditedSubmitter
from tests.integration.case import Case, MakeProject, drawn_name, files_of, open_case
from tests.integration.commands import fp
from tests.integration.judge import load, produce
from tests.integration.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.long]

VALUES_MIN = 100_000
USERS = [str(number) for number in range(1_000, 1_120)]
SERVED = (
    "events_30m",
    "events_2h",
    "events_lifetime",
    "watch_ms_2h",
    "watch_ms_lifetime",
    "recent",
)
EDITED = ("COUNT(*)              AS events", "COUNT(*) FILTER (WHERE action <> 'view') AS events")
"""What a job counts after somebody has edited its query: not what the registry says."""
TOUCHED = ("events_30m", "events_2h", "events_lifetime")
BEFORE_S, AFTER_S = 14.0, 14.0
PLANTED_S = 12.0


@dataclass(kw_only=True)
class Flow:
    """Sends events and asks for features, each in a thread (mutable)."""

    case: Case
    listed: str
    stopped: threading.Event = field(default_factory=threading.Event)
    failed: list[BaseException] = field(default_factory=list)
    sent: int = 0

    def send(self) -> None:
        """Send events, a fifth of them late, all partitions alike."""
        draw = random.Random(5)  # noqa: S311
        while not self.stopped.wait(0.05):
            now_ms = SystemClock().now_ms()
            late_ms = draw.choice((0, 0, 0, 0, draw.randrange(7_000_000)))
            events = [
                RawEvent(
                    value=json.dumps(
                        {
                            "user_id": int(draw.choice(USERS)),
                            "action": draw.choice(("view", "click")),
                            "watch_ms": draw.randrange(1_000),
                            "at": now_ms - late_ms - draw.randrange(500),
                        }
                    ).encode(),
                    timestamp_ms=now_ms,
                    partition=draw.randrange(4),
                    offset=0,
                )
                for _ in range(draw.randrange(12))
            ]
            produce(self.case.settings, self.case.name, events)
            self.sent += len(events)

    def ask(self, seed: int, cache: CacheSettings | None) -> None:
        """Ask for all users at random instants."""
        settings, draw = self.case.settings, random.Random(seed)  # noqa: S311
        log = FeatureLog.to_kafka(FeatureLogSettings(share=1.0), settings.kafka)
        with FeatureClient.connect(
            list(settings.store.contact_points),
            user="fp_service",
            password=password(settings, "service"),
            keyspace=settings.store.keyspace,
            cache=cache,
            deadline_ms=3_000,
            log=log,
        ) as client:
            features = client.prepare(list=self.listed)
            while not self.stopped.wait(draw.random() * 0.4):
                features.get(USERS)

    def run(self, what: str, *arguments: object) -> None:
        """Do one of the above; the test sees what fails."""
        try:
            getattr(self, what)(*arguments)
        except BaseException as error:
            self.failed.append(error)
            raise


@pytest.fixture(name="case")
def _case(project: MakeProject, submitter: Submitter) -> Iterator[Case]:
    name = drawn_name("matched")
    settings = project(files_of(name))
    ensure_topic(settings.kafka, name)  # stamped by the broker's clock
    with open_case(settings, submitter, name) as made:
        yield made


@contextmanager
def flowing(case: Case, listed: str) -> Iterator[None]:
    """Let events flow and rankers ask, one of them with a cache."""
    made = Flow(case=case, listed=listed)
    cached = CacheSettings(bytes_max=1 << 24, max_staleness_ms=2_000)
    threads = [
        threading.Thread(target=made.run, args=arguments)
        for arguments in (("send",), ("ask", 1, None), ("ask", 2, cached))
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        made.stopped.set()
        for thread in threads:
            thread.join(60)
    assert made.failed == []


def settle(case: Case, listed: str) -> None:
    """Archive what was served, and its events, when cuts say what each answer rests on.

    An answer's rows may hold what is flushed for the checkpoint after the one under way: that is
    the second cut from then on.
    """
    served_ms = SystemClock().now_ms() + CLOCKS_MS
    case.wait()

    def later_cuts() -> bool:
        cuts = islice(case.world.registry.cuts(case.name, 1), 2)
        return [cut.recorded_ms > served_ms for cut in cuts] == [True, True]

    until(later_cuts, "two cuts after the last answer")
    for what in (case.name, f"feature_log/{listed}"):
        assert fp(case.settings.project, "archive", what).code == 0


def counts(found: MatchReport) -> Counter[str]:
    """Return how many values have which verdict."""
    return sum((Counter(rate.verdicts) for rate in found.rates.values()), Counter())


def test_every_served_value_is_equal_or_explained(case: Case) -> None:
    """Late events, a killed job, a cache; then a definition that is not what the job counts."""
    listed = f"list_{case.name}"
    case.world.registry.save_list(
        FeatureList(
            name=listed,
            version=1,
            features=tuple(ListedFeature(name=f"{case.name}.{each}") for each in SERVED),
        )
    )
    with flowing(case, listed):  # and the job is killed
        time.sleep(BEFORE_S)
        case.cancel()
        time.sleep(2)
        assert ensure_running(case.world, case.name)
        time.sleep(AFTER_S)
    settle(case, listed)

    found = match(case.world, listed, MatchRequest(rows_max=60_000))

    seen = counts(found)
    print(found.result.summary, *found.explained[:6], *found.result.findings[:6], sep="\n")  # noqa: T201
    assert found.result.status == "green", found.result.findings
    assert seen["different"] == seen["undecided"] == 0
    assert sum(seen.values()) >= VALUES_MIN, found.left_out
    assert seen["equal"] > sum(seen.values()) / 2
    assert seen["stale"] + seen["late"] + seen["replay"] > 0
    assert all("events: " in text and not text.endswith("events: ") for text in found.explained)
    _planted(case, listed)


def _planted(case: Case, listed: str) -> None:
    """Let the job count something else than the registry says: the check is red, and says where."""
    case.define(EDITED)
    edited = load(case.settings).featuresets[case.name]
    snapshot = case.world.registry.snapshot(case.name)
    assert snapshot is not None
    assert edited.flink_sql != snapshot.job.sql

    def otherwise(spec: JobSpec) -> JobSpec:
        print_of = edited.sql_fingerprint  # else it would meet the state of the query before
        return replace(spec, job=replace(spec.job, sql=edited.flink_sql, sql_fingerprint=print_of))

    case.cancel()
    skewed = replace(case.world, submitter=EditedSubmitter(case.world.submitter, otherwise))
    assert ensure_running(skewed, case.name)
    with flowing(case, listed):
        time.sleep(PLANTED_S)
    settle(case, listed)

    ran = fp(case.settings.project, "check", "--match", listed, "--json")

    (facts,) = ran.facts
    print(facts["summary"], *facts["findings"][:6], sep="\n")  # noqa: T201
    assert ran.code == 3
    assert facts["status"] == "red"
    different = {each: facts["rates"][f"{case.name}.{each}"].get("different", 0) for each in SERVED}
    assert {each for each, count in different.items() if count} == set(TOUCHED), different
    assert different["events_lifetime"] > 200
    findings = facts["findings"]
    assert all(text.startswith(f"{case.name}.events_") for text in findings), findings
    users = {text.split(" of '")[1].split("'")[0] for text in findings}
    assert users <= set(USERS)
    for text in findings:
        assert re.search(r"tile of \d{4}-|lifetime", text), text
        assert re.search(rf"events?: {case.name}/\d: \d", text), text
        assert "stored" in text, text
        assert "recomputed" in text, text
