"""Answers to requests, joined from entities' bytes: those that are kept, and those made now.

An answer is of one instant. What is kept is part of it only while neither the clock nor the bound
on staleness would change it; the rest is read through the client, which has its own cache of tiles.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from feature_platform.service.bytes_cache import BytesCache, BytesStats
from feature_platform.service.encode import Form
from feature_platform.service.entity_bytes import EntityBytes, Times, packed, spelled
from feature_platform.service.kinds import Edition, Kind, edition_of
from feature_platform.service.layouts import Answer, KindAnswered
from feature_platform.service.lists import LISTS_MAX, Served, Wanted
from feature_platform.service.logged import logged_rows
from feature_platform.serving import FeatureClient
from feature_platform.serving.answer import KindAnswer, Part, answer, answer_part
from feature_platform.serving.asked import Options, options
from feature_platform.serving.found import Found
from feature_platform.serving.matrix import FeatureMatrix
from feature_platform.serving.prepared import refuse_many_rows
from feature_platform.serving.read_plan import ReadPlan
from feature_platform.serving.request import AskedKeys, asked_keys
from feature_platform.serving.waiting import Waits, finish


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """Of what instant an answer is, how it is wanted, and how long it may wait."""

    asked: Options
    form: Form
    waits: Waits


class Answers:
    """Answers requests for features. Mutable; safe for use by threads."""

    def __init__(self, client: FeatureClient, bytes_max: int) -> None:
        """Keep nothing yet.

        Args:
            client: Reads features; without a cache of its own, nothing is kept here either.
            bytes_max: Of entities' bytes; 0 keeps none.
        """
        self._client = client
        self._cache = BytesCache(bytes_max)
        self._lock = threading.Lock()
        self._editions: OrderedDict[Wanted, Edition] = OrderedDict()

    def find(
        self,
        served: Served,
        wanted: Wanted,
        entities: object,
        at_ms: int | None,
        form: Form,
        *,
        deadline_ms: float | None = None,
    ) -> Answer:
        """Return an answer. Blocks.

        Args:
            served: The list.
            wanted: How the request named it.
            entities: By kind a list of keys, or one key for all rows.
            at_ms: A past instant instead of now.
            form: How the answer is wanted.
            deadline_ms: How long to wait for the store, instead of the client's deadline.

        Raises:
            CallerError: The request is wrong.
            LimitExceededError: It has too many keys, tiles or rows.
            OutOfReachError: The instant is in the future, or needs tiles that are not kept.
            UnknownFeatureError: A feature is not served any more.
        """
        edition = self._edition(served, wanted)
        limits = self._client.limits
        moment = _Moment(
            asked=options(self._client.clock.now_ms(), at_ms, None, explain=False),
            form=form,
            waits=self._client.blocking(deadline_ms),
        )
        asked = asked_keys(entities, edition.about, limits.entities_max)  # type: ignore[arg-type]
        known = [each for each in asked if each.entity in edition.kinds]
        plans = {
            each.entity: edition.kinds[each.entity].plans(edition.looked, moment.asked)
            for each in known
        }
        refuse_many_rows([(each, plans[each.entity]) for each in known], limits.rows_max)
        several = len(edition.kinds) > 1
        kinds: list[KindAnswered] = []
        errors: dict[str, str] = {}
        counts_since_ms: dict[str, int] = {}
        for each in known:
            kind = edition.kinds[each.entity]
            made, failed = self._entities(kind, plans[kind.name], each.unique, moment)
            kinds.append(
                KindAnswered(
                    kind=kind,
                    shape=kind.shape(form),
                    entities=made,
                    indexes=None if len(each.unique) == len(each.keys) else each.indexes,
                )
            )
            prefix = f"{kind.name}=" if several else ""
            errors |= {f"{prefix}{key}": why for key, why in failed.items()}
            counts_since_ms |= {
                kind.part.names[position]: since_ms
                for plan in plans[kind.name]
                for position, since_ms in plan.counts_since_ms().items()
            }
        return Answer(
            head=edition.head,
            form=form,
            keys={each.entity: each.keys for each in asked},
            kinds=tuple(kinds),
            rows=len(asked[0].keys) if asked else 0,
            errors=errors,
            counts_since_ms=counts_since_ms,
            now_ms=moment.asked.now_ms,
        )

    def note(self, served: Served, made: Answer) -> None:
        """Show the client's log an answer of now, of a list, that was sent."""
        log, listed = self._client.log, served.prepared.feature_list
        if log is not None and listed.name:
            take = partial(logged_rows, served.prepared.names, made)
            log.note(listed, made.now_ms, made.keys, take)

    def stats(self) -> BytesStats:
        """Return what is kept, and how often that answered."""
        return self._cache.stats()

    def _edition(self, served: Served, wanted: Wanted) -> Edition:
        """Return the list as it is deployed; what was kept of another edition is dropped."""
        deployed = self._client.snapshots()
        with self._lock:
            before = self._editions.get(wanted)
            edition = None if before is None else before.seen(served, deployed)
            if edition is None:
                edition = edition_of(self._client, served, deployed, self._cache)
                if before is not None:
                    self._forget(before)
            if edition is not before:
                self._editions[wanted] = edition
                self._editions.move_to_end(wanted)
                while len(self._editions) > LISTS_MAX:
                    self._forget(self._editions.popitem(last=False)[1])
            return edition

    def _forget(self, edition: Edition) -> None:
        for kind in edition.kinds.values():
            for shelf in kind.shelves.values():
                self._cache.drop(shelf)

    def _entities(
        self, kind: Kind, plans: Sequence[ReadPlan], keys: Sequence[str], moment: _Moment
    ) -> tuple[list[EntityBytes], Mapping[str, str]]:
        """Return each entity's bytes, and why some are unavailable."""
        if moment.asked.at_ms is not None:
            return self._made(kind, plans, keys, moment)
        shelf = kind.shelf(moment.form)
        found = self._cache.find(shelf, keys, moment.asked.now_ms)
        if None not in found:
            return found, {}  # type: ignore[return-value]  # there is no None
        missing = [key for key, each in zip(keys, found, strict=True) if each is None]
        made, errors = self._made(kind, plans, missing, moment)
        by_key = dict(zip(missing, made, strict=True))
        self._cache.put(shelf, by_key)
        together = [
            by_key[key] if each is None else each for key, each in zip(keys, found, strict=True)
        ]
        return together, errors

    def _made(
        self, kind: Kind, plans: Sequence[ReadPlan], keys: Sequence[str], moment: _Moment
    ) -> tuple[list[EntityBytes], Mapping[str, str]]:
        """Read entities and write their bytes."""
        now_ms = moment.asked.now_ms
        found = [
            finish(self._client.find(moment.waits, plan, keys, moment.asked)) for plan in plans
        ]
        parts = tuple(answer_part(each, now_ms, kind.part.wishes) for each in found)
        asked = AskedKeys(
            entity=kind.name,
            keys=tuple(keys),
            unique=tuple(keys),
            indexes=np.arange(len(keys), dtype=np.int64),
            all_unique=True,
        )
        matrix = answer(kind.part.names, [KindAnswer(asked=asked, parts=parts)], explained=False)
        times = _times(matrix, parts, now_ms)
        form = moment.form
        if form.layout == "rows":
            made = spelled(matrix, kind.runs, times, states=form.states)
        else:
            made = packed(matrix, kind.shape(form), times)
        return self._with_writers(made, found), matrix.errors

    def _with_writers(self, made: list[EntityBytes], found: Sequence[Found]) -> list[EntityBytes]:
        """Add what entities rest on, if that is logged."""
        if self._client.log is None:
            return made
        places = np.arange(len(made), dtype=np.int64)
        written = zip(*[each.written(places).tolist() for each in found], strict=True)
        return [replace(each, written=line) for each, line in zip(made, written, strict=True)]


def _times(matrix: FeatureMatrix, parts: Sequence[Part], now_ms: int) -> Times:
    """Return when entities were read, and until when what is made of that may be kept."""
    count = len(matrix.status)
    read_ms = np.zeros(count, dtype=np.int64)
    if matrix.ages_ms is not None:
        read_ms = now_ms - matrix.ages_ms
    ends = [part.until_ms for part in parts]
    until_ms: NDArray[np.int64] = np.full(count, now_ms, dtype=np.int64)
    known = [each for each in ends if each is not None]
    if len(known) == len(ends):
        until_ms = np.min(known, axis=0)
    until_ms[[status == "unavailable" for status in matrix.status]] = now_ms
    return Times(now_ms=now_ms, read_ms=read_ms, until_ms=until_ms)
