"""What the embedded servers show to clients that ask for TLS."""

import os
from pathlib import Path

from feature_platform.errors import SettingsError
from feature_platform.paths import make_private
from feature_platform.settings import Settings
from feature_platform.transport import checked_file


def server_identity(settings: Settings, asked_by: str) -> Path:
    """Write key and certificates into the one file that both servers read; only its owner may.

    Args:
        settings: Names the files.
        asked_by: The setting that makes a server speak TLS.

    Raises:
        SettingsError: There is no certificate, or a file cannot be read.
    """
    embedded = settings.embedded
    if not embedded.certificate_file:
        msg = (
            f"{asked_by}, but the embedded server has no certificate: set "
            "embedded.certificate_file and embedded.key_file to PEM files"
        )
        raise SettingsError(msg)
    files = {"certificate_file": embedded.certificate_file, "key_file": embedded.key_file}
    parts = [
        Path(checked_file(f"embedded.{name}", path)).read_text()
        for name, path in files.items()
        if path
    ]
    target = settings.data / "server.pem"
    make_private(target.parent)
    fresh = target.with_suffix(f".{asked_by.partition('.')[0]}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write("\n".join(parts))
    fresh.replace(target)
    return target
