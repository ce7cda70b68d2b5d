"""The door of a request: whatever a ranker passes becomes keys as the store has them, or an error.

A key that is not one of the entity's type would be answered like an entity without events, so it is
refused with its place, its value and the type. The store keeps keys as text (decision 6).
"""

import io
import re
from collections.abc import Iterable, KeysView, Mapping, Sequence, Sized
from collections.abc import Set as AbstractSet
from itertools import islice
from numbers import Integral, Real
from typing import Protocol

from feature_platform.errors import CallerError, LimitExceededError

ENTITY_BYTES_MAX = 1024
WHOLE_BITS = {"INT": 31, "BIGINT": 63}
"""Types of whole numbers, with the bits of their magnitude."""
EXACT_FLOAT_MAX = 2**53
"""Up to here every whole number is a float of its own; beyond, a float may be another's key."""
INTEGERS_END = 2**64
"""Larger ones are no key of anything, and slow to write out."""
SHOWN_MAX = 60
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_NUMPY_KEYS = "iufUO"
"""Kinds of numpy arrays whose items can be keys: instants, bytes and booleans cannot."""


class KeyType(Protocol):
    """Whose keys they are, and of which type; a `Snapshot` is one."""

    @property
    def entity(self) -> str:
        """The kind of entity, such as `post_id`."""
        ...

    @property
    def entity_type(self) -> str:
        """Type of its keys, such as BIGINT; empty if that is not known."""
        ...


Entities = Iterable[object]
"""A list of keys: `stored_keys` decides what may be one, by the type of the entity."""


def stored_keys(
    entities: Entities, snapshots: Iterable[KeyType], most: int, what: str = "entities"
) -> list[str]:
    """Return the keys of a request as the store has them, in their order.

    Args:
        entities: A list of keys: any sequence, numpy or Arrow array, pandas Series or iterator.
        snapshots: The feature sets that are asked; all are about the same entity.
        most: `entities_max`.
        what: Where the list was given, such as `entities['post_id']`, for the error.

    Raises:
        CallerError: It is no list of keys, or one of them cannot be a key of the entity.
        LimitExceededError: There are more than `most`.
    """
    keys = list(islice(_listed(entities, what), most + 1))
    if len(keys) > most:
        many = len(entities) if isinstance(entities, Sized) else f"more than {most}"
        msg = f"{many} entities requested; entities_max is {most}: split the request"
        raise LimitExceededError(msg)
    stored: list[str] | None = None
    for entity, type_name in dict.fromkeys((each.entity, each.entity_type) for each in snapshots):
        given: Sequence[object] = keys if stored is None else stored
        stored = _all_stored(given, type_name) or [
            _stored(key, entity, type_name, f"{what}[{place}]") for place, key in enumerate(given)
        ]
    return list(map(str, keys)) if stored is None else stored


def _all_stored(keys: Sequence[object], type_name: str) -> list[str] | None:
    """Return what `_stored` makes of each key, in one go; None if they are to be looked at singly.

    Hot path: most requests have plain keys that are right.
    """
    kinds = set(map(type, keys))
    if kinds == {int}:
        numbers: list[int] = keys  # type: ignore[assignment]  # as `kinds` says
        bounds = type_name if type_name in WHOLE_BITS else "BIGINT"
        return list(map(str, numbers)) if _all_fit(numbers, bounds) else None
    if kinds != {str}:
        return None
    texts: list[str] = keys  # type: ignore[assignment]  # as `kinds` says
    if type_name not in WHOLE_BITS:
        return texts
    try:
        numbers = list(map(int, texts))
    except ValueError:
        return None
    is_right = _all_fit(numbers, type_name) and list(map(str, numbers)) == texts
    return texts if is_right else None


def _all_fit(numbers: Sequence[int], type_name: str) -> bool:
    return _fits(min(numbers), type_name) and _fits(max(numbers), type_name)


