"""How Maven is called for jars."""

from pathlib import Path

import pytest

from feature_platform.local.jars import fetch_jars
from feature_platform.settings import load_settings


def test_a_wrong_checksum_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maven 3 only warns of it unless it is asked to fail; it gets none of our passwords."""
    said = tmp_path / "arguments"
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text(f'#!/bin/sh\n(printf "%s\\n" "$@"; env) > {said}\n')
    maven.chmod(0o700)
    monkeypatch.setenv("PATH", f"{maven.parent}:/usr/bin:/bin")
    monkeypatch.setenv("REPOSITORY_TOKEN", "theirs")
    monkeypatch.setenv("FP_ADMIN_PASSWORD", "ours")
    settings = load_settings(tmp_path, {}).model_copy(update={"cache": tmp_path / "cache"})
    fetch_jars(settings, "kafka", tmp_path)
    lines = said.read_text().splitlines()
    assert "--strict-checksums" in lines
    assert "REPOSITORY_TOKEN=theirs" in lines
    assert not [line for line in lines if "ours" in line]
