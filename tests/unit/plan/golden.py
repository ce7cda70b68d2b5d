"""Plans in words, as files for a reviewer."""

import os
from pathlib import Path

GOLDEN = Path(__file__).parents[2] / "golden" / "plans"


def check_golden(name: str, text: str) -> None:
    """Compare with the file; GOLDEN_WRITE=1 renews it first."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN_WRITE") == "1":
        path.write_text(text + "\n")
    assert text + "\n" == path.read_text()
