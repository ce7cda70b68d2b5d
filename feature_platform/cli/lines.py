"""Lines of files that other programs wrote: one at a time, whatever the file is.

Lines end at a line feed and nowhere else: a form feed or U+2028 is part of one. A carriage return
before it and a byte order mark at the start of the file belong to the file and are dropped.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import typer

STDIN = "-"
MARK = b"\xef\xbb\xbf"
LINE_BYTES_MAX = 16 * 1024 * 1024
"""A longer line is not read into memory."""
PIECE_BYTES = 65_536


def read_lines(
    file: BinaryIO, *, limit: int = LINE_BYTES_MAX
) -> Iterator[tuple[int, bytes | None]]:
    """Yield the number and the bytes of each line that is not blank; None for one past the limit.

    Args:
        file: Read from where it is.
        limit: Most bytes of a line.
    """
    number = 0
    while line := file.readline(limit + 1):
        number += 1
        if len(line) > limit and not line.endswith(b"\n"):
            del line
            _pass_over(file)
            yield number, None
            continue
        text = line.removeprefix(MARK) if number == 1 else line
        text = text.rstrip(b"\r\n")
        if text.strip():
            yield number, text


def _pass_over(file: BinaryIO) -> None:
    """Read to the end of a line, a piece at a time."""
    while (piece := file.readline(PIECE_BYTES)) and not piece.endswith(b"\n"):
        pass


def open_file(path: Path, option: str, *, again: bool = False) -> BinaryIO:
    """Open a file, a pipe or standard input.

    Args:
        path: Its path; `-` is standard input.
        option: The option that names it.
        again: It is read twice: what cannot go back to its start is copied first.

    Raises:
        typer.BadParameter: The file cannot be read.
    """
    if str(path) == STDIN:
        file: BinaryIO = sys.stdin.buffer
    else:
        try:
            file = path.open("rb")
        except OSError as error:
            msg = f"{path}: {error.strerror}"
            raise typer.BadParameter(msg, param_hint=option) from error
    if not again or (str(path) != STDIN and file.seekable()):
        return file
    copy = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    with file:
        shutil.copyfileobj(file, copy)
    copy.seek(0)
    return cast("BinaryIO", copy)
