"""The bare wheel: what a ranker installs serves features, and brings no engine along."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.wheels import ROOT, build_wheel, run, uv

GOLDEN = ROOT / "tests" / "golden" / "rows" / "tiles.jsonl"
PROGRAM = """
import importlib.util, json, sys
import feature_platform.serving
from feature_platform.registry.cql import CqlRegistry
from feature_platform.rows.codec import decode_row
from feature_platform.store.cql import CqlTiles
case = json.loads(sys.argv[1])
row = decode_row(bytes.fromhex(case["hex"]))
names = json.loads(sys.argv[2])
print(json.dumps({
    "counters": {str(key): value for key, value in row.counters.items()},
    "features": sorted(map(str, row.features)),
    "imported": [name for name in json.loads(sys.argv[3]) if name in sys.modules],
    "importable": [name for name in names if importlib.util.find_spec(name)],
    "file": feature_platform.serving.__file__,
}))
"""
ABSENT = ["sqlglot", "pyflink", "pyspark", "dagster", "typer", "rich", "confluent_kafka"]
UNUSED = [*ABSENT, "yaml"]  # the store's driver brings YAML; nothing of ours may load it


@pytest.fixture(name="python", scope="module")
def _python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with nothing but the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    wheel = build_wheel(folder)
    run([uv(), "venv", "--quiet", "--python", "3.11", str(folder / "venv")])
    python = folder / "venv" / "bin" / "python"
    install = [uv(), "pip", "install", "--quiet", "--python", str(python), str(wheel)]
    offline = subprocess.run([*install, "--offline"], capture_output=True, check=False)
    if offline.returncode:
        run(install)
    return python


def test_a_wheel_without_the_kernel_is_not_built(tmp_path: Path) -> None:
    """The build fails, and says what builds both."""
    for name in ("pyproject.toml", "README.md", "LICENSE", "scripts", "feature_platform"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    (tmp_path / "kernel").mkdir()
    shutil.copy(ROOT / "kernel" / "pom.xml", tmp_path / "kernel" / "pom.xml")

    build = [uv(), "build", "--wheel", "--out-dir", str(tmp_path / "dist"), str(tmp_path)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "there is no kernel/target/fp-kernel.jar" in done.stderr
    assert "run `make wheel`" in done.stderr


def test_the_bare_wheel_decodes_and_brings_no_engine(python: Path) -> None:
    """Serving imports, a golden row decodes, no engine or SQL is there, no YAML is loaded."""
    case = max(map(json.loads, GOLDEN.read_text().splitlines()), key=lambda case: len(case["hex"]))

    arguments = [json.dumps(argument) for argument in (case, ABSENT, UNUSED)]
    answer = json.loads(run([str(python), "-c", PROGRAM, *arguments]))

    assert ROOT not in Path(answer.pop("file")).parents
    assert {
        "counters": case["tile"]["counters"],
        "features": sorted(case["tile"]["features"]),
        "imported": [],
        "importable": [],
    } == answer
