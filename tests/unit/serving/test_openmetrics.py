"""What a client counts of its requests, as Prometheus reads it."""

import os

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from feature_platform.errors import CallerError
from feature_platform.serving import FeatureClient
from feature_platform.serving.meters import BOUNDS_S, LISTS_MAX, OTHER, Meters, Watch
from feature_platform.serving.openmetrics import CACHE_COUNTERS, ReaderCollector
from feature_platform.testing import Deployed
from feature_platform.testing.neighbours import DownReader, WatchedReader
from tests.unit.serving.cached import ROOM

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(client: FeatureClient) -> Samples:
    """Read a client's metrics, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(client.metrics())  # type: ignore[no-untyped-call]
        for sample in family.samples
    }


def test_requests_rows_and_stages_are_counted(world: Deployed) -> None:
    """An answered request has a duration, each of its rows a status; a refused one is counted."""
    reader = WatchedReader(world.tiles, ["b"])
    client = FeatureClient(reader, world.registry, clock=world.clock, cache=ROOM)
    prepared = client.prepare(["posts.views_30m"])
    prepared.get(["a", "b", "none"])
    prepared.get(["a"])
    with pytest.raises(CallerError):
        prepared.get("a")
    found = samples(client)

    assert found["fp_reader_request_seconds_count", (("list", ""),)] == 2
    assert found["fp_reader_request_seconds_bucket", (("le", "+Inf"), ("list", ""))] == 2
    assert found["fp_reader_refused_requests_total", (("list", ""),)] == 1
    rows = {
        status: found["fp_reader_rows_total", (("list", ""), ("status", status))]
        for status in ("ok", "no_data", "unavailable")
    }
    assert rows == {"ok": 2, "no_data": 1, "unavailable": 1}
    for stage in ("plan", "find", "compute"):
        assert found["fp_reader_stage_seconds_count", (("stage", stage),)] == 2
    assert found["fp_reader_store_read_seconds_count", ()] == 1
    assert found["fp_reader_store_failed_entities_total", ()] == 1
    assert found["fp_reader_store_rows_total", ()] >= 1
    assert found["fp_reader_registry_age_seconds", ()] == 0
    assert found["fp_reader_cache_hits_total", ()] == 1
    assert {f"fp_reader_cache_{name}_total" for name in CACHE_COUNTERS} <= {
        name for name, _ in found
    }


def test_a_store_that_is_down_shows(world: Deployed) -> None:
    """Without a cache nothing is said of one."""
    client = FeatureClient(DownReader(), world.registry, clock=world.clock)
    before = samples(client)
    prepared = client.prepare(["posts.views_30m"])
    for _ in range(3):
        prepared.get(["a"])
    after = samples(client)
    names = ("circuit_open", "circuit_openings_total", "circuit_refused_reads_total")
    assert [before[f"fp_reader_{name}", ()] for name in names] == [0, 0, 0]
    assert [after[f"fp_reader_{name}", ()] for name in names] == [1, 1, 2]
    assert not any(name.startswith("fp_reader_cache") for name, _ in after)


def test_a_registry_of_the_application_takes_the_collector(world: Deployed) -> None:
    """Beside its own metrics; registering it asks nobody."""
    registry = CollectorRegistry()
    registry.register(ReaderCollector(world.client))
    world.client.prepare(["posts.views_30m"]).get(["a"])
    assert registry.get_sample_value("fp_reader_request_seconds_count", {"list": ""}) == 1


def test_histograms_count_by_their_upper_bounds() -> None:
    """A bound is in its own bucket; what is beyond all of them is in the last one."""
    meters = Meters()
    for seconds in (0.0, BOUNDS_S[0], BOUNDS_S[-1], BOUNDS_S[-1] * 2):
        meters.read(seconds, [])
    reads = meters.counts().reads
    assert (reads.counts[0], reads.counts[-2], reads.counts[-1]) == (2, 1, 1)
    assert reads.sum_s == pytest.approx(BOUNDS_S[0] + 3 * BOUNDS_S[-1])


def test_names_are_bounded() -> None:
    """However many lists an application asks for."""
    meters = Meters()
    for number in range(LISTS_MAX + 5):
        meters.answered(f"list_{number}", Watch(), ["ok"])
    requests = meters.counts().requests
    assert len(requests) == LISTS_MAX + 1
    assert sum(requests[OTHER].counts) == 5


def test_a_child_counts_from_zero(world: Deployed) -> None:
    """Whatever another thread held when the process was forked."""
    prepared = world.client.prepare(["posts.views_30m"])
    prepared.get(["a"])
    with world.client.meters._lock:
        child = os.fork()
        if not child:
            prepared.get(["a"])
            counts = world.client.meters.counts().requests[""].counts
            os._exit(0 if sum(counts) == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0
