"""The JSON Schema of definitions takes what the readers take, and refuses keys that they refuse."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from feature_platform.definition import lists
from feature_platform.definition.loading import DefinitionFile, load_files
from feature_platform.definition.schema import Schema, definitions_schema
from feature_platform.starter.project import TEMPLATES
from tests.integration import everything

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden"
Place = tuple[Any, ...]
SCHEMA = definitions_schema()
CHECK = Draft7Validator(SCHEMA)
FENCE = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
KINDS = ("featureset", "source", "list")


class Loader(yaml.SafeLoader):
    """Reads YAML as editors do: a date is a text, `<<` a key."""


Loader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if not each[0].endswith(("timestamp", "merge"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parsed(text: str) -> Any:  # noqa: ANN401 - YAML
    """Return what an editor sees of a file."""
    return yaml.load(text, Loader)  # noqa: S506 - a safe loader


def complaints(data: object) -> list[str]:
    """Return what the schema has against a file."""
    return [f"{error.json_path}: {error.message}" for error in CHECK.iter_errors(data)]


def examples() -> Iterator[tuple[str, str]]:
    """Yield every whole definition of the repository that is meant to be good."""
    folders = (ROOT / "featuresets", GOLDEN / "sql", TEMPLATES)
    for folder in folders:
        for path in sorted(folder.rglob("*.yaml")):
            yield str(path.relative_to(ROOT)), path.read_text()
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for number, block in enumerate(FENCE.findall(path.read_text())):
            yield f"{path.name} {number}", block
    for name in ("SOURCE", "EVERYTHING", "LARGE"):
        yield name, getattr(everything, name).format(name="everything")


def is_definition(text: str) -> bool:
    """Tell whether a text is a whole file, not a part of one."""
    data = parsed(text)
    has_query = isinstance(data, dict) and {"sql", "columns", "version"} & data.keys()
    return bool(has_query and {*KINDS} & data.keys())


EXAMPLES = {name: text for name, text in examples() if is_definition(text)}

FULL_SOURCE = """\
source: posts
topic: posts
event_time: ts
columns: {post_id: BIGINT, action: string, price: "decimal(10, 2)", ts: TIMESTAMP, answer: STRING}
labels:
  keys: [post_id]
  within: 30m
  sql: SELECT COUNT(*) > 0 AS clicked FROM posts
history:
  files: [a.csv, b.csv]
  format: csv
  until: 2026-01-01T00:00:00Z
  delimiter: ";"
  columns: {post_id: id, action: null, price: p, ts: t, answer: null}
"""
FULL = """\
featureset: posts_all
description: All keys.
owner: tests
entity: post_id
source: posts
sql: |
  SELECT post_id, COUNT(*) AS views, SUM(price) AS price, LAST_VALUE(action) AS action
  FROM posts GROUP BY post_id
features:
  views: {windows: [30m, 1d], lifetime: true, description: Seen.}
  price: {windows: [1d], scale: 2}
  action: latest
grid: [1m, 30m, 1d]
settings: {state_ttl: 2h, parallelism: 2, on_change: rebuild, keep: 1d}
statistics: {against: 7d, rows_min: 10, limits: {"*": {psi: <= 0.2}, price: {mean: [1, 2]}}}
tests:
  - name: one
    events:
      - {event: {post_id: 1, action: view, ts: 1767225600000}, appended: 2026-01-01T00:00:00Z}
    at: 2026-01-01T00:01:00Z
    entity: 1
    expect: {views_30m: 1, action: view}
"""
FULL_LIST = """\
list: ranker
version: 3
owner: tests
entities: [post_id]
features:
  - posts_all.views_30m
  - {name: posts_all.action, as: shown, default: none, max_age: 1h}
