"""`make chaos`: rounds of faults under load, each followed by a judgement of every row.

`CHAOS_SEED` and `CHAOS_FAULTS` choose the faults and replay them; `--minutes` ends a run earlier,
`--kinds` picks some. The last line printed is one JSON object; the exit code is 3 if rows differed.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any

from feature_platform.broker.sender import ensure_topic
from feature_platform.errors import FeaturePlatformError
from feature_platform.local.jars import build_kernel
from feature_platform.local.java import find_java_home
from tests.chaos import faults_files
from tests.chaos.definitions import NAME, TOPIC
from tests.chaos.faults import KINDS, possible
from tests.chaos.judge import Judge
from tests.chaos.load import Load
from tests.chaos.rounds import Strike, rounds
from tests.chaos.testbed import Site, print_progress
from tests.chaos.watch import Watch
from tests.integration.differences import Difference, explain
from tests.integration.judge import deploy, load

assert faults_files  # it registers its kinds

FAULTS = 200
RATE = 400
WARM_UP_S = 5.0
EXIT_DIFFERENCES, EXIT_STUCK, EXIT_INTERRUPTED = 3, 4, 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is asked to do."""

    seed: int
    faults: int
    minutes: float
    rate: int
    kinds: tuple[str, ...]
    folder: Path | None
    """Kept for a look at it afterwards; without one it is a temporary folder."""


@dataclass(slots=True)
class Result:
    """Mutable: what has come out so far; its JSON is the last line of a run."""

    seed: int
    by_kind: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    """Faults that met nothing to break: they do not count."""
    applies: Counter[str] = field(default_factory=Counter)
    recovery_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    differences: set[tuple[str, str]] = field(default_factory=set)
    not_possible: dict[str, str] = field(default_factory=dict)
    worst_wrong_s: float = 0.0
    worst_behind_s: float = 0.0
    rounds: int = 0
    events: int = 0
    rows_compared: int = 0
    stuck: str = ""
    interrupted: bool = False
    seconds: float = 0.0

    @property
    def faults(self) -> int:
        """How many faults there were."""
        return sum(self.by_kind.values())

    @property
    def exit_code(self) -> int:
        """What the process ends with."""
        if self.differences:
            return EXIT_DIFFERENCES
        if self.stuck:
            return EXIT_STUCK
        return EXIT_INTERRUPTED if self.interrupted else 0

    def facts(self) -> dict[str, Any]:
        """Return what is printed."""
        every = [seconds for times in self.recovery_s.values() for seconds in times]
        recovery = {kind: round(max(times), 1) for kind, times in sorted(self.recovery_s.items())}
        return {
            "faults": self.faults,
            "differences": len(self.differences),
            "seed": self.seed,
            "by_kind": dict(sorted(self.by_kind.items())),
            "missed": dict(sorted(self.missed.items())),
            "applies": dict(sorted(self.applies.items())),
            "worst_wrong_s": round(self.worst_wrong_s, 1),
            "worst_behind_s": round(self.worst_behind_s, 1),
            "recovery_s": recovery,
            "recovery_median_s": round(median(every), 1) if every else 0.0,
            "rounds": self.rounds,
            "events": self.events,
            "rows_compared": self.rows_compared,
            "seconds": round(self.seconds),
            "not_possible": self.not_possible,
            **({"stuck": self.stuck} if self.stuck else {}),
            **({"interrupted": True} if self.interrupted else {}),
        }


