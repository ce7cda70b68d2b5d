"""What a program that reads a checkpoint prints, taken apart."""

import pytest

from feature_platform.engines import flink_state
from feature_platform.errors import CheckpointGoneError, WorldError

GONE = """\
Exception in thread "main" java.io.FileNotFoundException: Cannot find checkpoint or savepoint \
file/directory 'file:/c/chk-5' on file system 'file'.
\tat org.apache.flink.runtime.state.filesystem.AbstractFsCheckpointStorageAccess.resolve(A.java:9)
"""
FILE_GONE = """\
Exception in thread "main" org.apache.flink.runtime.client.JobExecutionException: failed.
\tat io.featureplatform.kernel.flink.tiles.StateReader.main(StateReader.java:44)
Caused by: java.lang.RuntimeException: Failed to open state backend
Caused by: java.nio.file.NoSuchFileException: /c/shared/17
\t... 3 more
"""
OTHER = FILE_GONE.replace("java.nio.file.NoSuchFileException: /c/shared/17", "Broken: 7")


def test_heads_are_read() -> None:
    """Lines of anything else are left out."""
    output = f"a warning\nhead {'ä'.encode().hex()} 0a0b\nend\n"
    assert flink_state._heads("chk", output) == {"ä": b"\x0a\x0b"}


@pytest.mark.parametrize("output", [GONE, FILE_GONE])
def test_a_checkpoint_that_is_gone(output: str) -> None:
    """Whether all of it is, or a file that it names."""
    with pytest.raises(CheckpointGoneError, match="checkpoint chk is gone: java"):
        flink_state._heads("chk", output)


def test_a_checkpoint_that_cannot_be_read() -> None:
    """The innermost cause is named; without one, what was printed last."""
    with pytest.raises(WorldError, match="checkpoint chk cannot be read: Broken: 7"):
        flink_state._heads("chk", OTHER)
    with pytest.raises(WorldError, match="cannot be read: head 37 0a\nkilled"):
        flink_state._heads("chk", "head 37 0a\nkilled")
