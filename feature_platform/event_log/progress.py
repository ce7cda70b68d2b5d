"""What an archiver says while it works."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What there is to do."""

    behind: int
    """Records that the topic holds and the log does not."""
    archived: int
    """Records that the log holds."""
    event: Literal["begun"] = "begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A commit was published."""

    number: int
    records: int
    """That were archived; 0 if it made many files fewer."""
    compacted: int
    """Files that fewer ones have replaced."""
    files: int
    bytes: int
    event: Literal["committed"] = "committed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """How much of a source's history is imported; see `history.FileRead`."""

    files: int
    files_total: int
    rows: int
    imported: int
    after_until: int
    rejected: int
    unreadable_files: int
    event: Literal["imported"] = "imported"


Progress = Begun | Committed | Imported
