"""The wheel does without the clone: `docs/quickstart.md` runs in an empty folder as it stands."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from feature_platform.local.ports import with_free_ports
from feature_platform.settings import load_settings
from tests.integration.blocks import script
from tests.integration.wheels import ROOT, build_wheel, run, uv

PAGE = ROOT / "docs" / "quickstart.md"
TIMEOUT_S = 1_100
SHOWN_MAX = 20_000
"""Characters of a failed run's output that are shown, its last ones."""
POST, VIEWS = "4711", "post_engagement.views_1d"
RED_THEN_GREEN = r"parity +│ red .*parity +│ green "
"""What `fp check --repair` prints: the checks before and after."""
PROGRAM = "import feature_platform, sys; print(feature_platform.__file__, *sys.path, sep='\\n')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An empty folder, and the variables by which the page's blocks find wheel and free ports."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def project(self) -> Path:
        """The folder that the page makes."""
        return self.folder / "my-features"

    @property
    def programs(self) -> Path:
        """The programs of the environment that the page makes."""
        return self.folder / ".venv" / "bin"


@pytest.fixture(name="installed")
def _installed(tmp_path: Path) -> Iterator[Installed]:
    """What a person has before the first block; the servers are stopped, whatever happens."""
    folder = tmp_path / "empty"
    folder.mkdir()
    installed = Installed(folder=folder, environment=_environment(tmp_path, folder))
    yield installed
    fp = installed.programs / "fp"
    if fp.exists() and installed.project.exists():
        down = [str(fp), "--project", str(installed.project), "down"]
        subprocess.run(down, env=dict(installed.environment), check=True, timeout=TIMEOUT_S)


def _environment(tmp_path: Path, folder: Path) -> dict[str, str]:
    """Return this process's variables, none of which leads to the clone or to other servers."""
    ours = re.compile(r"FP_|PYTHON|VIRTUAL_ENV|UV_(?!CACHE|INDEX|DEFAULT_INDEX|LINK_MODE)")
    kept = {name: value for name, value in os.environ.items() if not ours.match(name)}
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").symlink_to(uv())
    path = [part for part in kept["PATH"].split(os.pathsep) if ROOT not in Path(part).parents]
    environment = {
        **kept,
        "PATH": os.pathsep.join([str(tmp_path / "bin"), *path]),
        "UV_CONSTRAINT": str(_constraints(tmp_path)),
        "FP_DAGSTER__SCHEDULES": "false",  # an hourly run may begin in between
        **_ports(folder),
    }
    dry = [uv(), "pip", "install", "--offline", "--dry-run", "--reinstall"]
    dry += ["--python", sys.executable, "feature-platform[all]"]
    offline = subprocess.run(dry, env=environment, cwd="/", capture_output=True, check=False)
    return environment if offline.returncode else {**environment, "UV_OFFLINE": "1"}


def _constraints(tmp_path: Path) -> Path:
    """Pin the package to the wheel, and all that it needs to the versions of the lock file."""
    export = ("export", "--quiet", "--locked", "--all-extras", "--no-dev", "--no-hashes")
    pins = run([uv(), *export, "--no-emit-project", "--no-header", "--project", str(ROOT)])
    path = tmp_path / "constraints.txt"
    path.write_text(f"{pins}\nfeature-platform @ {build_wheel(tmp_path / 'dist').as_uri()}\n")
    return path


def _ports(folder: Path) -> dict[str, str]:
    """Draw a free port for each setting that is one."""
    settings = with_free_ports(load_settings(folder, {}))
    return {
        f"FP_{section}__{name}".upper(): str(value)
        for section, values in settings.model_dump(include=set(SECTIONS)).items()
        for name, value in values.items()
        if name.endswith("port") and value
    }


SECTIONS = ("kafka", "store", "flink", "dagster")


def _views(project: Path) -> int:
    """Count the views of the post in the example events."""
    events = map(json.loads, (project / "events.jsonl").read_text().splitlines())
    return sum(event["post_id"] == POST and event["action"] == "view" for event in events)


@pytest.mark.long
def test_the_quickstart_runs_from_the_wheel(installed: Installed) -> None:
    """Install, init, up, apply, produce, get, an upgrade, a repair, down: block after block."""
    done = subprocess.run(
        ["/bin/bash", "-c", script(PAGE)],
        cwd=installed.folder,
        env=dict(installed.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    said = done.stdout
    sys.stdout.write(said[-SHOWN_MAX:])  # pytest shows it after a failure
    assert done.returncode == 0
    known, _, unknown = (
        ast.literal_eval(line) for line in said.splitlines() if line.startswith("{'entity': ")
    )
    assert known["values"][VIEWS] == _views(installed.project)
    assert (unknown["status"], unknown["values"][VIEWS]) == ("no_data", 0)
    assert re.search(RED_THEN_GREEN, said, re.DOTALL)
    file, *path = run([str(installed.programs / "python"), "-c", PROGRAM]).splitlines()
    assert installed.folder in Path(file).parents
    assert not [part for part in path if ROOT in (Path(part), *Path(part).parents)]
