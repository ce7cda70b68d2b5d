"""What a shell is given to complete `fp` with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "from feature_platform.cli.main import main; main()"
HEAVY = ("yaml", "sqlglot", "numpy", "cassandra", "confluent_kafka")


def complete(folder: Path, line: str, program: str = PROGRAM) -> str:
    """Return what bash is given for a line."""
    words = f"fp --project {folder} {line}"
    asked = {
        "_FP_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
    ).stdout


@pytest.mark.parametrize(
    "command",
    [
        *("plan", "apply", "test", "stop", "preview", "show", "debug", "check", "get", "rows"),
        *("dead-letters", "changelog watch"),
    ],
)
def test_feature_sets_are_completed(folder: Path, command: str) -> None:
    """By the name in the file, whatever the file is called; broken files do no harm."""
    featuresets = folder / "featuresets"
    (featuresets / "other.yml").write_text("# first\nfeatureset: shelf\nsql: [")
    (featuresets / "binary.yaml").write_bytes(b"\xff\x00")
    (featuresets / "cart.yaml").write_text("featureset: cart\n")

    assert complete(folder, f"{command} sh").split() == ["shelf", "shop"]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("produce ev", "events"),
        ("late-events ev", "events"),
        ("history ev", "events"),
        ("new basket --source ev", "events"),
        ("training-set home --labels ev", "events"),
        ("training-set ho", "home"),
        ("lists ho", "home"),
        ("check --match ho", "home"),
        ("check ho", "hotel"),
        ("statistics h", "home hotel"),
        ("archive ev", "events"),
        ("archive feature_log/", "feature_log/home"),
    ],
)
def test_sources_and_lists_are_completed(folder: Path, line: str, names: str) -> None:
    """Where a command takes one; a name that something else has is none of them."""
    (folder / "featuresets" / "hotel.yaml").write_text("featureset: hotel\nsource: events_of_it\n")
    (folder / "featuresets" / "lists").mkdir()
    (folder / "featuresets" / "lists" / "a.yaml").write_text("# Ours.\nlist: 'home'\nversion: 1\n")

    assert complete(folder, line).split() == names.split()


def test_nothing_is_completed_without_definitions(tmp_path: Path) -> None:
    """A folder that is no project is no error."""
    assert complete(tmp_path, "plan sh").strip() == ""


def test_nothing_heavy_is_imported(folder: Path) -> None:
    """A person waits for it."""
    loaded = f"[each for each in {HEAVY!r} if each in sys.modules]"
    program = (
        "import atexit, sys; from feature_platform.cli.main import main; "
        f"atexit.register(lambda: print('loaded', {loaded})); main()"
    )

    assert complete(folder, "plan sh", program).split("\n") == ["shop", "loaded []", ""]
