"""The compiled core is loaded where it fits, touches no memory but its own, and may be missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from feature_platform.paths import CLONE
from feature_platform.serving import assemble
from feature_platform.serving import compiled as compiled_module
from feature_platform.serving.compiled import Core, library_path, load
from feature_platform.testing import Deployed

ROUNDS, SEED = 50_000, 20


@pytest.fixture(autouse=True, scope="session")
def _implementation() -> None:
    """These tests serve nothing."""


def test_a_missing_library_is_no_error(tmp_path: Path) -> None:
    """A machine that the library was not built for serves with numpy."""
    found = load(tmp_path / "none.so")
    assert (found.core, found.why_not) == (None, "this build has no none.so")


def test_a_damaged_library_is_no_error(tmp_path: Path) -> None:
    """What cannot be loaded is named."""
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    found = load(broken)
    assert found.core is None
    assert "broken.so cannot be used" in found.why_not


def test_a_library_of_another_build_is_refused(tmp_path: Path) -> None:
    """A stale one would misread the requests."""
    source, stale = tmp_path / "stale.c", tmp_path / "stale.so"
    source.write_text("long fp_interface(void) {return 0;} long fp_request_bytes(void) {return 0;}")
    subprocess.run([_compiler(), "-shared", "-fPIC", "-o", stale, source], check=True)
    found = load(stale)
    assert found.core is None
    assert "is of another build" in found.why_not


def test_a_client_without_the_core_says_so() -> None:
    """It serves all the same, and the log names the reason, once."""
    script = (
        "import logging; logging.basicConfig(level=logging.INFO, format='%(message)s')\n"
        "from feature_platform.serving import compiled\n"
        "compiled.LIBRARY = 'none.so'\n"
        "assert compiled.core() is None and compiled.core() is None\n"
    )
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert run.stderr.splitlines() == [
        "serving computes with numpy, correctly but slower: this build has no none.so"
    ]


def test_without_the_library_the_answers_are_the_same(
    world: Deployed, compiled: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without it, and without a compiler, serves what the core does."""
    prepared = world.client.prepare(featureset="posts")
    monkeypatch.setattr(assemble, "core", lambda: compiled)
    expected = prepared.get(["a", "b", "nobody"], explain=True).to_dicts()
    monkeypatch.setattr(compiled_module, "LIBRARY", "none.so")
    monkeypatch.setattr(assemble, "core", compiled_module.core)
    compiled_module.loaded.cache_clear()
    try:
        assert prepared.get(["a", "b", "nobody"], explain=True).to_dicts() == expected
        assert compiled_module.core() is None
    finally:
        compiled_module.loaded.cache_clear()


def test_import_compiles_and_loads_nothing() -> None:
    """No child process and no library of ours: a ranker's start costs what its modules do."""
    script = (
        "import sys\n"
        "def refuse(event, args):\n"
        "    started = event in {'subprocess.Popen', 'os.system', 'os.posix_spawn', 'os.exec'}\n"
        "    assert not started, (event, args)\n"
        "    assert event != 'ctypes.dlopen' or 'fp-tiles' not in str(args[0]), args\n"
        "sys.addaudithook(refuse)\n"
        "import feature_platform.serving.compact, feature_platform.serving.assemble\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("numbers", ["several at once", "one by one"])
def test_damaged_rows_do_no_harm(numbers: str, tmp_path: Path, compiled: Core) -> None:
    """Under the compiler's checks of memory and arithmetic, no row makes the core trespass."""
    assert compiled
    assert CLONE is not None
    program = tmp_path / "fuzz"
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DFP_PLAIN", "-O1"]
    if numbers == "one by one":
        checks.append("-DFP_ONE_BY_ONE")
    source = CLONE / "native" / "fuzz.c"
    subprocess.run([_compiler(), "-std=c11", *checks, "-o", program, source], check=True)
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    command = [str(program), str(ROUNDS), str(SEED)]
    run = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("no harm\n", "")


def test_the_library_is_where_it_is_looked_for(compiled: Core) -> None:
    """In a clone, beside its source."""
    assert compiled
    assert library_path().parent.parts[-2:] == ("native", "target")


def _compiler() -> str:
    found = shutil.which(os.environ.get("CC", "cc"))
    assert found, "these tests need a C compiler"
    return found
