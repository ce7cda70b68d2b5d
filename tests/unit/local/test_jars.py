"""How Maven is called for jars."""

from pathlib import Path

import pytest

from feature_platform.local.jars import fetch_jars
from feature_platform.settings import load_settings


def test_a_wrong_checksum_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maven 3 only warns of it unless it is asked to fail."""
    said = tmp_path / "arguments"
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {said}\n')
    maven.chmod(0o700)
    monkeypatch.setenv("PATH", f"{maven.parent}:/usr/bin:/bin")
    settings = load_settings(tmp_path, {}).model_copy(update={"cache": tmp_path / "cache"})
    fetch_jars(settings, "kafka", tmp_path)
    assert "--strict-checksums" in said.read_text().splitlines()
