"""Which definitions the embedded Dagster loads."""

from pathlib import Path

import pytest

from feature_platform.local.dagster import Dagster
from feature_platform.paths import DEFINITIONS
from feature_platform.settings import load_settings, password_variable


@pytest.mark.parametrize("has_own", [False, True])
def test_a_projects_own_definitions_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_own: bool
) -> None:
    """What `fp init` writes counts, and the platform's file where a project has none."""
    for role in ("admin", "job", "service"):
        monkeypatch.setenv(password_variable(role), "secret")
    own = tmp_path / "definitions.py"
    if has_own:
        own.write_text("")

    code, *_ = Dagster(load_settings(tmp_path, {})).prepare(tmp_path)

    file = own if has_own else DEFINITIONS
    assert ("-f", str(file), "-d", str(file.parent)) == code.arguments[3:7]
