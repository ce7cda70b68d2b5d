"""Reports the result of a commit to a command of the settings: a forge's status, a message."""

import os
import shlex
import subprocess

from feature_platform.errors import GitError
from feature_platform.settings import Settings

TIMEOUT_S = 30
TEXT_MAX = 1_000
OUTPUT_MAX = 300


def tell_status(settings: Settings, commit: str, state: str, text: str) -> None:
    """Run `git.status_command`; nothing if there is none.

    It is run without a shell, in the project's folder. It gets FP_COMMIT, FP_STATE (pending,
    success, failure) and FP_DESCRIPTION; of our own variables it gets no others, no passwords.

    Raises:
        GitError: It failed, or took longer than `TIMEOUT_S`.
    """
    if not settings.git.status_command:
        return
    given = {"FP_COMMIT": commit, "FP_STATE": state, "FP_DESCRIPTION": text[:TEXT_MAX]}
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("FP_")}
    try:
        subprocess.run(
            shlex.split(settings.git.status_command),
            cwd=settings.project,
            env=theirs | given,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT_S,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise GitError(_complaint(f"took longer than {TIMEOUT_S} s")) from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip()[-OUTPUT_MAX:]
        raise GitError(_complaint(f"exited with code {error.returncode}: {said}")) from error
    except (OSError, ValueError) as error:
        raise GitError(_complaint(f"cannot be run: {error}")) from error


def _complaint(what: str) -> str:
    return f"the commit's status was not reported: git.status_command {what}"
