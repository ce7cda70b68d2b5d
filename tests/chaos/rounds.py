"""Which faults strike in which round: decided by the seed alone, before anything happens."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from tests.chaos.faults import KINDS

FAULTS_PER_ROUND_MAX = 4
PAUSE_MAX_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One fault to come."""

    kind: str
    seed: int
    """Of everything that it draws itself."""
    pause_s: float
    """Until the next one of the round strikes."""


def rounds(seed: int, kinds: Sequence[str]) -> Iterator[list[Strike]]:
    """Draw rounds without end; one does not depend on how many follow.

    Args:
        seed: The same seed gives the same rounds.
        kinds: Names of the kinds to draw from, in a fixed order.
    """
    for number in count():
        yield draw_round(random.Random(f"{seed}/{number}"), kinds)  # noqa: S311


def draw_round(chance: random.Random, kinds: Sequence[str]) -> list[Strike]:
    """Draw the faults of one round; at most one of them is slow."""
    drawn: list[Strike] = []
    for _ in range(chance.randint(1, FAULTS_PER_ROUND_MAX)):
        slow = any(KINDS[strike.kind].slow for strike in drawn)
        choices = [name for name in kinds if not (slow and KINDS[name].slow)]
        if choices:
            (kind,) = chance.choices(choices, [KINDS[name].weight for name in choices])
            seed, pause_s = chance.getrandbits(64), chance.uniform(0, PAUSE_MAX_S)
            drawn.append(Strike(kind=kind, seed=seed, pause_s=pause_s))
    return drawn
