"""Which entities a request is about: of each kind its keys, a row of the answer each. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from feature_platform.definition.problems import did_you_mean
from feature_platform.errors import CallerError, LimitExceededError
from feature_platform.serving.keys import Entities, KeyType, stored_key, stored_keys


class About(KeyType, Protocol):
    """A feature set, as far as a request must fit it; a `Snapshot` is one."""

    @property
    def featureset(self) -> str:
        """Its name."""
        ...


Kinds = Mapping[str, Sequence[About]]
"""The feature sets that are asked, by the entity that they are about."""
Request = Entities | Mapping[str, object]
"""A list of keys, or by kind of entity a list of keys or one key for all rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedKeys:
    """The keys of one kind of entity."""

    entity: str
    """The kind, such as `post_id`; empty where no feature is asked."""
    keys: tuple[str, ...]
    """Of each row."""
    unique: tuple[str, ...]
    """Each once: what is read."""
    indexes: NDArray[np.int64]
    """Of each row, where its key is in `unique`."""
    all_unique: bool = False
    """Whether `indexes` counts up from 0: each row has a key of its own."""


def asked_keys(request: Request, kinds: Kinds, most: int) -> tuple[AskedKeys, ...]:
    """Return the keys of a request, by kind of entity.

    Args:
        request: A list of keys if the features are about one kind of entity; of several a dict that
            has for each kind a list of keys, all equally long, or one key for all rows.
        kinds: What is asked.
        most: `entities_max`: of keys over all kinds; one key for all rows counts once.

    Raises:
        CallerError: A kind is missing, unknown or wrong, a key is none of its type, or the lists
            differ in length.
        LimitExceededError: There are more keys than `most`.
    """
    if isinstance(request, Mapping):
        return _of_kinds(request, kinds, most)
    if len(kinds) > 1:
        about = ", ".join(f"{each} ({_sets(kinds[each])})" for each in kinds)
        msg = (
            f"the features are about {about}: pass a dict with the keys of each, such as "
            f"{_example(kinds)}"
        )
        raise CallerError(msg)
    entity, snapshots = next(iter(kinds.items()), ("", ()))
    return (_repeated(entity, stored_keys(request, snapshots, most)),)


def _of_kinds(request: Mapping[str, object], kinds: Kinds, most: int) -> tuple[AskedKeys, ...]:
    for given in request:
        if given not in kinds:
            hint = did_you_mean(str(given), kinds) or f"; write {_example(kinds)}"
            msg = f"entities has {given!r}, and no feature that is asked is about that{hint}"
            raise CallerError(msg)
    for entity in kinds:
        if entity not in request:
            msg = f"entities has no {entity!r}, which {_sets(kinds[entity])} needs; add its keys"
            raise CallerError(msg)
    single = {each: request[each] for each in kinds if _is_one(request[each])}
    listed = {
        each: stored_keys(_as_list(request[each]), kinds[each], most, f"entities[{each!r}]")
        for each in kinds
        if each not in single
    }
    _refuse_many(len(single) + sum(map(len, listed.values())), most)
    rows = _rows({each: len(keys) for each, keys in listed.items()})
    return tuple(
        _for_all(each, _one(each, single[each], kinds), rows)
        if each in single
        else _repeated(each, listed[each])
        for each in kinds
    )


def _is_one(value: object) -> bool:
    """Return whether a value is one key, or what was meant as one, and no list."""
    return value is None or isinstance(value, str | Number | np.generic)


def _as_list(value: object) -> Entities:
    return value  # type: ignore[return-value]  # `stored_keys` refuses what is none


def _one(entity: str, value: object, kinds: Kinds) -> str:
    """Return one key as the store has it; it must fit every feature set."""
    stored = [stored_key(value, snapshot, f"entities[{entity!r}]") for snapshot in kinds[entity]]
    return stored[0]


def _refuse_many(count: int, most: int) -> None:
    if count > most:
        msg = f"{count} entities of all kinds requested; entities_max is {most}: split the request"
        raise LimitExceededError(msg)


def _rows(lengths: Mapping[str, int]) -> int:
    """Return how many rows the answer has: one, if every kind has one key alone."""
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"entities[{each!r}] has {count}" for each, count in lengths.items())
        msg = f"the lists of keys differ in length: {told}; pass one key of each kind for each row"
        raise CallerError(msg)
    return next(iter(lengths.values()), 1)


def _repeated(entity: str, keys: Sequence[str]) -> AskedKeys:
    unique = dict.fromkeys(keys)
    if len(unique) == len(keys):
        all_keys, indexes = tuple(keys), np.arange(len(keys))
        return AskedKeys(
            entity=entity, keys=all_keys, unique=all_keys, indexes=indexes, all_unique=True
        )
    places = {key: place for place, key in enumerate(unique)}
    indexes = np.fromiter((places[key] for key in keys), dtype=np.int64, count=len(keys))
    return AskedKeys(entity=entity, keys=tuple(keys), unique=tuple(unique), indexes=indexes)


def _for_all(entity: str, key: str, rows: int) -> AskedKeys:
    indexes = np.zeros(rows, dtype=np.int64)
    return AskedKeys(entity=entity, keys=(key,) * rows, unique=(key,), indexes=indexes)


def _sets(snapshots: Iterable[About]) -> str:
    return ", ".join(sorted(snapshot.featureset for snapshot in snapshots))


def _example(kinds: Kinds) -> str:
    return "{" + ", ".join(f"{each!r}: [...]" for each in kinds) + "}"
