"""Events that came after the time of all their tiles: they are in no window. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from feature_platform.clock import to_iso
from feature_platform.debug.account import Account, EventAccount
from feature_platform.plan.snapshot import Snapshot
from feature_platform.words import hours


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLate:
    """An event that counts and whose tiles were not kept any more when it came."""

    event: EventAccount
    kept_until_ms: int
    """When the longest kept of its tiles expired."""

    @property
    def told(self) -> str:
        """Say so, with by how much."""
        came_ms = self.event.record.event.timestamp_ms
        return (
            f"event {self.event.place} of {to_iso(self.event.time_ms)} reached the broker "
            f"{hours(came_ms - self.event.time_ms)} after its time, at {to_iso(came_ms)}; its "
            f"tiles had expired at {to_iso(self.kept_until_ms)}: too late by "
            f"{hours(came_ms - self.kept_until_ms)}"
        )


def too_late(snapshot: Snapshot, account: Account) -> list[TooLate]:
    """Return the events that no tile but lifetime could take, by the broker's time.

    A tile in the head does not expire: the newest event so far decides what is in it.
    """
    found: list[TooLate] = []
    newest_ms = 0
    for each in sorted(account.counted, key=lambda each: each.record.event.timestamp_ms):
        newest_ms = max(newest_ms, each.time_ms)
        until_ms = _kept_until_ms(snapshot, each.time_ms, newest_ms)
        if until_ms is not None and until_ms <= each.record.event.timestamp_ms:
            found.append(TooLate(event=each, kept_until_ms=until_ms))
    return found


def _kept_until_ms(snapshot: Snapshot, time_ms: int, newest_ms: int) -> int | None:
    """Return when the last of an event's tiles expires; None if one does not, or nobody knows."""
    layout = snapshot.layout
    latest_ms = 0
    for level in layout.used_levels:
        start_ms = layout.grid.floor(time_ms, level)
        kept_ms = snapshot.kept.lasts_ms(level, start_ms)
        if kept_ms is None or start_ms >= layout.grid.head_oldest_ms(newest_ms, level):
            return None
        latest_ms = max(latest_ms, start_ms + layout.grid.levels_ms[level] + kept_ms)
    return latest_ms or None


def told_of(snapshot: Snapshot, late: Sequence[TooLate], most: int) -> tuple[str, ...]:
    """Say what became of such events, the newest ones."""
    if not late:
        return ()
    has_lifetime = snapshot.layout.columns[0].lifetime
    what = (
        "lifetime and latest values count it, no window does, and nothing is wrong with that"
        if has_lifetime
        else "nothing counts it, and nothing is wrong with that"
    )
    return tuple(f"{each.told}; {what}" for each in late[-most:])
