"""What jobs hold of entities, read from their checkpoints and savepoints by the kernel's decoder.

A process of its own reads; no job is asked, and none is stopped. Flink deletes old checkpoints
while they are read: the caller names a newer one then.
"""

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from feature_platform.engines.flink import StateBackend
from feature_platform.errors import CheckpointGoneError, ServerError, WorldError
from feature_platform.local.flink_client import FlinkClient
from feature_platform.local.jars import build_kernel, fetch_jars
from feature_platform.local.java import find_java_home
from feature_platform.settings import Settings

MAIN = "io.featureplatform.kernel.flink.tiles.StateReader"
TIMEOUT_S = 600.0
ENTITIES_MAX = 10_000
_HEAD, _END = "head", "end"
THROWN = 'Exception in thread "main" '
_GONE = ("FileNotFoundException", "NoSuchFileException")


def read_heads(
    settings: Settings,
    path: str,
    entities: Sequence[str],
    ttl_ms: int,
    backend: StateBackend | None = None,
) -> Mapping[str, bytes]:
    """Return the head rows of entities as a checkpoint or savepoint holds them.

    Args:
        settings: Where jars and Flink's configuration are.
        path: Address of the checkpoint.
        entities: Their keys, at most `ENTITIES_MAX`.
        ttl_ms: How long the job's state is kept after its last change.
        backend: What kept the job's state; any will do for a savepoint. Without it, what the
            settings say that jobs have.

    Returns:
        By entity; one that the job does not hold, or whose time is over, is left out.

    Raises:
        CheckpointGoneError: It is not there.
        WorldError: It cannot be read; the message says why.
        ServerError: A JDK or a jar is missing.
    """
    java_home = find_java_home()
    kernel = build_kernel(settings, java_home)
    jars = sorted(fetch_jars(settings, "state", java_home).glob("*.jar"))
    conf = Path(os.environ.get("FLINK_CONF_DIR", settings.flink_conf))
    client = FlinkClient(settings, conf, MAIN, [kernel, *jars])
    with tempfile.TemporaryDirectory(prefix="fp-state-") as folder:
        wanted, output = Path(folder) / "entities", Path(folder) / "output"
        lines = [each.encode().hex() for each in entities[:ENTITIES_MAX]]
        wanted.write_text("\n".join(lines) + "\n")
        arguments = [path, backend or settings.flink.state_backend, str(ttl_ms), str(wanted)]
        with client.running(arguments, output) as process:
            try:
                process.wait(TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                msg = f"{path} was not read within {TIMEOUT_S:.0f} s; name fewer entities"
                raise ServerError(msg) from None
        return _heads(path, output.read_text(errors="replace"))


def _heads(path: str, output: str) -> Mapping[str, bytes]:
    words = [line.split(" ") for line in output.splitlines()]
    if [_END] not in words:
        why = _cause(output)
        gone = any(name in why for name in _GONE)
        msg = f"checkpoint {path} {'is gone' if gone else 'cannot be read'}: {why}"
        raise (CheckpointGoneError if gone else WorldError)(msg)
    return {
        bytes.fromhex(each[1]).decode(): bytes.fromhex(each[2])
        for each in words
        if each[0] == _HEAD
    }


def _cause(output: str) -> str:
    """Return the innermost cause of a Java program's end; its last words if it names none."""
    lines = output.splitlines()
    for before in ("Caused by: ", THROWN):
        found = [line.removeprefix(before) for line in lines if line.startswith(before)]
        if found:
            return found[-1]
    return output[-500:].strip()