class Run:
    """One run on one site. Mutable: goes from round to round."""

    def __init__(self, site: Site, options: Options, say: Callable[[str], None]) -> None:
        """Deploy the feature set and put it under load."""
        self._site, self._options, self._say = site, options, say
        self.result = Result(seed=options.seed, not_possible=dict(possible(site)))
        settings = site.settings
        featureset = load(settings).featuresets[NAME]
        partitions = ensure_topic(settings.kafka, TOPIC, clock="producers")
        with site.world() as world:
            snapshot = deploy(world, settings, NAME)
        self._snapshot = snapshot
        self._judge = Judge(settings, featureset, snapshot, random.Random(options.seed))  # noqa: S311
        self._load = Load(
            settings, featureset.source, rate=options.rate, partitions=partitions, seed=options.seed
        )
        self._watch = Watch(settings, self._load.deliveries)

    def work(self) -> Result:
        """Go through all rounds, and judge everything once more at the end."""
        started = time.monotonic()
        self._load.start()
        self._site.start_sensor()
        self._watch.start()
        time.sleep(WARM_UP_S)
        try:
            for strikes in rounds(self._options.seed, self._kinds()):
                late = time.monotonic() - started > self._options.minutes * 60
                if late or self.result.faults >= self._options.faults:
                    break
                self._round(strikes)
            self._end()
        except (FeaturePlatformError, TimeoutError) as error:
            self.result.stuck = f"round {self.result.rounds + 1}: {error}"
            self._say(self.result.stuck)
        finally:
            self._watch.stop()
            self._load.stop()
            self.result.applies = self._site.applies
            self.result.events = self._judge.oracle.events
            self.result.seconds = time.monotonic() - started
            self.result.worst_wrong_s = self._watch.worst.wrong_s
            self.result.worst_behind_s = self._watch.worst.behind_s
        return self.result

    def _round(self, strikes: Sequence[Strike]) -> None:
        names = [strike.kind for strike in strikes]
        self._say(f"round {self.result.rounds + 1}: {', '.join(names)}")
        hits = self._strike(strikes)
        struck = time.monotonic()
        self._site.bring_back()
        back_s = time.monotonic() - struck
        self._site.odd_events.flush()
        self._load.pause()
        self._site.settle()
        recovered_s = time.monotonic() - struck
        found = self._judge.differences()
        judged_s = time.monotonic() - struck - recovered_s
        self.result.rounds += 1
        for name, hit in zip(names, hits, strict=True):
            if hit:
                self.result.by_kind[name] += 1
                self.result.recovery_s[name].append(recovered_s)
            else:
                self.result.missed[name] += 1
        self._note(names, found)
        self._load.resume()
        self._say(
            f"  up after {back_s:.1f} s, all counted after {recovered_s:.1f} s, judged in "
            f"{judged_s:.1f} s; {self.result.faults} faults, "
            f"{self._judge.oracle.events:,} events, {len(self.result.differences)} differences"
        )

    def _end(self) -> None:
        """Deploy once more with nothing broken, which must succeed, and judge everything."""
        self._site.deploy_at_last()
        self._load.pause()
        self._site.settle()
        self._note([], self._judge.final_differences())

    def _kinds(self) -> list[str]:
        """Return the kinds that are wanted and can be had here."""
        wanted = self._options.kinds or KINDS
        return [name for name in sorted(wanted) if name not in self.result.not_possible]

    def _strike(self, strikes: Sequence[Strike]) -> list[bool]:
        """Let the faults strike, each in its thread, soon after each other; tell which hit."""
        with ThreadPoolExecutor(max_workers=len(strikes)) as pool:
            struck = []
            for strike in strikes:
                chance = random.Random(strike.seed)  # noqa: S311
                struck.append(pool.submit(KINDS[strike.kind].strike, self._site, chance))
                time.sleep(strike.pause_s)
            return [one.result() for one in struck]

    def _note(self, kinds: Sequence[str], found: Sequence[Difference]) -> None:
        """Remember differences; explain those that are new."""
        self.result.rows_compared += self._judge.rows_compared
        watched = {
            "more served than sent": self._watch.too_many,
            "served wrongly although all is counted": self._watch.still_wrong(),
        }
        seen = [
            Difference(entity=line, what=what, expected="", actual="")
            for what, lines in watched.items()
            for line in sorted(lines)
        ]
        fresh = [
            item
            for item in (*found, *seen)
            if (item.entity, item.what) not in self.result.differences
        ]
        self.result.differences |= {(item.entity, item.what) for item in fresh}
        if fresh:
            self._say(f"{len(fresh)} DIFFERENCES after {', '.join(kinds)}")
            for line in explain(self._site.settings, self._snapshot, fresh):
                self._say(f"  {line}")
        while self._site.notes:
            self._say(f"  note: {self._site.notes.pop()}")


def run(options: Options, say: Callable[[str], None]) -> Result:
    """Run on a stack of its own, and leave nothing behind; Ctrl-C ends it with what came out."""
    with tempfile.TemporaryDirectory(prefix="fp-chaos-") as temporary:
        site = Site(options.folder or Path(temporary), seed=options.seed)
        try:
            build_kernel(site.settings, find_java_home())
            say(f"seed {options.seed}: starting Kafka, Cassandra and Flink")
            site.start()
            work = Run(site, options, say)
            try:
                return work.work()
            except KeyboardInterrupt:
                say("interrupted")
                work.result.interrupted = True
                return work.result
        finally:
            say("stopping everything")
            site.close()


def options_of(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Read what a run is asked to do."""
    parser = argparse.ArgumentParser(description=__doc__)
    seed = environment.get("CHAOS_SEED") or random.SystemRandom().randrange(10**6)
    faults = environment.get("CHAOS_FAULTS") or FAULTS
    parser.add_argument("--seed", type=int, default=int(seed), help="replays the same faults")
    parser.add_argument("--faults", type=int, default=int(faults), help="how many")
    parser.add_argument("--minutes", type=float, default=24 * 60, help="end no later than this")
    parser.add_argument("--rate", type=int, default=RATE, help="events per second")
    parser.add_argument("--kinds", nargs="*", default=[], choices=sorted(KINDS), help="only these")
    parser.add_argument("--folder", type=Path, help="keep project, data and logs here")
    read = parser.parse_args(arguments)
    return Options(**vars(read) | {"kinds": tuple(read.kinds)})


def main() -> int:
    """Run the suite; print the result as the last line."""
    signal.signal(signal.SIGTERM, _interrupt)
    result = run(options_of(sys.argv[1:], os.environ), print_progress)
    print(json.dumps(result.facts()), flush=True)  # noqa: T201
    return result.exit_code


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
