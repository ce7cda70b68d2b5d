"""The contestants of the serving benchmark: requests of 2,000 x 100, in turns."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.rig import say
from bench.serving_load import Read, requests
from bench.serving_rig import Answer, Process, ranker, redis_version, run_feast
from bench.serving_run import CACHE_BYTES, FEAST, SEED, THIS, Part, Setting, check, left_s

CACHED = {1.0: "all cached", 0.95: "95 % cached", 0.80: "80 % cached", 0.0: "nothing cached"}
OURS_CACHED = {**CACHED, 0.99: "99 % cached"}
PLAIN, OURS = "straightforward", "serving_build"
FILL_S, START_S, REQUEST_S, ENOUGH_S = 240.0, 120.0, 30.0, 45.0
"""How long filling a store, starting a contestant and one request may take; with less than the last
one left, no round begins."""
ROWS, ROW_BYTES, KEPT_BYTES = "rows of an entity", "bytes of them", "bytes kept of an entity"


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A ranker that takes part."""

    name: str
    module: str
    spec: dict[str, Any]
    hits: float
    """Share of the entities of its requests that its cache holds, if it has one."""
    python: str = sys.executable


def builds(setting: Setting, part: Part) -> None:
    """Time all contestants."""
    load, features, size = setting.load, len(setting.load.names), setting.scale.size
    asked = {
        hits: requests(load.entities, size, hits, setting.scale.rounds + 1, SEED)
        for hits in OURS_CACHED
    }
    paths = {hits: setting.rig.save(f"builds-{hits}", each) for hits, each in asked.items()}
    filled = _filled(setting)
    chosen = [each for each in _contestants(setting) if each.module in filled]
    with ExitStack() as exits:
        running: dict[str, Process] = {}
        for each in chosen:

            def start(each: Contestant = each) -> Process:
                say(f"starting {each.name}")
                made = ranker(setting.rig, each.name, each.module, each.spec, each.python)
                process = exits.enter_context(made)
                check(setting, load, features, process, {"requests": paths[each.hits]})
                return process

            if process := setting.attempts.of(each.name, START_S, start):
                running[each.name] = process
        answers = in_turns(setting, running, {each.name: paths[each.hits] for each in chosen})
        about = {name: process.run(about=True) for name, process in running.items()}
    for name, told in about.items():
        of = f" of {name}" if name in setting.builds else ""
        setting.versions.update({k + of: v for k, v in told.items() if isinstance(v, str)})
    part.head = ("", "CPU ms", "from", "to", "wall ms", "values a CPU second", "peak memory MiB")
    _spent(part, answers, size * features)
    read = Read.of(load, setting.now_ms)
    part.figures |= {ROWS: read.rows, ROW_BYTES: read.bytes}
    rounds = max(map(len, answers.values()), default=0)
    part.note = (
        f"Medians of {rounds} requests each, in turns; CPU of the ranker's process. "
        f"{load.entities:,} entities; a read finds {read.tiles:.1f} tiles of each, in "
        f"{read.rows:.1f} rows of {read.bytes:,.0f} bytes together."
    )
    warm, theirs = f"{THIS}, all cached", f"{FEAST}, precomputed"
    if warm in part.figures and theirs in part.figures:
        times = part.figures[theirs] / part.figures[warm]
        part.note += (
            " Feast hands out finished values; the goal is about its ordinary path, and against "
            f"its precomputed one this build serves {times:,.1f} times the values a CPU second."
        )
    if kept := about.get(f"{THIS}, all cached"):
        part.figures[KEPT_BYTES] = kept["bytes"] / kept["entries"]
        part.note += f" The cache keeps {part.figures[KEPT_BYTES]:,.0f} bytes of each."


