"""Of which entities jobs log their commands: the port, and what it says."""

import zlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from feature_platform.errors import LeaseHeldError, PlanRefusedError

Mode = Literal["off", "watched", "sampled", "all"]
ENTITIES_MAX = 100_000
"""How many entities of a feature set may be watched; who needs more samples, or logs all."""
HASHES = 1 << 32
NAMED_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Of which entities of a feature set commands are logged; the kernel's `Watch` is the same."""

    version: int = 0
    """Grows with every change; 0: nobody has ever asked for any."""
    mode: Mode = "off"
    share: float = 0.0
    """Of all entities, where some are sampled."""
    entities: frozenset[str] = frozenset()
    """Those that are named; beside a sample, too."""

    def wants(self, entity: str) -> bool:
        """Return whether an entity's commands are logged."""
        if self.mode == "sampled":
            return zlib.crc32(entity.encode()) / HASHES < self.share or entity in self.entities
        return self.mode == "all" or (self.mode == "watched" and entity in self.entities)


class WatchReader(Protocol):
    """Answers questions. All methods block, and raise StoreUnavailableError without an answer."""

    def watch(self, name: str) -> Watch:
        """Return what is logged of a feature set."""
        ...


class WatchWriter(WatchReader, Protocol):
    """Changes what is logged; jobs look every few seconds, and change at their next checkpoint."""

    def save_watch(
        self,
        name: str,
        mode: Mode,
        share: float = 0.0,
        entities: Collection[str] = (),
        *,
        before: int | None = None,
    ) -> Watch:
        """Store what is to be logged from now on, and return it.

        Args:
            name: Of the feature set.
            mode: Which entities are.
            share: Of all, if some are sampled.
            entities: Those that are named.
            before: Version of what this was made from; None: it replaces whatever there is.

        Raises:
            PlanRefusedError: There are more entities than may be watched; nothing was changed.
            LeaseHeldError: Others change it at the same time.
        """
        ...


def next_watch(before: Watch, mode: Mode, share: float, entities: Collection[str]) -> Watch:
    """Return what follows.

    Raises:
        PlanRefusedError: There are more entities than may be watched.
    """
    named = frozenset(entities) if mode in {"watched", "sampled"} else frozenset[str]()
    if len(named) > ENTITIES_MAX:
        msg = (
            f"{len(named):,} entities would be watched, and {ENTITIES_MAX:,} may be; nothing was "
            "changed. Log a share of all (`fp changelog sample`), or all of them"
        )
        raise PlanRefusedError(msg)
    return Watch(version=before.version + 1, mode=mode, share=share, entities=named)


def changed_meanwhile(name: str) -> LeaseHeldError:
    """Return what to say of a change that was made from what is not in force any more."""
    return LeaseHeldError(
        f"feature set {name}: what is logged was changed by others at the same time; nothing was "
        "changed by this command, run it again"
    )


def added_to(name: str, before: Watch, entities: Collection[str]) -> Watch:
    """Return what is to be logged with some entities beside what is.

    Raises:
        PlanRefusedError: All are logged.
    """
    if before.mode == "all":
        msg = (
            "all entities are logged, and these with them. Nothing was changed; "
            f"fp changelog watch {name} ENTITY... --only logs those alone"
        )
        raise PlanRefusedError(msg)
    mode: Mode = "sampled" if before.mode == "sampled" else "watched"
    return Watch(
        version=before.version,
        mode=mode,
        share=before.share,
        entities=before.entities | frozenset(entities),
    )


def without(name: str, before: Watch, entities: Collection[str]) -> Watch:
    """Return what is left without some watched entities; without any names nothing is.

    Raises:
        PlanRefusedError: One of them is not watched by its name.
    """
    strange = sorted(set(entities) - before.entities)
    if strange:
        told = {
            "all": "all entities are logged, which leaves none out",
            "off": "nothing is",
        }.get(before.mode, f"{len(before.entities):,} others are")
        msg = (
            f"not watched by name: {', '.join(strange[:NAMED_MAX])}; {told}. Nothing was changed; "
            f"fp changelog off {name} ends all of it"
        )
        raise PlanRefusedError(msg)
    left = before.entities - frozenset(entities)
    if not entities or not (left or before.mode == "sampled"):
        return Watch(version=before.version)
    return Watch(
        version=before.version, mode=before.mode, share=before.share, entities=frozenset(left)
    )
