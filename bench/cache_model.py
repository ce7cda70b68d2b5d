"""How often a cache of decoded tiles is hit, by cache size and by routing: a model and its check.

Assumptions: entities are asked with Zipf's law, each request on its own (the independent reference
model); a cache holds the entities that were asked most recently (LRU), which Che's approximation
describes: an entity is there if it was asked within the cache's characteristic time
(H. Che, Y. Tung, Z. Wang, "Hierarchical Web Caching Systems", IEEE JSAC 20(7), 2002). A head is
read again when it is asked and older than the staleness bound. Routed, an entity is asked at one
instance only; otherwise at all of them alike.

The model is checked against a simulated LRU cache of a smaller population first. Writes a table to
`bench/results/<date>-cache-model.md`; the last line printed is one JSON object with the goals.
"""

import argparse
import json
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from bench.rig import HERE, goal, say

LOOKUPS_S = 8_000 * 2_000
"""Requests a second times candidates."""
ENTITIES = 100_000_000
INSTANCES = 27
EXPONENTS = (1.0, 1.1, 1.2, 1.3)
CACHED = (1_000_000, 4_000_000, 16_000_000)
"""Entities that one instance has room for."""
BYTES_AN_ENTITY = 8_000
"""Twenty tiles of 200 bytes, and as much again: the limit of the cache's goal."""
STALENESS_S = 1.0
EXACT_RANKS = 100_000
"""Ranks with a group of their own; the groups after them grow by a thousandth."""
CHECKED = (100_000, 5_000, 2_000_000)
"""Entities, cached entities and lookups of the simulation."""
ERROR_MAX = 0.01
"""Of a hit ratio, between model and simulation."""

COLUMNS = (
    "Zipf",
    "cached by an instance",
    "routed",
    "entity cached",
    "nothing read",
    "entities read/s",
    "heads read/s",
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Entities by groups of nearly equal popularity."""

    sizes: Floats
    """Entities of each group."""
    shares: Floats
    """Of all lookups, those of one entity of the group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one arrangement of caches does."""

    resident: float
    """Share of lookups whose entity is cached, whatever the age of its head."""
    fresh: float
    """Share of lookups that read nothing."""
    heads_s: float
    """Rows that all instances read a second to renew heads."""
    misses_s: float
    """Entities that all instances read whole a second."""


def population(entities: int, exponent: float) -> Population:
    """Return Zipf's law over a number of entities."""
    exact = np.arange(1, min(entities, EXACT_RANKS) + 1, dtype=np.float64)
    steps = np.log(max(entities, EXACT_RANKS) / EXACT_RANKS) / np.log(1.001)
    edges = np.unique(np.floor(EXACT_RANKS * 1.001 ** np.arange(int(steps) + 1)))
    edges = np.append(edges[edges < entities], max(entities, EXACT_RANKS))
    ranks = np.concatenate([exact, (edges[1:] + edges[:-1] + 1) / 2])
    sizes = np.concatenate([np.ones(len(exact)), np.diff(edges)])
    kept = sizes > 0
    weights = ranks[kept] ** -exponent
    return Population(sizes=sizes[kept], shares=weights / float(sizes[kept] @ weights))


def characteristic_s(of: Population, rate: float, cached: int) -> float:
    """Return how long an entity that is not asked again stays in a cache of that size.

    Args:
        of: Who is asked.
        rate: Lookups a second at this cache.
        cached: Entities it has room for.
    """
    low, high = 0.0, 1e12
    for _ in range(200):
        middle = (low + high) / 2
        held = float(of.sizes @ -np.expm1(-of.shares * rate * middle))
        low, high = (middle, high) if held < cached else (low, middle)
    return high


def outcome(of: Population, rate: float, cached: int, instances: int, *, routed: bool) -> Outcome:
    """Return what caches do.

    Args:
        of: Who is asked.
        rate: Lookups a second at all instances.
        cached: Entities that an instance has room for.
        instances: How many there are.
        routed: Whether an entity always meets the same instance.
    """
    # Routed, the instances are one cache of all their room; else each sees a share of everything.
    copies = 1 if routed else instances
    rate_here, room = rate / copies, cached * instances // copies
    each = of.shares * rate_here
    stays_s = characteristic_s(of, rate_here, min(room, int(of.sizes.sum()) - 1))
    there = -np.expm1(-each * stays_s)
    # A head is read at the first lookup after its bound: one read for every 1 + rate x bound.
    reads = each / (1 + each * min(STALENESS_S, stays_s))
    misses = each * (1 - there)
    heads = np.maximum(reads - misses, 0.0)
    total = float(of.sizes @ each)
    return Outcome(
        resident=float(of.sizes @ (each * there)) / total,
        fresh=1 - float(of.sizes @ (misses + heads)) / total,
        heads_s=float(of.sizes @ heads) * copies,
        misses_s=float(of.sizes @ misses) * copies,
    )


def simulated(exponent: float, seed: int) -> float:
    """Return the hit ratio of a real LRU cache, after it has filled."""
    entities, cached, lookups = CHECKED
    shares = np.arange(1, entities + 1, dtype=np.float64) ** -exponent
    bounds = np.cumsum(shares / shares.sum())
    asked = np.searchsorted(bounds, np.random.default_rng(seed).random(lookups))
    held: OrderedDict[int, None] = OrderedDict()
    hits, counted = 0, lookups // 2
    for number, entity in enumerate(asked.tolist()):
        if entity in held:
            held.move_to_end(entity)
            hits += number >= lookups - counted
            continue
        held[entity] = None
        if len(held) > cached:
            held.popitem(last=False)
    return hits / counted


def main() -> None:
    """Check the model, and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    worst = 0.0
    for exponent in EXPONENTS:
        entities, cached, lookups = CHECKED
        model = outcome(population(entities, exponent), lookups, cached, 1, routed=True).resident
        real = simulated(exponent, seed)
        worst = max(worst, abs(model - real))
        say(f"Zipf {exponent}: {model:.4f} by the model, {real:.4f} simulated")
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for exponent in EXPONENTS:
        of = population(ENTITIES, exponent)
        for cached in CACHED:
            for routed in (False, True):
                made = outcome(of, LOOKUPS_S, cached, INSTANCES, routed=routed)
                room = f"{cached / 1e6:g} M ({cached * BYTES_AN_ENTITY / 1e9:g} GB)"
                where = "yes" if routed else "no"
                lines.append(
                    f"| {exponent} | {room} | {where} | {made.resident:.1%} | {made.fresh:.1%} "
                    f"| {made.misses_s / 1e6:.2f} M | {made.heads_s / 1e6:.2f} M |"
                )
    text = (
        f"# Hit ratios of the cache, by a model\n\n{LOOKUPS_S / 1e6:g} million lookups a second of "
        f"{ENTITIES / 1e6:g} million entities at {INSTANCES} instances, heads at most "
        f"{STALENESS_S:g} s old, {BYTES_AN_ENTITY:,} bytes an entity. Largest difference between "
        f"model and simulated cache: {worst:.4f}.\n\n{chr(10).join(lines)}\n"
    )
    (HERE / "results" / f"{datetime.now(tz=UTC):%Y-%m-%d}-cache-model.md").write_text(text)
    say(text)
    print(json.dumps({"goals": [goal("model_error", worst, ERROR_MAX, at_most=True, digits=4)]}))


if __name__ == "__main__":
    main()
