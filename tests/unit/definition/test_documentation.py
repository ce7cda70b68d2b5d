"""docs/definitions.md says what there is, and its examples load."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from feature_platform.definition import features, featureset, source
from feature_platform.definition.functions import AGGREGATES, FUNCTIONS
from feature_platform.definition.loading import Project, load_project

PAGE = (Path(__file__).parents[3] / "docs" / "definitions.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
WORDS = (*FUNCTIONS, *AGGREGATES, *source.KEYS, *featureset.KEYS, *featureset.SETTINGS)


@pytest.mark.parametrize(
    "history", ["", EXAMPLES[1], EXAMPLES[2]], ids=["topic alone", "with history", "Delta"]
)
def test_the_examples_load(tmp_path: Path, history: str) -> None:
    """The documented source and feature set have no mistake."""
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "post_events.yaml").write_text(EXAMPLES[0] + history)
    (tmp_path / "post_engagement.yaml").write_text(EXAMPLES[3])

    project = load_project(tmp_path)

    assert project.problems == ()
    assert bool(project.sources["post_events"].history) is bool(history)
    served = [
        name
        for each in project.featuresets["post_engagement"].features
        for name in each.served_names
    ]
    assert {"views_30m", "views_2h", "views_1d", "views_lifetime", "language"} <= set(served)


@pytest.mark.parametrize("word", sorted({*WORDS, *features.KEYS}))
def test_everything_is_documented(word: str) -> None:
    """Each function, aggregate, key and setting stands on the page."""
    assert re.search(rf"\b{word}\b", PAGE)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_example_of_a_function_is_right(
    name: str, load: Callable[[dict[str, str]], Project]
) -> None:
    """The example that an error message gives is itself accepted."""
    text = """\
featureset: example
entity: id
source: examples
sql: |
  SELECT id, LAST_VALUE({}) AS x FROM examples GROUP BY id
features: {{x: latest}}
"""
    examples = """\
source: examples
topic: examples
event_time: ts
columns: {id: BIGINT, delay: INT, likes: BIGINT, language: STRING, title: STRING, origin: STRING,
  dest: STRING, ts: TIMESTAMP}
"""
    files = {"example.yaml": text.format(FUNCTIONS[name].example), "sources/e.yaml": examples}

    assert load(files).problems == ()
