"""How Maven is called for jars, and how the kernel's comes out of a wheel."""

import io
import lzma
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

import feature_platform.settings as settings_module
from feature_platform.errors import ServerError
from feature_platform.local import jars
from feature_platform.local.jars import fetch_jars, unpack_kernel
from feature_platform.settings import Settings, load_settings


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


def _packed(folder: Path, entries: Mapping[str, bytes]) -> Path:
    """Pack a jar as the wheel's build does."""
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as jar:
        for name, content in entries.items():
            jar.writestr(name, content)
    path = folder / "fp-kernel-0123456789abcdef.jar.xz"
    path.write_bytes(lzma.compress(stored.getvalue()))
    return path


def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: Path) -> Settings:
    """Return settings of a project that uses an installed wheel with this jar."""
    for module in (jars, settings_module):
        monkeypatch.setattr(module, "packed_kernel", lambda: packed)
    return load_settings(tmp_path, {}).model_copy(update={"cache": tmp_path / "cache"})


def test_the_wheels_kernel_is_unpacked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a jar with the same entries, under the name that says which build it is."""
    entries = {"META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\n", "io/A.class": b"\xca\xfe" * 500}
    packed = _packed(tmp_path, entries)
    settings = _installed(tmp_path, monkeypatch, packed)

    jar = unpack_kernel(settings)
    packed.unlink()

    assert jar == tmp_path / "cache" / "kernel" / "fp-kernel-0123456789abcdef.jar"
    assert unpack_kernel(settings) == jar
    with zipfile.ZipFile(jar) as found:
        assert {name: found.read(name) for name in found.namelist()} == entries
    assert [path.name for path in jar.parent.iterdir()] == [jar.name]


@pytest.mark.parametrize("content", [b"", b"no archive", lzma.compress(b"no jar")])
def test_a_damaged_wheel_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """The message says which file it is and how to get another."""
    packed = _packed(tmp_path, {})
    settings = _installed(tmp_path, monkeypatch, packed)
    packed.write_bytes(content)

    with pytest.raises(ServerError, match=r"damaged .* install feature-platform again"):
        unpack_kernel(settings)

    assert not settings.kernel_jar.exists()
