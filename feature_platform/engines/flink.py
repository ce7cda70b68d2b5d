"""Flink's REST interface: jobs, checkpoints, stop with savepoint, exceptions, metrics.

Answers that a caller must act upon are values; a cluster that does not answer is a ServerError.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from feature_platform.engines.flink_metrics import How
from feature_platform.engines.flink_restore_errors import failed_to_restore
from feature_platform.errors import JobFailedError, ServerError
from feature_platform.paths import file_uri, local_path

REQUEST_TIMEOUT_S = 15.0
POLL_S = 0.2
STOP_TIMEOUT_S = 900.0
"""Covers a kernel that waits for a store that is down before it lets the barrier pass."""
ERROR_TEXT_MAX = 800
NOT_FOUND = 404
CONFLICT = 409

StateBackend = Literal["rocksdb", "hashmap"]
BACKENDS: tuple[StateBackend, ...] = get_args(StateBackend)

LIVING = frozenset(
    ["CREATED", "INITIALIZING", "RUNNING", "RESTARTING", "RECONCILING", "FAILING", "CANCELLING"]
)
"""Flink's words for a job that runs, or whose end is not yet decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlinkJob:
    """A job that the cluster knows."""

    id: str
    name: str
    state: str
    started_ms: int
    tasks_waiting: int = 0
    """Tasks that neither run nor have ended: they wait for a place, or restore their state."""

    @property
    def lives(self) -> bool:
        """Return whether it runs or is about to."""
        return self.state in LIVING


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A completed checkpoint or savepoint."""

    id: int
    completed_ms: int
    bytes: int
    path: str
    is_savepoint: bool


class FlinkRest:
    """A client of one cluster's REST interface. Safe for use by threads; every call blocks."""

    def __init__(self, url: str) -> None:
        """Remember the address, such as `http://127.0.0.1:8081`."""
        self._url = url

    def jobs(self) -> list[FlinkJob]:
        """Return all jobs that the cluster remembers, newest first.

        Raises:
            ServerError: The cluster does not answer.
        """
        found = [
            FlinkJob(
                id=item["jid"],
                name=item["name"],
                state=item["state"],
                started_ms=item["start-time"],
                tasks_waiting=_waiting(item.get("tasks", {})),
            )
            for item in self._get("/jobs/overview")["jobs"]
        ]
        return sorted(found, key=lambda job: -job.started_ms)

    def job(self, job_id: str) -> FlinkJob | None:
        """Return one job; None if the cluster does not know it."""
        return next((job for job in self.jobs() if job.id == job_id), None)

    def last_checkpoint(self, job_id: str) -> Checkpoint | None:
        """Return a job's newest completed checkpoint or savepoint; None if there is none."""
        answer = self._find(f"/jobs/{job_id}/checkpoints")
        latest = (answer or {}).get("latest") or {}
        found = [latest.get("completed"), latest.get("savepoint")]
        complete = [_checkpoint(item) for item in found if item and item["status"] == "COMPLETED"]
        return max(complete, key=lambda checkpoint: checkpoint.id, default=None)

    def retained_checkpoint(self, job_id: str) -> str:
        """Return the path of the newest checkpoint that a job left behind; empty if there is none.

        A cluster that was restarted has forgotten its jobs; their checkpoints are still in its
        checkpoint folder, if that is a folder of this machine.
        """
        known = self.last_checkpoint(job_id)
        if known:
            return known.path
        numbers = self._in_folder(job_id)
        return numbers[max(numbers)] if numbers else ""

    def kept_checkpoints(self, job_id: str) -> list[str]:
        """Return the paths of all checkpoints and savepoints of a job that are still there."""
        answer = self._find(f"/jobs/{job_id}/checkpoints")
        if answer is None:
            return list(self._in_folder(job_id).values())
        return [
            item["external_path"]
            for item in answer.get("history") or ()
            if item["status"] == "COMPLETED" and not item["discarded"]
        ]

    def _in_folder(self, job_id: str) -> dict[int, str]:
        """Return a job's checkpoints by number, as its folder on this machine has them."""
        options = {item["key"]: item["value"] for item in self._get("/jobmanager/config")}
        folder = local_path(options.get("execution.checkpointing.dir", ""))
        found = (folder / job_id).glob("chk-*/_metadata") if folder else ()
        return {int(path.parent.name.removeprefix("chk-")): file_uri(path.parent) for path in found}

    def state_backend(self, job_id: str) -> StateBackend | None:
        """Return what keeps a job's state; None if the cluster does not know the job, or that."""
        answer = self._find(f"/jobs/{job_id}/checkpoints/config") or {}
        name = str(answer.get("state_backend", "")).lower()
        return next((each for each in BACKENDS if each in name), None)

    def restarts(self, job_id: str) -> int:
        """Return how often Flink has restarted a job by itself."""
        answer = self._find(f"/jobs/{job_id}/metrics?get=numRestarts")
        return int(answer[0]["value"]) if answer else 0

    def metrics(self, job_id: str, vertex: str, metrics: Mapping[str, How]) -> Mapping[str, float]:
        """Return an operator's metrics over all subtasks; those that it does not have are left out.

        Flink fetches metrics every ten seconds, and only while somebody asks.

        Args:
            job_id: The job; if the cluster does not know it, there is nothing.
            vertex: The operator's name, which its vertex's name contains.
            metrics: Names, with how those of the subtasks make one.
        """
        job = self._find(f"/jobs/{job_id}") or {}
        found: dict[str, float] = {}
        for item in job.get("vertices", ()):
            if vertex in item["name"]:
                base = f"/jobs/{job_id}/vertices/{item['id']}/subtasks/metrics"
                ids = [name["id"] for name in self._find(base) or ()]
                names = {each: each.split(".")[-1] for each in ids if f"{vertex}." in each}
                wanted = [each for each, name in names.items() if name in metrics]
                path = f"{base}?get={','.join(wanted)}&agg=sum,min,max"
                for metric in (self._find(path) if wanted else None) or ():
                    name = names[metric["id"]]
                    found[name] = float(metric[metrics[name]])
        return found

    def root_exception(self, job_id: str) -> str:
        """Return the innermost cause of a job's newest failure; empty if it never failed."""
        return root_cause(self._trace(job_id))

    def failed_to_restore(self, job_id: str) -> bool:
        """Return whether a job's newest failure was that it could not read its checkpoint."""
        return failed_to_restore(self._trace(job_id))

    def trigger_checkpoint(self, job_id: str) -> None:
        """Ask for a checkpoint now; it is under way when this returns.

        Raises:
            ServerError: The cluster does not answer.
            JobFailedError: The job is not there or not running.
        """
        try:
            self._send("POST", f"/jobs/{job_id}/checkpoints", {"checkpointType": "CONFIGURED"})
        except HTTPError as error:
            msg = f"job {job_id} cannot take a checkpoint now: {_body(error)}; see `fp status`"
            raise JobFailedError(msg) from error

    def stop_with_savepoint(self, job_id: str) -> str:
        """Stop a job; never drains, so what it has not read is left for its successor.

        Returns:
            The savepoint's path.

        Raises:
            ServerError: The cluster does not answer.
            JobFailedError: The savepoint failed; the job keeps running, or Flink restarts it.
        """
        try:
            body = {"drain": False, "formatType": "CANONICAL"}
            trigger = self._send("POST", f"/jobs/{job_id}/stop", body)["request-id"]
        except HTTPError as error:
            msg = f"job {job_id} cannot be stopped now: {_body(error)}; see `fp status`"
            raise JobFailedError(msg) from error
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while time.monotonic() < deadline:
            answer = self._get(f"/jobs/{job_id}/savepoints/{trigger}")
            if answer["status"]["id"] == "COMPLETED":
                return _location(job_id, answer["operation"])
            time.sleep(POLL_S)
        msg = (
            f"job {job_id} did not complete its savepoint within {STOP_TIMEOUT_S:.0f} s; is the "
            "store up? See `fp status`, then try again"
        )
        raise JobFailedError(msg)

    def cancel(self, job_id: str) -> None:
        """Cancel a job and wait until it has ended; harmless if it has.

        Raises:
            ServerError: The cluster does not answer.
            JobFailedError: The job does not end.
        """
        try:
            self._send("PATCH", f"/jobs/{job_id}?mode=cancel", None)
        except HTTPError as error:
            if error.code not in (NOT_FOUND, CONFLICT):
                msg = f"job {job_id} cannot be cancelled: {_body(error)}; see the Flink page"
                raise JobFailedError(msg) from error
        deadline = time.monotonic() + REQUEST_TIMEOUT_S * 4
        while time.monotonic() < deadline:
            job = self.job(job_id)
            if job is None or not job.lives:
                return
            time.sleep(POLL_S)
        msg = f"job {job_id} was cancelled but does not terminate; see the Flink page"
        raise JobFailedError(msg)

    def discard(self, path: str) -> str:
        """Delete a checkpoint or savepoint that no job uses any more.

        Returns:
            Why it stays; empty if it is gone.

        Raises:
            ServerError: The cluster does not answer.
        """
        try:
            asked = self._send("POST", "/savepoint-disposal", {"savepoint-path": path})
        except HTTPError as error:
            return _body(error)
        deadline = time.monotonic() + REQUEST_TIMEOUT_S * 4
        while time.monotonic() < deadline:
            answer = self._get(f"/savepoint-disposal/{asked['request-id']}")
            if answer["status"]["id"] == "COMPLETED":
                failure = (answer.get("operation") or {}).get("failure-cause") or {}
                return root_cause(failure.get("stack-trace", "")) if failure else ""
            time.sleep(POLL_S)
        return f"Flink has not deleted it within {REQUEST_TIMEOUT_S * 4:.0f} s"

    def _trace(self, job_id: str) -> str:
        """Return the stack trace of a job's newest failure; empty if it never failed."""
        answer = self._find(f"/jobs/{job_id}/exceptions") or {}
        entries = (answer.get("exceptionHistory") or {}).get("entries") or ()
        return str(entries[0]["stacktrace"]) if entries else ""

    def _get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        try:
            return self._send("GET", path, None)
        except HTTPError as error:
            msg = f"Flink at {self._url} refused {path}: {_body(error)}; see `fp status`"
            raise ServerError(msg) from error

    def _find(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the answer; None if the cluster does not know the job."""
        try:
            return self._send("GET", path, None)
        except HTTPError as error:
            if error.code == NOT_FOUND:
                return None
            msg = f"Flink at {self._url} refused {path}: {_body(error)}; see `fp status`"
            raise ServerError(msg) from error

    def _send(self, method: str, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self._url}{path}", data=data, method=method, headers=headers)
        try:
            with urlopen(request, timeout=REQUEST_TIMEOUT_S) as response:
                return json.load(response)
        except HTTPError:
            raise
        except (URLError, OSError, ValueError) as error:
            msg = f"Flink at {self._url} does not respond: {error}; see `fp status`, then `fp up`"
            raise ServerError(msg) from error


def root_cause(stacktrace: str) -> str:
    """Return the innermost cause of a Java stack trace in one line."""
    lines = stacktrace.strip().splitlines()
    causes = [line for line in lines if line.startswith("Caused by: ")]
    line = causes[-1].removeprefix("Caused by: ") if causes else lines[0] if lines else ""
    return line.strip()[:ERROR_TEXT_MAX]


def _waiting(tasks: Mapping[str, int]) -> int:
    """Return how many of a job's tasks are yet to run."""
    ended = ("running", "finished", "canceling", "canceled", "failed")
    return tasks.get("total", 0) - sum(tasks.get(name, 0) for name in ended)


def _checkpoint(item: dict[str, Any]) -> Checkpoint:
    return Checkpoint(
        id=item["id"],
        completed_ms=item["latest_ack_timestamp"],
        bytes=item["state_size"],
        path=item["external_path"],
        is_savepoint=item["is_savepoint"],
    )


def _location(job_id: str, operation: dict[str, Any]) -> str:
    if "location" in operation:
        return str(operation["location"])
    cause = root_cause((operation.get("failure-cause") or {}).get("stack-trace", ""))
    msg = f"the savepoint of job {job_id} failed: {cause}; the job keeps running; try again"
    raise JobFailedError(msg)


def _body(error: HTTPError) -> str:
    """Return what the cluster says about a refused request, in a line."""
    text = error.read().decode(errors="replace")
    try:
        lines = json.loads(text)["errors"]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code}"
    return root_cause(str(lines[-1]))
