"""Public names are few and listed; everything else may change."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "feature_platform"
PUBLIC = (
    "feature_platform",
    "feature_platform.serving",
    "feature_platform.testing",
    "feature_platform.training",
)


def _packages() -> list[str]:
    folders = (path.parent.relative_to(ROOT.parent) for path in ROOT.rglob("__init__.py"))
    return sorted(".".join(folder.parts) for folder in folders)


@pytest.mark.parametrize("name", PUBLIC)
def test_exported_names_are_listed_in_order(name: str) -> None:
    """A public package lists what it exports, sorted, and has all of it."""
    package = import_module(name)
    listed = list(getattr(package, "__all__", []))
    assert listed == sorted(listed)
    assert [each for each in listed if not hasattr(package, each)] == []


@pytest.mark.parametrize("name", [each for each in _packages() if each not in PUBLIC])
def test_other_packages_export_nothing(name: str) -> None:
    """The `__init__` of an internal package is its docstring alone."""
    path = ROOT.parent.joinpath(*name.split(".")) / "__init__.py"
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1
