"""What the operating system refuses, as a sentence: which path, and what to do about it."""

import errno
import os

_NEXT: dict[int, str] = {
    errno.EROFS: "its file system is read-only; choose a folder that can be written (--project)",
    errno.EACCES: "this user has no right to it; change its rights or owner, or choose another",
    errno.EPERM: "this user has no right to it; change its rights or owner, or choose another",
    errno.ENOSPC: "the disk is full; free some space and run the command again",
    errno.EDQUOT: "the quota of this user is used up; free some space and run the command again",
    errno.EFBIG: "it would be larger than this file system or user may have files",
    errno.ENOENT: "there is no such file or folder; is the path right?",
    errno.ENOTDIR: "a part of this path is a file where a folder is needed; move that file away",
    errno.EISDIR: "it is a folder where a file is needed; move that folder away",
    errno.EEXIST: "it exists already; move it away",
    errno.ENOTEMPTY: "it is not empty; move what is in it away",
    errno.ELOOP: "its symbolic links go round in a circle; mend them",
    errno.ENAMETOOLONG: "the name is too long for this file system; use a shorter path",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine; raise its limit (fs.file-max)",
    errno.ENOMEM: "the machine has no memory left; stop something, or give it more",
    errno.EAGAIN: "the machine takes no more processes or threads; raise the limit (ulimit -u)",
    errno.EIO: "the disk reports an error; look at the system's log",
    errno.ESTALE: "the network folder that it was in is gone; mount it again",
}
_ANY = "FP_DEBUG=1 shows where it happened"


def in_words(error: OSError) -> str:
    """Return what was refused, for which path, and the next step."""
    paths = [os.fsdecode(path) for path in (error.filename, error.filename2) if _is_path(path)]
    what = error.strerror or str(error) or type(error).__name__
    refused = f"{' -> '.join(paths)}: {what}" if paths else what
    return f"{refused}; {_NEXT.get(error.errno or 0, _ANY)}"


def _is_path(path: object) -> bool:
    return isinstance(path, str | bytes) and bool(path)
