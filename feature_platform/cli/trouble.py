"""What the operating system refuses, as a sentence: which path, and what to do about it."""

import errno
import os

_NEXT: dict[int, str] = {
    errno.EROFS: "the file system is read-only; choose a writable folder (--project)",
    errno.EACCES: "permission denied; change its permissions or owner, or choose another",
    errno.EPERM: "permission denied; change its permissions or owner, or choose another",
    errno.ENOSPC: "the disk is full; free some space and run the command again",
    errno.EDQUOT: "this user's disk quota is exhausted; free some space and run the command again",
    errno.EFBIG: "it would exceed the maximum file size of this file system or user",
    errno.ENOENT: "no such file or folder; check the path",
    errno.ENOTDIR: "part of this path is a file, not a folder; move that file away",
    errno.EISDIR: "it is a folder, not a file; move that folder away",
    errno.EEXIST: "it already exists; move it away",
    errno.ENOTEMPTY: "it is not empty; move its contents away",
    errno.ELOOP: "its symbolic links form a loop; fix them",
    errno.ENAMETOOLONG: "the name is too long for this file system; use a shorter path",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine; raise its limit (fs.file-max)",
    errno.ENOMEM: "the machine is out of memory; stop something or add memory",
    errno.EAGAIN: "the machine cannot start more processes or threads; raise the limit (ulimit -u)",
    errno.EIO: "the disk reports an error; see the system log",
    errno.ESTALE: "the network folder it was in is gone; remount it",
}
_ANY = "set FP_DEBUG=1 to see where it happened"


def in_words(error: OSError) -> str:
    """Return what was refused, for which path, and the next step."""
    paths = [os.fsdecode(path) for path in (error.filename, error.filename2) if _is_path(path)]
    what = error.strerror or str(error) or type(error).__name__
    refused = f"{' -> '.join(paths)}: {what}" if paths else what
    return f"{refused}; {_NEXT.get(error.errno or 0, _ANY)}"


def _is_path(path: object) -> bool:
    return isinstance(path, str | bytes) and bool(path)
