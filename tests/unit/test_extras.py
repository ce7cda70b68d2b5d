"""A bare install serves features, and says which extras a command needs."""

import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import get_args

import pytest
from packaging.requirements import Requirement

from feature_platform import extras
from feature_platform.errors import MissingExtraError
from feature_platform.extras import ALL, MODULES, Extra, require

ROOT = Path(__file__).parents[2]
PACKAGE = "feature_platform"
RUN = "import sys; sys.path.insert(0, sys.argv.pop(1)); "
SERVE = "import feature_platform.serving, feature_platform.store.cql, feature_platform.registry.cql"
MAIN = "from feature_platform.cli.entry import main; main()"


def _needed(name: str, known: set[str]) -> set[str]:
    """Return the distributions that one needs without any extra, itself included."""
    if name in known:
        return known
    known.add(name)
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            _needed(requirement.name.lower().replace("_", "-"), known)
    return known


@pytest.fixture(name="bare", scope="module")
def _bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages as after `pip install feature-platform`: links to what is here."""
    folder = tmp_path_factory.mktemp("bare")
    for name in _needed("feature-platform", set()):
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (folder / top).exists() and not top.endswith(".pth"):
                (folder / top).symlink_to(Path(str(found.locate_file(top))))
    shutil.copytree(ROOT / PACKAGE, folder / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / PACKAGE / "_shipped").mkdir()
    return folder


def _run(bare: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program with these packages alone."""
    command = [sys.executable, "-I", "-S", "-c", RUN + program, str(bare), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_a_bare_install_serves(bare: Path) -> None:
    """What a ranker imports is there, and nothing of the extras."""
    names = sorted({name for modules in MODULES.values() for name in modules} - {"yaml"})

    found = f"import importlib.util; print(list(filter(importlib.util.find_spec, {names})))"
    ran = _run(bare, f"{SERVE}; {found}")

    assert (ran.stdout, ran.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    ("arguments", "needs", "packages"),
    [
        (("up",), "fp up needs the extras cli, flink, dagster", "cli,flink,dagster"),
        (("--project", "/", "check"), "fp check needs the extras cli, spark", "cli,spark"),
        (("validate",), "fp needs the extra cli", "cli"),
        ((), "fp needs the extra cli", "cli"),
    ],
)
def test_a_bare_install_says_what_a_command_needs(
    bare: Path, arguments: tuple[str, ...], needs: str, packages: str
) -> None:
    """One line names the missing extras and how to get them, instead of a traceback."""
    ran = _run(bare, MAIN, *arguments)

    way = f"pip install 'feature-platform[{packages}]' (or [all], which has every extra)"
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", f"{needs}: {way}\n")


def test_what_is_installed_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the missing extras are named."""
    monkeypatch.setitem(extras.MODULES, "flink", ("no_such_module",))

    require("fp validate", "cli")
    with pytest.raises(MissingExtraError, match="fp up needs the extra flink: "):
        require("fp up", "cli", "flink")


def test_the_extras_are_those_of_the_package() -> None:
    """`pyproject.toml` has the extras that the code knows, and one for all of them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = project["optional-dependencies"]

    assert set(get_args(Extra)) == set(MODULES) == set(declared) - {ALL}
    (everything,) = map(Requirement, declared[ALL])
    assert (everything.name, everything.extras) == ("feature-platform", set(MODULES))
