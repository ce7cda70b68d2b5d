"""The list of what a query may do is whole, and the docs show it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

from feature_platform.definition import coerce
from feature_platform.definition.expression import Expression, Op
from feature_platform.definition.functions import FUNCTIONS
from tests.unit.definition.allow_list import checked, table

DOCS = Path(__file__).parents[3] / "docs" / "definitions.md"
BEGIN, END = "<!-- allow-list: written by `make golden` -->", "<!-- end of allow-list -->"


def _nodes(node: Expression) -> Iterator[Expression]:
    yield node
    for arg in node.args:
        yield from _nodes(arg)


def test_everything_that_is_allowed_is_tried_in_both_engines() -> None:
    """Each operation, function and cast stands in an expression of the list."""
    nodes = [node for _, value in checked() for node in _nodes(value)]
    assert {node.op for node in nodes} == set(get_args(Op)) - {"fixed"}  # of sums
    assert {node.value for node in nodes if node.op == "function"} == set(FUNCTIONS)
    casts = {(node.args[0].type.name, node.type.name) for node in nodes if node.op == "cast"}
    assert casts >= coerce._WIDENINGS - {("BOOLEAN", "STRING")}  # which is written as a CASE


def test_the_docs_show_the_list(golden: Callable[[Path, str], None]) -> None:
    """`make golden` writes it there."""
    text = DOCS.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    golden(DOCS, f"{before}{BEGIN}\n{table()}\n{END}{after}")
