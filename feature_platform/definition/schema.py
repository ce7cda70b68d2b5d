"""The JSON Schema of definitions, for editors: keys, types and words as the readers take them.

Each table of keys is the reader's own: a key without a description here, or the other way round, is
an error at once. What a definition means together (columns of the query, grids) readers judge.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from feature_platform.definition import (
    features,
    featureset,
    history,
    labels,
    lists,
    read_examples,
    read_limits,
    source,
)
from feature_platform.definition.limits import EVERY
from feature_platform.definition.model import TypeName
from feature_platform.definition.names import COLUMN, NAME, RESERVED, TOPIC
from feature_platform.tiles.grid import DURATION

DIALECT = "http://json-schema.org/draft-07/schema#"
"""What editors know best."""
FILE = "schema.json"
"""Its name in the folder of definitions."""
Schema = dict[str, Any]


def definitions_schema() -> Schema:
    """Return the schema of every YAML file of a project; its first key says which it is."""
    kinds = {"featureset": _featureset(), "list": _list(), "source": _source()}
    chosen: Schema = _ref("source")
    for kind in ("list", "featureset"):
        chosen = {"if": {"required": [kind]}, "then": _ref(kind), "else": chosen}
    return {
        "$schema": DIALECT,
        "title": "Definitions of the feature platform",
        "definitions": kinds,
        "type": "object",
        **chosen,
    }


def schema_text() -> str:
    """Return the schema as the content of a file."""
    return f"{json.dumps(definitions_schema(), indent=2)}\n"


def _ref(kind: str) -> Schema:
    return {"$ref": f"#/definitions/{kind}"}


def _source() -> Schema:
    columns = _mapping(_type(), COLUMN.pattern, 1, source.COLUMNS_MAX)
    keys = {
        "source": (_name(), "Name of the source; feature sets read it by this name."),
        "description": (_text(), "Text for readers."),
        "topic": (_text(TOPIC.pattern), "Topic in Kafka or Redpanda."),
        "format": (_word("json"), "One JSON object per event."),
        "event_time": (
            _text(),
            "The column with an event's time: a TIMESTAMP, or a BIGINT with a number since 1970.",
        ),
        "event_time_unit": (
            _word(*source.TIME_UNITS),
            "Unit of a numeric event time; default: ms.",
        ),
        "max_future": (
            _duration(),
            "Events later than the record's timestamp by more are dead letters; default: 5m.",
        ),
        "max_past": (
            _duration(),
            "Events earlier than the record's timestamp by more are dead letters; default: 7300d.",
        ),
        "columns": (columns, "Fields of the events and their types; other fields are ignored."),
        "labels": (_labels(), "What events mean for a row that was served before."),
        "history": (_history(), "A table with the events from before the topic took over."),
    }
    return _object(source.KEYS, keys, "source", "topic", "event_time", "columns")


def _history() -> Schema:
    files = {"anyOf": [_text(), _items(_text(), 1, history.PATTERNS_MAX)]}
    keys = {
        "files": (files, "Files, folders or patterns; of a Delta table its folder."),
        "format": (_word(*history.FORMATS), "Default: parquet."),
        "until": (
            _text(),
            "The seam, an instant with its zone: events before it come from the table.",
        ),
        "columns": (
            _mapping({"anyOf": [_text(), {"type": "null"}]}, COLUMN.pattern, 1, source.COLUMNS_MAX),
            "By column of the source the table's, or null if it has none.",
        ),
        "version": (
            _whole(0, history.VERSION_MAX),
            "Raise it when the files have other contents; of a Delta table the version to import.",
        ),
        "delimiter": (
            {"type": "string", "minLength": 1, "maxLength": 1},
            "Of CSV: the character between values; default: a comma.",
        ),
        "null_value": (
            {"type": "string"},
            "Of CSV: a string that stands for NULL, beside an empty field.",
        ),
    }
    return _object(history.KEYS, keys, "files", "until", "columns")


def _labels() -> Schema:
    named = _items(_text(), 1, labels.KEYS_MAX)
    mapped = _mapping(_text(), ".+", 1, labels.KEYS_MAX)
    keys = {
        "keys": (
            {"anyOf": [named, mapped]},
            "Kinds of entity that the events name, or their columns.",
        ),
        "request": (_text(), "The column with the id of the answer."),
        "within": (_duration(), "How long after a row an event counts for it."),
        "late": (_duration(), "How late events come."),
        "sql": (_text(), "A SELECT of aggregates: the labels."),
    }
    made = _object(labels.KEYS, keys, "sql")
    return {**made, "anyOf": [{"required": ["keys"]}, {"required": ["request"]}]}


def _featureset() -> Schema:
    keys = {
        "featureset": (_name(), "Name of the feature set; what it serves is FEATURESET.NAME."),
        "description": (_text(), "Text for readers."),
        "owner": (_text(), "Who answers for it."),
        "entity": (_text(COLUMN.pattern), "The column that features are about."),
        "source": (_name(), "The source that the query reads."),
        "sql": (_text(), "One SELECT, grouped by the entity; each aggregate is a feature."),
        "features": (
            _mapping(_feature(), NAME.pattern, 1, features.FEATURES_MAX, but=RESERVED),
            "What is served of each aggregate of the query.",
        ),
        "grid": (
            _items(_duration(), 1, featureset.LEVELS_MAX),
            "Lengths of tiles, each a multiple of the one before.",
        ),
        "settings": (_settings(), "How the job runs."),
        "statistics": (
            _statistics(read_limits.IN_FEATURESET),
            "How the events of a day are judged.",
        ),
        featureset.TESTS: (
            _items(_test(), 1, read_examples.TESTS_MAX),
            "Given events and the values that must be served of them; `fp test` runs them.",
        ),
    }
    required = ("featureset", "entity", "source", "sql", "features")
    return _object(featureset.KEYS, keys, *required)


def _feature() -> Schema:
    keys = {
        "windows": (
            _items(_duration(), 1, features.WINDOWS_MAX),
            "Lengths of time up to now, each a multiple of the finest tile.",
        ),
        "lifetime": ({"type": "boolean"}, "Since counting began."),
        "latest": ({"type": "boolean"}, "The value of a property now."),
        "scale": (
            _whole(0, features.SCALE_MAX),
            "Digits that SUM and AVG of DOUBLE and DECIMAL keep after the decimal point.",
        ),
        "description": (_text(), "Text for readers."),
    }
    return {"anyOf": [_word("latest"), _object(features.KEYS, keys)]}


def _settings() -> Schema:
    keys = {
        "state_ttl": (_duration(), "How long the kernel keeps an idle entity in memory."),
        "sql_state_ttl": (_duration(), "How long Flink's SQL keeps an idle group."),
        "checkpoint_interval": (_duration(), "How often the job makes a checkpoint."),
        "flush_interval": (_duration(), "How often rows are written to the store."),
        "parallelism": (
            _whole(1, featureset.PARALLELISM_MAX),
            "How many tasks the job has.",
        ),
        "keep": (_duration(), "How far back windows of a past instant can be read."),
        "on_change": (
            _word("forward", "rebuild"),
            "Whether a changed feature counts from now on, or is recomputed from all events.",
        ),
    }
    return _object(featureset.SETTINGS, keys)


def _test() -> Schema:
    instant: Schema = {"anyOf": [{"type": "integer"}, _text()]}
    appended = {
        "event": ({"type": "object"}, "The event as the topic has it."),
        "appended": (instant, "When the broker took it."),
    }
    event: Schema = {
        "type": "object",
        "if": {"required": ["event"], "properties": {"event": {"type": "object"}}},
        "then": _object(read_examples.EVENT_KEYS, appended),
    }
    keys = {
        "name": (_text(), "What is printed if it fails."),
        "events": (
            _items(event, 0, read_examples.EVENTS_MAX),
            "JSON objects as the topic has them; or {event: {...}, appended: INSTANT}.",
        ),
        "entity": (
            {"anyOf": [{"type": "integer"}, {"type": "string", "minLength": 1}]},
            "The key that is asked for.",
        ),
        "at": (instant, "The instant of the request; default: the newest event's time."),
        "expect": (
            {"type": "object", "minProperties": 1},
            "Values by served name; null where there is none.",
        ),
    }
    return _object(read_examples.KEYS, keys, "name", "events", "entity", "expect")


def _list() -> Schema:
    keys = {
        "list": (_name(), "Name of the feature list."),
        "version": (_whole(1, lists.VERSION_MAX), "Raise it with every change."),
        "owner": (_text(), "Who answers for it."),
        "description": (_text(), "Text for readers."),
        "entities": ({"type": "array", "items": _text()}, "Every kind of key a request has."),
        "features": (
            _items(_listed(), 1, lists.FEATURES_MAX),
            "The columns of an answer, in order: FEATURESET.NAME.",
        ),
        "statistics": (_statistics(read_limits.IN_LIST), "How what is served is judged."),
    }
    return _object(lists.KEYS, keys, "list", "version", "features")


def _listed() -> Schema:
    plain = {"type": ["string", "number", "boolean"]}
    keys = {
        "name": (_text(), "FEATURESET.NAME."),
        "as": (_text(lists.COLUMN.pattern), "Another name for the column of the answer."),
        "default": (
            {"anyOf": [plain, {"type": "array", "items": plain}]},
            "What is answered where there is no value.",
        ),
        "max_age": (_duration(), "A property that is older is no value."),
    }
    return {"anyOf": [_text(), _object(lists.FEATURE_KEYS, keys, "name")]}


def _statistics(scope: read_limits.Scope) -> Schema:
    pair = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    limit = {"anyOf": [_text(r"\s*(<=|>=)\s*\S+\s*"), pair]}
    of_feature: Schema = {
        "type": "object",
        "properties": dict.fromkeys(scope.measures, limit),
        "additionalProperties": False,
    }
    keys = {
        "against": (_text(), "The day to compare with, or how long before each: 7d."),
        "rows_min": (
            _whole(1, read_limits.ROWS_MIN_MAX),
            "A day with fewer rows of a feature is not judged.",
        ),
        "limits": (
            {"type": "object", "additionalProperties": of_feature},
            f"By feature, or {EVERY!r} for all, and measure: <= 0.1, '>= 5' or [5, 10].",
        ),
    }
    return _object(read_limits.KEYS, keys)


def _object(known: Iterable[str], keys: Mapping[str, tuple[Schema, str]], *required: str) -> Schema:
    """Return the schema of a mapping with the keys that its reader knows.

    Raises:
        KeyError: The reader knows a key that is not described, or does not know one that is.
    """
    names = tuple(known)
    if strange := keys.keys() ^ {*names}:
        raise KeyError(*sorted(strange))
    return {
        "type": "object",
        "properties": {name: {**keys[name][0], "description": keys[name][1]} for name in names},
        "required": list(required),
        "additionalProperties": False,
    }


def _mapping(
    values: Schema, pattern: str, least: int, most: int, *, but: Iterable[str] = ()
) -> Schema:
    names = {**_text(pattern), "not": {"enum": sorted(but)}}
    return {
        "type": "object",
        "propertyNames": names,
        "additionalProperties": values,
        "minProperties": least,
        "maxProperties": most,
    }


def _items(each: Schema, least: int, most: int) -> Schema:
    return {"type": "array", "items": each, "minItems": least, "maxItems": most}


def _text(pattern: str = "") -> Schema:
    """Return a text that is not blank; with a pattern, one that is as a whole as it says."""
    whole = f"^(?:{pattern})$".replace(r"\Z", "$") if pattern else r"\S"
    return {"type": "string", "pattern": whole}


def _name() -> Schema:
    return {**_text(NAME.pattern), "not": {"enum": sorted(RESERVED)}}


def _word(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def _whole(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _duration() -> Schema:
    return _text(rf"\s*{DURATION.pattern}\s*")


def _type() -> Schema:
    """Return the type of a column, in any case: patterns of editors know no flag for that."""
    plain = [_any_case(name) for name in get_args(TypeName) if name != "DECIMAL"]
    decimal = rf"{_any_case('DECIMAL')}\(\s*\d{{1,3}}\s*(?:,\s*\d{{1,3}}\s*)?\)"
    return _text(rf"\s*(?:{'|'.join((*plain, decimal))})\s*")


def _any_case(word: str) -> str:
    return "".join(f"[{letter}{letter.lower()}]" for letter in word)
