"""Refreshes entities that are asked for often, before a request would have to wait for it.

An entity that is asked for in the last part of its staleness bound is noted, and a thread reads it
again. So what is asked for all the time is always kept, and what is not costs nothing.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from feature_platform.serving.read_plan import ReadPlan

AHEAD = 0.75
"""Share of the staleness bound after which an entity that is asked for is read again."""
GATHER_S = 0.02
"""How long entities are collected: one read is for all of them."""
NOTED_MAX = 20_000
"""Entities that wait to be read again; requests refresh what is not noted."""


@dataclass(slots=True, kw_only=True)
class Noted:
    """Entities of one plan (mutable)."""

    plan: ReadPlan
    bound_ms: int
    """How old their answers may be."""
    entities: dict[str, None] = field(default_factory=dict)


class Ahead:
    """Notes entities, and has them read again. Mutable; safe for use by threads."""

    def __init__(self, refresh: Callable[[Noted], None]) -> None:
        """Begin without a thread; the first note starts it.

        Args:
            refresh: Reads entities again; it is called in the thread.
        """
        self._refresh = refresh
        self._lock = threading.Lock()
        self._noted: dict[tuple[object, ...], Noted] = {}
        self._room = NOTED_MAX
        self._any = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, space: int, plan: ReadPlan, bound_ms: int, entities: Iterable[str]) -> None:
        """Note entities while there is room.

        Args:
            space: Number of the space that they are kept in.
            plan: What was asked of them.
            bound_ms: How old their answers may be.
            entities: Their keys.
        """
        with self._lock:
            made = Noted(plan=plan, bound_ms=bound_ms)
            noted = self._noted.setdefault((space, bound_ms, tuple(plan.keys)), made)
            for entity in entities:
                if self._room and entity not in noted.entities:
                    noted.entities[entity] = None
                    self._room -= 1
            self._any.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fp-cache", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Read no more."""
        self._closed.set()
        self._any.set()

    def _run(self) -> None:
        while self._any.wait() and not self._closed.wait(GATHER_S):
            for noted in self._taken():
                self._refresh(noted)

    def _taken(self) -> list[Noted]:
        with self._lock:
            self._any.clear()
            taken, self._noted, self._room = list(self._noted.values()), {}, NOTED_MAX
            return taken
