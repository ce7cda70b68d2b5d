"""What a person reads is plain English: some words are never in messages, pages and docstrings."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BETTER: dict[str, str] = {
    r"told|tells?": "reports, says, shows",
    r"stands?": "is",
    r"go(es|ing|ne)? on|went on": "continues, keeps running, restarts, restores",
    r"anew": "again, re-",
    r"for ever": "permanently, never",
    r"so many": "a number of",
    r"recount(s|ed|ing)?": "recomputes",
    r"mend(s|ed|ing)?": "fixes, corrects, repairs",
    r"broken off": "interrupted",
    r"all the same": "anyway, still",
    r"not let": "fenced off, not allowed to",
    r"is no (number|text|instant|time|place|topic|folder|JSON|ISO-8601)": "is not a",
    r"void|dead attempts?": "abandoned, fenced off, no longer valid",
}
"""Words that a reader stumbles over, and what is said instead."""
ALLOWED = ("told apart", "stand for", "stands for", "stand out", "stands still")
"""Phrases in which one of the words is the right one."""
CODE = re.compile(r"```.*?```|`[^`\n]*`|\]\([^)]*\)|<!--.*?-->", re.DOTALL)
"""What a page quotes: blocks, names, and where links lead."""
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
LINE_COMMENT = re.compile(r"//.*")
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
PAGES = (
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
)
PYTHON = (
    ROOT / "definitions.py",
    *sorted((ROOT / "streaming").rglob("*.py")),
    *sorted((ROOT / "backfill").rglob("*.py")),
    *sorted((ROOT / "feature_platform").rglob("*.py")),
)
JAVA = sorted((ROOT / "kernel" / "src" / "main").rglob("*.java"))
HELP = ROOT / "feature_platform" / "cli"
"""Where docstrings of functions are the help of commands."""


def hard_words(text: str) -> list[str]:
    """Return the words of a text that have a plainer one, each with that."""
    for phrase in ALLOWED:
        text = text.replace(phrase, "")
    return [
        f"{found[0]!r} (better: {plain}) in {text.strip()[:100]!r}"
        for word, plain in BETTER.items()
        if (found := re.search(rf"\b(?:{word})\b", text, re.IGNORECASE))
    ]


def sentences(path: Path) -> Iterator[str]:
    """Yield the texts of a Python file that a person may read: those with a space in them."""
    tree = ast.parse(path.read_text())
    quiet: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            quiet.add(node.value)  # a docstring, for whoever reads the code
        if isinstance(node, ast.JoinedStr):
            quiet.update(node.values)
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
        if HELP in path.parents and isinstance(node, ast.FunctionDef):
            yield ast.get_docstring(node) or ""
        if isinstance(node, ast.Constant) and node not in quiet and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_messages_are_plain(path: Path) -> None:
    """Errors, plans, status, help, and what Dagster shows."""
    assert not [hard for text in sentences(path) if " " in text for hard in hard_words(text)]


def notes(path: Path) -> Iterator[str]:
    """Yield the lines of a Python file's docstrings and comments."""
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(docstring))):
                yield from docstring.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_are_plain(path: Path) -> None:
    """And comments: for whoever reads the code."""
    assert not [hard for line in notes(path) for hard in hard_words(CODE.sub("", line))]


@pytest.mark.parametrize("path", JAVA, ids=lambda path: path.name)
def test_the_kernels_messages_are_plain(path: Path) -> None:
    """Exceptions, logs and the details of dead letters."""
    texts = LITERAL.findall(COMMENT.sub("", path.read_text()))
    assert not [hard for text in texts if " " in text for hard in hard_words(text)]


@pytest.mark.parametrize("path", JAVA, ids=lambda path: path.name)
def test_the_kernels_comments_are_plain(path: Path) -> None:
    """Javadoc and comments of lines: for whoever reads the code."""
    text = path.read_text()
    lines = [line for block in COMMENT.findall(text) for line in block.splitlines()]
    assert not [hard for line in lines + LINE_COMMENT.findall(text) for hard in hard_words(line)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_are_plain(path: Path) -> None:
    """All but what a page quotes of code."""
    lines = CODE.sub("", path.read_text()).splitlines()
    assert not [hard for line in lines for hard in hard_words(line)]


@pytest.mark.parametrize(
    ("text", "hard"),
    [
        ("topic x was deleted and made anew", True),
        ("it goes on from its savepoint", True),
        ("'x' is no instant", True),
        ("rows cannot be told apart from those of a crash", False),
        ("restart it from the store: fp recover", False),
    ],
)
def test_the_check_sees_what_it_is_for(*, text: str, hard: bool) -> None:
    """A word is found in a sentence, and an allowed phrase is not."""
    assert bool(hard_words(text)) is hard
