"""What logging 1 % costs a warm request: CPU of the whole process, the log's thread included.

2,000 entities, 25 counters, 4 windows, all in the client's cache, from a store in memory. The same
requests without a log, with 1 % of the requests logged, and with 1 % of the entities; interleaved.
Records are compressed as for Kafka, and forgotten: the broker's share is not ours. What is logged
is compared with the answers first. The last line printed is one JSON object with the goals.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.rig import goal, say
from bench.serving_load import Load, define
from feature_platform.clock import SystemClock
from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.feature_log.decode import decode
from feature_platform.feature_log.log import FeatureLog
from feature_platform.feature_log_settings import FeatureLogSettings
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.serving import CacheSettings, FeatureClient
from feature_platform.serving.prepared import PreparedFeatures
from feature_platform.serving.read_plan import plan_reads, resolve
from feature_platform.store.memory import MemoryTiles
from feature_platform.testing.clock import ManualClock

ENTITIES, COUNTERS = 2_000, 25
SHARE = 0.01
SHARE_GOAL = 0.03
"""Of a warm request's CPU."""
ROUND_REQUESTS = 100
"""As many as a share of 1 % needs to log one of them, on average."""
TILES_MAX = 2_000


class Compressing:
    """A sender that compresses as Kafka's client does, and forgets. Mutable."""

    def __init__(self) -> None:
        """Know the newest record alone."""
        self.newest = b""
        self.records = self.bytes = 0

    def send(self, topic: str, value: bytes, done: Callable[[str], None]) -> None:  # noqa: ARG002
        """Compress a record."""
        self.newest, self.records = value, self.records + 1
        self.bytes += len(pa.compress(value, codec="lz4", asbytes=True))
        done("")

    def serve(self, seconds: float) -> None:
        """Do nothing: the fate of a record is known at once."""

    def finish(self, seconds: float) -> None:
        """Do nothing."""


class World:
    """A store in memory and a list of all its features. Mutable: clients are made of it."""

    def __init__(self, folder: Path, entities: int, seed: int) -> None:
        """Draw the load."""
        now_ms = SystemClock().now_ms()
        self.clock = ManualClock(now_ms)
        featureset = define(folder / "featuresets", "posts", COUNTERS)
        load = Load.draw(featureset, entities, now_ms, seed)
        self.tiles, self.registry = MemoryTiles(self.clock), MemoryRegistry(self.clock)
        self.tiles.create_table(load.snapshot.table)
        self.registry.save(load.snapshot)
        names = FeatureClient(self.tiles, self.registry, clock=self.clock).features(featureset.name)
        listed = tuple(ListedFeature(name=f"{featureset.name}.{name}") for name in names)
        self.registry.save_list(FeatureList(name="home", version=1, features=listed))
        (group,) = resolve([load.snapshot], [each.name for each in listed])
        plan = plan_reads(group, now_ms, None, 0, TILES_MAX)
        load.write(self.tiles, frozenset(plan.keys[1:]))

    def client(self, settings: FeatureLogSettings | None, sender: Compressing) -> FeatureClient:
        """Return a client with a cache, and with a log if there are settings."""
        log = FeatureLog(settings, lambda: sender) if settings else None
        cache = CacheSettings(bytes_max=1 << 30)
        return FeatureClient(self.tiles, self.registry, clock=self.clock, cache=cache, log=log)


def compare(world: World, keys: list[str]) -> None:
    """Log everything once, and compare it with the answer."""
    sender = Compressing()
    made, found = None, []
    for size in (1, len(keys)):
        with world.client(FeatureLogSettings(share=1.0), sender) as client:
            made = client.prepare(list="home").get(keys[:size])
        found.append(decode(sender.newest))
    last = found[-1]
    rows = [made.keys["post_id"].index(key) for key in last.keys["post_id"]] if made else []
    for column, answered in zip(last.columns, made.columns if made else (), strict=True):
        np.testing.assert_array_equal(column.data, answered.data[rows])


def cpu_ms(features: PreparedFeatures, keys: list[str], requests: int) -> float:
    """Return the CPU of a request, the log's thread included, in milliseconds."""
    started = time.process_time()
    for _ in range(requests):
        features.get(keys).values  # noqa: B018 (made when it is asked for)
    log = features.client.log
    while log is not None and log.stats().waiting_bytes:
        time.sleep(0.001)
    return 1_000 * (time.process_time() - started) / requests


def main() -> None:
    """Measure, and print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--entities", type=int, default=ENTITIES)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    keys = [str(number) for number in range(asked.entities)]
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), asked.entities, asked.seed)
        compare(world, keys)
        ways: dict[str, FeatureLogSettings | None] = {
            "no log": None,
            "1 % of requests": FeatureLogSettings(share=SHARE),
            "1 % of entities": FeatureLogSettings(share=SHARE, by="entity"),
        }
        senders = {name: Compressing() for name in ways}
        clients = {name: world.client(ways[name], senders[name]) for name in ways}
        lists = {name: client.prepare(list="home") for name, client in clients.items()}
        for features in lists.values():
            cpu_ms(features, keys, 3)
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(asked.rounds):
            for name, features in lists.items():
                taken[name].append(cpu_ms(features, keys, ROUND_REQUESTS))
        goals: list[Any] = []
        usual = statistics.median(taken["no log"])
        for name, each in taken.items():
            more = statistics.median(each) / usual - 1
            sent = senders[name]
            say(
                f"{name}: {statistics.median(each):.2f} ms a request ({more:+.1%}; "
                f"{min(each):.2f} to {max(each):.2f}), {sent.records} records, {sent.bytes:,} bytes"
            )
            if name != "no log":
                goals.append(goal(f"log {name}", more, SHARE_GOAL, at_most=True, digits=4))
        for client in clients.values():
            client.close()
    print(json.dumps({"goals": goals}))


if __name__ == "__main__":
    main()