statistics: {against: 2026-01-01, limits: {shown: {nulls: <= 0.5}}}
"""
FILES = {"sources/posts.yaml": FULL_SOURCE, "full.yaml": FULL, "lists/ranker.yaml": FULL_LIST}


def problems(texts: dict[str, str]) -> list[str]:
    """Return what the readers have against a project."""
    files = [DefinitionFile(path=path, data=text.encode()) for path, text in texts.items()]
    return [str(each) for each in load_files(files).problems]


def fixed(schema: Schema, data: object, path: Place = ()) -> Iterator[Place]:
    """Yield where in a file there is a mapping whose keys are all known."""
    if "$ref" in schema:
        schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]
    for each in schema.get("anyOf", ()):
        yield from fixed(each, data, path)
    if "if" in schema and Draft7Validator(schema["if"]).is_valid(data):
        yield from fixed(schema["then"], data, path)
    if isinstance(data, dict) and schema.get("type") == "object":
        if schema.get("additionalProperties") is False:
            yield path
        for key, value in data.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            if isinstance(inner, dict):
                yield from fixed(inner, value, (*path, key))
    if isinstance(data, list) and schema.get("type") == "array":
        for number, value in enumerate(data):
            yield from fixed(schema["items"], value, (*path, number))


def places() -> Iterator[tuple[str, Place]]:
    """Yield each file with each of its mappings whose keys are all known."""
    kinds = {"sources/posts.yaml": "source", "full.yaml": "featureset", "lists/ranker.yaml": "list"}
    for path, kind in kinds.items():
        for place in fixed(SCHEMA["definitions"][kind], parsed(FILES[path])):
            yield path, place


PLACES = list(places())


def test_the_schema_is_one() -> None:
    """By the dialect's own schema, and every key has words."""
    Draft7Validator.check_schema(SCHEMA)
    keys = re.findall(r'"description": "([^"]*)"', json.dumps(SCHEMA))
    assert len(keys) > 50
    assert all(text.endswith(".") or ":" in text for text in keys), keys


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_taken(name: str) -> None:
    """Those of the documentation, of a new project, of the demo and of tests."""
    assert complaints(parsed(EXAMPLES[name])) == []


def test_there_are_examples() -> None:
    """Of each kind, many from the documentation."""
    found = [
        next(kind for kind in ("featureset", "list", "source") if kind in parsed(text))
        for text in EXAMPLES.values()
    ]
    assert min(found.count(kind) for kind in KINDS) >= 1
    assert sum(".md" in name for name in EXAMPLES) >= 5


def test_a_project_with_all_keys_is_taken_by_both() -> None:
    """The readers have nothing against it, either."""
    assert problems(FILES) == []
    assert [complaints(parsed(text)) for text in FILES.values()] == [[], [], []]


def test_all_kinds_of_mappings_are_looked_at() -> None:
    """Source, history, labels, feature, settings, statistics, limits, test, list, its features."""
    assert (
        len(
            {
                (path, tuple(part for part in place if not isinstance(part, int)))
                for path, place in PLACES
            }
        )
        >= 14
    )


@pytest.mark.parametrize(("path", "place"), PLACES)
def test_an_unknown_key_is_refused_by_both(path: str, place: Place) -> None:
    """Wherever it stands."""
    data = copy.deepcopy(parsed(FILES[path]))
    inner = data
    for part in place:
        inner = inner[part]
    inner["zyx"] = "<= 1"
    told = problems({**FILES, path: yaml.safe_dump(data, sort_keys=False)})
    assert any("`zyx`" in each for each in told), told
    assert complaints(data)


def test_what_readers_call_an_unknown_key_is_refused() -> None:
    """Each golden mistake of that kind."""
    tried = 0
    for path in sorted((GOLDEN / "errors").glob("*.txt")):
        if "unknown key" in path.read_text():
            tried += 1
            assert complaints(parsed(path.with_suffix(".yaml").read_text())), path.name
    assert tried >= 4


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("full.yaml", "windows: [1d]", "windows: [1 day]"),
        ("full.yaml", "lifetime: true", "lifetime: often"),
        ("full.yaml", "parallelism: 2", "parallelism: 0"),
        ("full.yaml", "on_change: rebuild", "on_change: later"),
        ("full.yaml", "featureset: posts_all", "featureset: Posts"),
        ("full.yaml", "entity: post_id\n", ""),
        ("full.yaml", "psi: <= 0.2", "psi: < 0.2"),
        ("sources/posts.yaml", "post_id: BIGINT", "post_id: BIGNUM"),
        ("sources/posts.yaml", "topic: posts", "topic: posts of all"),
        ("lists/ranker.yaml", "version: 3", "version: 0"),
        ("lists/ranker.yaml", "max_age: 1h", "max_age: 60"),
    ],
)
def test_a_wrong_value_is_refused_by_both(path: str, old: str, new: str) -> None:
    """Of each type of value."""
    assert FILES[path].count(old) == 1
    text = FILES[path].replace(old, new)
    assert problems({**FILES, path: text})
    assert complaints(parsed(text))


def test_a_key_that_is_not_described_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the schema cannot fall behind the readers."""
    monkeypatch.setattr(lists, "KEYS", (*lists.KEYS, "colour"))
    with pytest.raises(KeyError, match="colour"):
        definitions_schema()
