"""`fp roles` sets passwords on a store that is not ours: it takes them from nowhere but here."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import typer

from feature_platform.cli.roles import exported_passwords, roles
from feature_platform.errors import SettingsError
from feature_platform.settings import load_settings

NAMES = [f"FP_{role}_PASSWORD" for role in ("SUPERUSER", "ADMIN", "JOB", "SERVICE", "TEST")]


def test_all_that_is_missing_is_named_at_once() -> None:
    """Before anything connects."""
    with pytest.raises(SettingsError) as caught:
        exported_passwords({"FP_JOB_PASSWORD": "x", "FP_TEST_PASSWORD": ""})
    named = [name for name in NAMES if name in str(caught.value)]
    assert named == [name for name in NAMES if name != "FP_JOB_PASSWORD"]


def test_the_embedded_stores_passwords_are_left_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rankers of another store would be locked out by them."""
    (tmp_path / ".fp").mkdir()
    (tmp_path / ".fp" / "secrets").write_text("".join(f"{name}=local\n" for name in NAMES))
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    context = cast("typer.Context", SimpleNamespace(obj=load_settings(tmp_path, {})))
    with pytest.raises(SettingsError, match="FP_ADMIN_PASSWORD"):
        roles(context)