def stored_key(key: object, snapshot: KeyType, place: str) -> str:
    """Return one key as the store has it.

    Args:
        key: What was given.
        snapshot: The feature set that is asked.
        place: Where it was given, such as `entities[3]` or `keys.txt:4`, for the error.

    Raises:
        CallerError: It cannot be a key of the feature set's entity.
    """
    return _stored(key, snapshot.entity, snapshot.entity_type, place)


def can_be_stored(entity: str) -> bool:
    """Return whether any event can have had this entity; of others nothing needs to be read."""
    try:
        encoded = entity.encode()
    except UnicodeEncodeError:
        return False
    return 0 < len(encoded) <= ENTITY_BYTES_MAX and "\0" not in entity


def _listed(entities: Entities, what: str) -> Iterable[object]:
    """Return what is in a list of keys.

    Raises:
        CallerError: It is something else that could be mistaken for one.
    """
    kind = type(entities).__name__
    if isinstance(entities, str):
        msg = f"{what} is a string; write [{_shown(entities)}], a list of keys"
    elif isinstance(entities, bytes | bytearray | memoryview | io.IOBase):
        msg = f"{what} is {kind}; write a list of keys, such as ['4711']"
    elif isinstance(entities, Mapping):
        msg = f"{what} is a {kind}; write a list of its keys"
    elif isinstance(entities, AbstractSet) and not isinstance(entities, KeysView):
        msg = f"{what} is a {kind}, which has no order; pass a list, such as sorted(...)"
    elif getattr(entities, "ndim", 1) != 1:
        dimensions = getattr(entities, "ndim", 0)
        msg = f"{what} is a {kind} of {dimensions} dimensions; pass one column of keys"
    elif getattr(getattr(entities, "dtype", None), "kind", "O") not in _NUMPY_KEYS:
        msg = f"{what} is a {kind} of {getattr(entities, 'dtype', '')}, which cannot be keys"
    elif isinstance(entities, Iterable):
        # numpy, pandas and Arrow hand out plain values, missing ones as they are.
        plain = getattr(entities, "tolist", None) or getattr(entities, "to_pylist", None)
        return plain() if plain else entities
    else:
        msg = f"{what} is {_shown(entities)}, not a list of keys; write [{_shown(entities)}]"
    raise CallerError(msg)


def _stored(key: object, entity: str, type_name: str, place: str) -> str:
    if isinstance(key, str):
        text = str.__str__(key)
    elif isinstance(key, Integral) and not isinstance(key, bool):
        text = str(int(key)) if abs(int(key)) < INTEGERS_END else ""
    elif type_name in WHOLE_BITS and isinstance(key, Real) and not isinstance(key, bool):
        text = _whole_float(float(key))
    else:
        text = ""
    is_key = isinstance(key, str) or bool(text)
    if type_name in WHOLE_BITS:
        is_key = bool(_WHOLE.fullmatch(text)) and text != "-0" and _fits(int(text), type_name)
    if is_key:
        return text
    msg = f"{place} is {_shown(key)}, and {entity} is {_wanted(type_name)}"
    raise CallerError(msg)


def _whole_float(value: float) -> str:
    """Write a float that is a whole number, exactly; empty if it is none, or may be another's."""
    return str(int(value)) if value.is_integer() and abs(value) < EXACT_FLOAT_MAX else ""


def _fits(value: int, type_name: str) -> bool:
    bound = 1 << WHOLE_BITS[type_name]
    return -bound <= value < bound


def _wanted(type_name: str) -> str:
    if type_name in WHOLE_BITS:
        bits = WHOLE_BITS[type_name]
        return (
            f"{type_name}: an integer from -2^{bits} to 2^{bits}-1, such as 4711 or '4711', "
            f"without blanks, plus sign or leading zeros"
        )
    return f"{type_name or 'a text'}: write its keys as strings, such as '4711'"


def _shown(value: object) -> str:
    if isinstance(value, int) and abs(value) >= INTEGERS_END:
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."
