"""Submitting jobs: one client, started at the first request, serves all that a deployer asks.

`prepare` builds a graph and forgets it. What Flink refuses is refused then, and the client has
loaded what it needs: an upgrade that asks early stands still for less. A job gets the id that the
deployer chose, so whether a submission succeeded can always be found out.
"""

import re
import threading
from contextlib import ExitStack

from feature_platform.engines.flink_client import (
    ANSWER_TIMEOUT_S,
    Client,
    NoAnswerError,
    open_client,
)
from feature_platform.engines.flink_frames import Answer, FrameError, Request
from feature_platform.engines.flink_restore_errors import failed_to_restore
from feature_platform.engines.job_spec import JobSpec
from feature_platform.errors import JobFailedError, RestoreFailedError
from feature_platform.settings import Settings

OUTPUT_LINES_MAX = 12
_PYTHON_ERROR = re.compile(r"^\S*(?:Error|Exception)\b.*")


class FlinkSubmitter:
    """Builds and submits graphs; one request at a time."""

    def __init__(self, settings: Settings) -> None:
        """Use the cluster and the configuration folder that the settings name."""
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._end = ExitStack()

    def prepare(self, spec: JobSpec) -> None:
        """Build the graph of a job spec, and submit nothing.

        Raises:
            JobFailedError: It cannot be built.
            ServerError: The Flink distribution or a JDK is missing.
        """
        self._ask(spec, job_id="", restore_path="")

    def submit(self, spec: JobSpec, job_id: str, restore_path: str) -> None:
        """Submit a job; returns when the cluster has accepted it, before it runs.

        Args:
            spec: The job spec.
            job_id: 32 hexadecimal digits that the job is going to have.
            restore_path: Savepoint or checkpoint to start from; empty for none.

        Raises:
            JobFailedError: The graph cannot be built, or the cluster refuses it.
            RestoreFailedError: What it is to restore cannot be read.
            ServerError: The Flink distribution or a JDK is missing.
        """
        accepted = self._ask(spec, job_id=job_id, restore_path=restore_path)
        if accepted != job_id:
            msg = (
                f"Flink accepted {spec.job.featureset} as job {accepted or '(none)'}, not as "
                f"{job_id}"
            )
            raise JobFailedError(msg)

    def close(self) -> None:
        """End the client, if there is one."""
        self._client = None
        self._end.close()

    def _ask(self, spec: JobSpec, *, job_id: str, restore_path: str) -> str:
        request = Request(spec=spec.text(), job_id=job_id, restore_path=restore_path)
        try:
            with self._lock:
                answer = self._answer(request)
        except NoAnswerError as error:
            raise _refusal(str(error)) from error
        except FrameError as error:
            msg = f"unexpected answer from Flink's client: {error}; is it another version?"
            raise JobFailedError(msg) from error
        except TimeoutError as error:
            msg = (
                f"Flink's client did not respond within {ANSWER_TIMEOUT_S:.0f} s; is Flink up? See "
                "`fp status`"
            )
            raise JobFailedError(msg) from error
        if answer.error:
            raise answer.rebuilt() or _refusal(answer.error)
        return answer.job_id

    def _answer(self, request: Request) -> Answer:
        try:
            if self._client is None:
                self._client = self._end.enter_context(open_client(self._settings))
            return self._client.ask(request)
        except BaseException:  # even interrupted: its answer would be taken for another's
            if self._client:
                self._client.process.kill()
            self.close()
            raise


def _refusal(output: str) -> JobFailedError:
    msg = f"Flink refused the job: {_short(output)}"
    return (RestoreFailedError if failed_to_restore(output) else JobFailedError)(msg)


def _short(output: str) -> str:
    """Return the lines of a long Java or Python trace that say why."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by: ") or _PYTHON_ERROR.match(line)]
    return "\n".join(dict.fromkeys((causes or lines)[-OUTPUT_LINES_MAX:]))
