"""One look at everything shows what is known, as far as servers answer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from feature_platform.engines.flink import FlinkRest
from feature_platform.errors import ServerError, StoreUnavailableError
from feature_platform.local.cassandra_roles import generate_passwords
from feature_platform.local.last_done import last_done, record
from feature_platform.local.status import ServerStatus, server_status
from feature_platform.monitor import glance as module
from feature_platform.monitor.glance import Glance, glance, without_itself
from feature_platform.monitor.status import SILENT, statuses
from feature_platform.monitor.verdict import of_event_log
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.report import Report
from feature_platform.settings import Settings, load_settings
from feature_platform.store.driver_errors import translate
from feature_platform.store.service_levels import Isolation
from feature_platform.testing.clock import ManualClock

NOW_MS = 1_000_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project whose servers are all said to be up."""
    settings = load_settings(tmp_path, {})
    generate_passwords(settings)
    return settings


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> MemoryRegistry:
    """What the store holds."""
    made = MemoryRegistry(ManualClock(NOW_MS))

    @contextmanager
    def connect(*_: object) -> Iterator[object]:
        yield object()

    isolation = SimpleNamespace(in_words=lambda _: "kept apart")
    monkeypatch.setattr(module, "connect", connect)
    monkeypatch.setattr(module, "open_registry", lambda *_: made)
    monkeypatch.setattr(Isolation, "of", lambda _: isolation)
    monkeypatch.setattr(FlinkRest, "jobs", lambda _: [])
    return made


def _up(settings: Settings, **problems: str) -> list[ServerStatus]:
    return [
        replace(
            server,
            state="silent" if server.name in problems else "up",
            problem=problems.get(server.name, ""),
        )
        for server in server_status(settings)
    ]


def _words(seen: Glance) -> dict[str, str]:
    return {f"{each.kind} {each.name}": f"{each.level}: {each.words}" for each in seen.verdicts}


def test_a_store_that_does_not_answer_is_not_asked(settings: Settings) -> None:
    """The driver would try for ten seconds; Flink and Kafka alone know no feature set."""
    seen = glance(settings, _up(settings, cassandra="does not respond within 1.5 s"))
    assert seen.level == "down"
    assert seen.found.problem == (
        "cannot list feature sets: the store does not respond within 1.5 s"
    )
    assert _words(seen)["server cassandra"].startswith("down: started at 127.0.0.1:9042, but does")
    assert seen.to_json()["servers"][1]["state"] == "silent"


def test_nothing_started_is_down(settings: Settings) -> None:
    """Not healthy for lack of anything that is ill."""
    seen = glance(settings, server_status(settings))
    assert seen.level == "down"
    assert seen.found.problem == "cannot list feature sets: the store is not started"


def test_deployments_that_are_not_done_are_told(
    settings: Settings, registry: MemoryRegistry
) -> None:
    """A first one has no snapshot; a trial is none."""
    registry.save_progress("broken", "{}")
    registry.save_progress("under_way", "{}")
    registry.take_lease("under_way", "process 7 on a", 1)
    registry.take_lease("begins", "process 8 on a", 1)
    registry.save_progress("other.try", "{}")
    seen = glance(settings, _up(settings), ManualClock(NOW_MS))
    told = {name: words for name, words in _words(seen).items() if name.startswith("feature set")}
    assert told == {
        "feature set begins": "healthy: first deployment, by process 8 on a",
        "feature set broken": (
            "degraded: its first deployment was interrupted; its job may be running in Flink"
        ),
        "feature set under_way": "healthy: first deployment, by process 7 on a",
    }
    assert (seen.level, seen.found.isolation) == ("degraded", "kept apart")


def test_an_error_is_told_once_and_does_not_point_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`fp status` is what prints it."""

    def connect(*_: object) -> object:
        raise StoreUnavailableError(str(translate(OSError("no route"), "connecting")))

    monkeypatch.setattr(module, "connect", connect)
    seen = glance(settings, _up(settings))
    assert seen.level == "degraded"
    assert seen.found.problem == ("cannot list feature sets: connecting failed: OSError: no route")
    error = ServerError("Flink at x does not respond: y; see `fp status`, then `fp up`")
    assert without_itself(str(error)) == "Flink at x does not respond: y"


def test_one_odd_feature_set_hides_no_other(
    settings: Settings, registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named, and so is what cannot be asked of it."""

    def look(_: object, report: Report, silent: Sequence[str], *, detailed: bool) -> list[object]:
        assert detailed
        assert list(silent) == ["kafka"]
        report("odd cannot be observed: KeyError: 'x'; see `fp status`")
        return []

    registry.save_progress("other", "{}")
    monkeypatch.setattr(module, "look", look)
    seen = glance(settings, _up(settings, kafka="does not respond within 1.8 s"))
    assert seen.found.problem == "odd cannot be observed: KeyError: 'x'"
    assert "feature set other" in _words(seen)


def test_what_was_done_last_is_read(settings: Settings) -> None:
    """Of the project's own folder, so that it costs no server."""
    record(settings, "archived", "clicks", {}, ManualClock(NOW_MS - 60_000))
    verdict = of_event_log("clicks", last_done(settings, "archived", "clicks"), NOW_MS)
    assert verdict.words == "archived 1 minute ago"


def test_silent_servers_are_left_out(registry: MemoryRegistry) -> None:
    """They are not asked for a single thing."""
    world = SimpleNamespace(registry=registry, cluster=None, topics=None)
    assert statuses(world, ("flink", "kafka")) == []
    assert SILENT == "SILENT"
