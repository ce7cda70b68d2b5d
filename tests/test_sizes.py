"""Files and functions stay small enough to be read in one go."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("feature_platform", "streaming", "backfill", "bench", "tests")
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
JAVA_LINES_MAX = 500


def _python_files() -> list[Path]:
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    return sorted(path for path in files if not path.stem.endswith("_pb2"))


def _java_files() -> list[Path]:
    return sorted((ROOT / "kernel" / "src").rglob("*.java"))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines without its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


@pytest.mark.parametrize("path", _python_files(), ids=_name)
def test_a_module_is_short(path: Path) -> None:
    """A Python module has at most 400 lines."""
    assert len(path.read_text().splitlines()) <= MODULE_LINES_MAX


@pytest.mark.parametrize("path", _python_files(), ids=_name)
def test_functions_are_short(path: Path) -> None:
    """A function has at most 60 lines, its docstring not counted."""
    long = {
        function.name: _length(function)
        for function in _functions(ast.parse(path.read_text()))
        if _length(function) > FUNCTION_LINES_MAX
    }
    assert long == {}


@pytest.mark.parametrize("path", _java_files(), ids=_name)
def test_a_java_file_is_short(path: Path) -> None:
    """A Java file has at most 500 lines."""
    assert len(path.read_text().splitlines()) <= JAVA_LINES_MAX