def _filled(setting: Setting) -> frozenset[str]:
    """Write what others read; return the modules that can take part."""

    def plain() -> str:
        setting.rig.write_plain(setting.load, setting.written)
        return "serving_plain"

    def feast() -> str:
        say("writing the values into Feast")
        entities = np.arange(setting.load.entities)
        values = setting.load.recount(entities, setting.now_ms)
        filled = {"entities": entities, "values": values}
        run_feast(setting.rig, setting.feast, _feast_spec(setting), filled)
        setting.versions["redis-server"] = redis_version()
        return "serving_feast"

    fills = {PLAIN: plain} | ({FEAST: feast} if setting.feast else {})
    done = [setting.attempts.of(f"filling {name}", FILL_S, fill) for name, fill in fills.items()]
    return frozenset({OURS, *(module for module in done if module)})


def _contestants(setting: Setting) -> list[Contestant]:
    load, names = setting.load, setting.load.names
    direct = setting.spec(load, len(names))
    cached = direct | {"cache_bytes": CACHE_BYTES}
    plain = direct | {
        "keys": load.keys(setting.now_ms),
        "windows": load.windows(setting.now_ms),
        "counters": [feature.name for feature in load.featureset.features],
        "cache_entities": load.entities,
    }
    chosen = [
        *(
            Contestant(name=f"{THIS}, {said}", module=OURS, spec=cached, hits=hits)
            for hits, said in OURS_CACHED.items()
        ),
        Contestant(name=f"{THIS}, no cache", module=OURS, spec=direct, hits=0.0),
        *(
            Contestant(name=name, module=OURS, spec=direct, hits=0.0, python=_python(path))
            for name, path in setting.builds.items()
        ),
        *(
            Contestant(name=f"{PLAIN}, {said}", module="serving_plain", spec=plain, hits=hits)
            for hits, said in CACHED.items()
        ),
    ]
    if setting.feast:
        chosen += [
            Contestant(
                name=name,
                module="serving_feast",
                spec=_feast_spec(setting) | {"precomputed": name != FEAST},
                hits=0.0,
                python=setting.feast,
            )
            for name in (FEAST, f"{FEAST}, precomputed")
        ]
    return chosen


def _feast_spec(setting: Setting) -> dict[str, Any]:
    """Return what Feast's rankers are made of; its features have no feature set in their names."""
    return {
        "redis_port": setting.redis_port,
        "folder": str(setting.rig.folder),
        "features": [name.partition(".")[2] for name in setting.load.names],
    }


def _python(checkout: Path) -> str:
    """Return a checkout's own interpreter."""
    return str(checkout / ".venv" / "bin" / "python")


def in_turns(
    setting: Setting, running: dict[str, Process], paths: Mapping[str, str]
) -> dict[str, list[Answer]]:
    """Let each do a request, then each the next one; who fails is out, and removed from `running`.

    Returns:
        What came of each one's requests.
    """
    answers: dict[str, list[Answer]] = {name: [] for name in running}
    for number in range(setting.scale.rounds):
        if left_s() < ENOUGH_S:
            setting.attempts.fail("builds", f"no time for more than {number} rounds")
            break
        for name, process in list(running.items()):

            def ask(name: str = name, process: Process = process) -> Answer:
                return process.run(requests=paths[name], count=1)

            answer = setting.attempts.of(f"{name}, round {number + 1}", REQUEST_S, ask)
            if answer is None:
                del running[name]
            else:
                answers[name].append(answer)
        say(f"round {number + 1} of {setting.scale.rounds}")
    return answers


def _spent(part: Part, answers: Mapping[str, Sequence[Answer]], values: int) -> None:
    """Add a line for each contestant, and its median CPU milliseconds."""
    for name, each in answers.items():
        if not each:
            continue
        spent = 1e3 * np.array([answer["spent"][0] for answer in each])
        cpu_ms, wall_ms = np.median(spent, axis=0).tolist()
        peak = max(answer["peak_bytes"] for answer in each) / 2**20
        low, high = spent[:, 0].min(), spent[:, 0].max()
        rate = values / cpu_ms * 1e3
        ms = (f"{cpu_ms:,.2f}", f"{low:,.2f}", f"{high:,.2f}", f"{wall_ms:,.1f}")
        part.rows.append((name, *ms, f"{rate:,.0f}", f"{peak:,.0f}"))
        part.figures[name] = cpu_ms
