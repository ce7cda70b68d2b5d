"""Runs `fp` as a person does: a process, its exit code, what it printed."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FP = Path(sys.executable).with_name("fp")
TIMEOUT_S = 280


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What became of a command."""

    code: int
    out: str
    messages: str

    @property
    def facts(self) -> Any:  # noqa: ANN401 (JSON)
        """What it printed with --json."""
        return json.loads(self.out)


def fp(project: Path, *arguments: str, given: str = "") -> Ran:
    """Run `fp` on a project; standard input holds what is given and is no terminal."""
    run = subprocess.run(
        [FP, "--project", project, *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Ran(code=run.returncode, out=run.stdout, messages=run.stderr)
