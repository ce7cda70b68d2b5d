"""The client of Flink's REST interface against a small server that gives recorded answers."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from feature_platform.engines.flink import Checkpoint, FlinkJob, FlinkRest, root_cause
from feature_platform.engines.flink_metrics import How
from feature_platform.errors import JobFailedError, ServerError

JOB = "a" * 32

STACKTRACE = """\
org.apache.flink.runtime.JobException: Recovery is suppressed
\tat org.apache.flink.runtime.executiongraph.Handler.run(Handler.java:1)
Caused by: java.lang.IllegalStateException: outer
\tat io.featureplatform.kernel.flink.tiles.Flush.run(Flush.java:7)
Caused by: io.featureplatform.kernel.store.ClaimRefusedException: fenced by deployment b
\t... 3 more
"""

Answer = tuple[int, object]


class Server:
    """Answers what a test has recorded for (method, path); keeps what it was asked."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.answers: dict[tuple[str, str], list[Answer]] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, method: str, path: str, *answers: Answer) -> None:
        """Record answers to be given in turn; the last one is repeated."""
        self.answers[method, path] = list(answers)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _reply(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                outer.asked.append((self.command, self.path, body))
                recorded = outer.answers.get((self.command, self.path), [(404, {"errors": ["no"]})])
                status, answer = recorded.pop(0) if len(recorded) > 1 else recorded[0]
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = _reply  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    """A server without answers."""
    made = Server()
    yield made
    made.close()


@pytest.fixture
def flink(server: Server) -> FlinkRest:
    """A client of the server."""
    return FlinkRest(server.url)


def overview(*jobs: tuple[str, str, int]) -> Answer:
    """Record what /jobs/overview answers."""
    return 200, {
        "jobs": [
            {"jid": jid, "name": "posts_g1", "state": state, "start-time": start}
            for jid, state, start in jobs
        ]
    }


def test_jobs_come_newest_first(server: Server, flink: FlinkRest) -> None:
    """With Flink's word for their state."""
    server.answer("GET", "/jobs/overview", overview(("b" * 32, "FAILED", 1), (JOB, "RUNNING", 2)))
    assert [(job.id[0], job.lives) for job in flink.jobs()] == [("a", True), ("b", False)]
    assert flink.job(JOB) == FlinkJob(id=JOB, name="posts_g1", state="RUNNING", started_ms=2)
    assert flink.job("c" * 32) is None


def completed(number: int, *, savepoint: bool = False) -> dict[str, Any]:
    """Record a completed checkpoint."""
    return {
        "id": number,
        "status": "COMPLETED",
        "is_savepoint": savepoint,
        "latest_ack_timestamp": 5,
        "state_size": 7,
        "external_path": f"file:/c/{number}",
    }


@pytest.mark.parametrize(
    ("latest", "expected"),
    [
        ({"completed": completed(3), "savepoint": None}, 3),
        ({"completed": completed(3), "savepoint": completed(4, savepoint=True)}, 4),
        ({"completed": completed(5), "savepoint": completed(4, savepoint=True)}, 5),
        ({"completed": None, "savepoint": {**completed(4), "status": "FAILED"}}, None),
        (None, None),
    ],
)
def test_the_newest_completed_checkpoint_counts(
    server: Server, flink: FlinkRest, latest: object, expected: int | None
) -> None:
    """A savepoint is one, too; one that failed is not."""
    server.answer("GET", f"/jobs/{JOB}/checkpoints", (200, {"latest": latest}))
    found = flink.last_checkpoint(JOB)
    assert (found.id if found else None) == expected


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        ("EmbeddedRocksDBStateBackend", "rocksdb"),
        ("HashMapStateBackend", "hashmap"),
        ("ForStStateBackend", None),
    ],
)
def test_what_keeps_a_jobs_state(
    server: Server, flink: FlinkRest, name: str, backend: str | None
) -> None:
    """Flink names a class; of others, and of jobs that it has forgotten, nothing is known."""
    server.answer("GET", f"/jobs/{JOB}/checkpoints/config", (200, {"state_backend": name}))
    assert flink.state_backend(JOB) == backend
    server.answer("GET", f"/jobs/{JOB}/checkpoints/config", (404, {"errors": ["not found"]}))
    assert flink.state_backend(JOB) is None


def test_a_checkpoint_has_time_size_and_path(server: Server, flink: FlinkRest) -> None:
    """As `fp status` shows it; an unknown job has none."""
    server.answer("GET", f"/jobs/{JOB}/checkpoints", (200, {"latest": {"completed": completed(3)}}))
    assert flink.last_checkpoint(JOB) == Checkpoint(
        id=3, completed_ms=5, bytes=7, path="file:/c/3", is_savepoint=False
    )
    assert flink.last_checkpoint("b" * 32) is None


@pytest.mark.parametrize("name", ["plain", "ä b", "50%20off", "a#b", "[x] {y}"])
def test_a_forgotten_jobs_checkpoint_is_found_in_the_folder(
    server: Server, flink: FlinkRest, tmp_path: Path, name: str
) -> None:
    """The newest complete one: a cluster that was restarted knows no jobs."""
    folder = tmp_path / name
    for number in (9, 10, 11):
        (folder / JOB / f"chk-{number}").mkdir(parents=True)
    for number in (9, 10):
        (folder / JOB / f"chk-{number}" / "_metadata").write_bytes(b"x")
    config = [{"key": "execution.checkpointing.dir", "value": f"file://{folder}"}]
    server.answer("GET", "/jobmanager/config", (200, config))
    assert flink.retained_checkpoint(JOB) == f"file://{folder}/{JOB}/chk-10"
    assert flink.retained_checkpoint("b" * 32) == ""


def test_a_checkpoint_folder_elsewhere_cannot_be_looked_into(
    server: Server, flink: FlinkRest
) -> None:
    """Then there is none to go on from, and the caller says so."""
    config = [{"key": "execution.checkpointing.dir", "value": "s3://bucket/checkpoints"}]
    server.answer("GET", "/jobmanager/config", (200, config))
    assert flink.retained_checkpoint(JOB) == ""


def test_all_checkpoints_that_are_kept(server: Server, flink: FlinkRest, tmp_path: Path) -> None:
    """As the cluster knows them; one that has forgotten the job: as its folder has them."""
    folder = tmp_path / JOB / "chk-7"
    folder.mkdir(parents=True)
    (folder / "_metadata").write_bytes(b"x")
    config = [{"key": "execution.checkpointing.dir", "value": f"file://{tmp_path}"}]
    server.answer("GET", "/jobmanager/config", (200, config))
    assert flink.kept_checkpoints(JOB) == [f"file://{folder}"]
    history = [
        {"status": "IN_PROGRESS"},
        {"status": "COMPLETED", "discarded": False, "external_path": "file:/c/3"},
        {"status": "COMPLETED", "discarded": True, "external_path": "file:/c/1"},
    ]
    server.answer("GET", f"/jobs/{JOB}/checkpoints", (200, {"history": history}))
    assert flink.kept_checkpoints(JOB) == ["file:/c/3"]


def test_a_checkpoint_is_discarded(server: Server, flink: FlinkRest) -> None:
    """It asks until that is done; why it stays is returned."""
    server.answer("POST", "/savepoint-disposal", (202, {"request-id": "d1"}))
    server.answer(
        "GET",
        "/savepoint-disposal/d1",
        (200, {"status": {"id": "IN_PROGRESS"}, "operation": None}),
        (200, {"status": {"id": "COMPLETED"}, "operation": {}}),
    )
    assert flink.discard("file:/c/3") == ""
    assert server.asked[0] == ("POST", "/savepoint-disposal", {"savepoint-path": "file:/c/3"})
    failed = {"failure-cause": {"class": "x", "stack-trace": STACKTRACE}}
    done = {"status": {"id": "COMPLETED"}, "operation": failed}
    server.answer("GET", "/savepoint-disposal/d1", (200, done))
    assert "fenced by deployment b" in flink.discard("file:/c/3")
    server.answer("POST", "/savepoint-disposal", (400, {"errors": ["no such path"]}))
    assert flink.discard("file:/c/3") == "no such path"


def test_a_stop_asks_until_the_savepoint_is_there(server: Server, flink: FlinkRest) -> None:
    """It never drains."""
    server.answer("POST", f"/jobs/{JOB}/stop", (202, {"request-id": "t1"}))
    server.answer(
        "GET",
        f"/jobs/{JOB}/savepoints/t1",
        (200, {"status": {"id": "IN_PROGRESS"}, "operation": None}),
        (200, {"status": {"id": "COMPLETED"}, "operation": {"location": "file:/s/1"}}),
    )
    assert flink.stop_with_savepoint(JOB) == "file:/s/1"
    assert server.asked[0] == (
        "POST",
        f"/jobs/{JOB}/stop",
        {"drain": False, "formatType": "CANONICAL"},
    )


def test_a_failed_savepoint_says_why(server: Server, flink: FlinkRest) -> None:
    """The innermost cause, in a line."""
    server.answer("POST", f"/jobs/{JOB}/stop", (202, {"request-id": "t1"}))
    operation = {"failure-cause": {"class": "x", "stack-trace": STACKTRACE}}
    done = {"status": {"id": "COMPLETED"}, "operation": operation}
    server.answer("GET", f"/jobs/{JOB}/savepoints/t1", (200, done))
    with pytest.raises(JobFailedError, match="fenced by deployment b; the job keeps running"):
        flink.stop_with_savepoint(JOB)


def test_a_refused_stop_or_checkpoint_says_why(server: Server, flink: FlinkRest) -> None:
    """With what the cluster says, and the next step."""
    refusal = (409, {"errors": ["Some tasks of the job are not running."]})
    server.answer("POST", f"/jobs/{JOB}/stop", refusal)
    server.answer("POST", f"/jobs/{JOB}/checkpoints", refusal)
    for act in (flink.stop_with_savepoint, flink.trigger_checkpoint):
        with pytest.raises(
            JobFailedError, match=r"Some tasks of the job are not running.*fp status"
        ):
            act(JOB)


def test_cancelling_waits_for_the_end(server: Server, flink: FlinkRest) -> None:
    """A job that has ended, or that nobody knows, is as good as cancelled."""
    server.answer("PATCH", f"/jobs/{JOB}?mode=cancel", (202, {}), (404, {"errors": ["unknown"]}))
    server.answer(
        "GET",
        "/jobs/overview",
        overview((JOB, "CANCELLING", 1)),
        overview((JOB, "CANCELED", 1)),
        overview(),
    )
    flink.cancel(JOB)
    patched = ("PATCH", f"/jobs/{JOB}?mode=cancel")
    looked = ("GET", "/jobs/overview")
    assert [asked[:2] for asked in server.asked] == [patched, looked, looked]
    flink.cancel(JOB)
    assert [asked[:2] for asked in server.asked[3:]] == [patched, looked]


def test_restarts_are_counted(server: Server, flink: FlinkRest) -> None:
    """From the job's own metric; an unknown job has none."""
    metric = [{"id": "numRestarts", "value": "4"}]
    server.answer("GET", f"/jobs/{JOB}/metrics?get=numRestarts", (200, metric))
    assert (flink.restarts(JOB), flink.restarts("b" * 32)) == (4, 0)


def test_metrics_of_an_operator_come_in_three_questions(server: Server, flink: FlinkRest) -> None:
    """Each made one number of all subtasks as it wants; what the operator has not is left out."""
    vertices = [{"id": "v1", "name": "Source: intake"}, {"id": "v2", "name": "kernel"}]
    base = f"/jobs/{JOB}/vertices/v2/subtasks/metrics"
    ids = [
        "kernel.attempt",
        "kernel.fenced",
        "kernel.fenced_more",
        "SQL[1].attempt",
        "numRecordsIn",
    ]
    told = [
        {"id": "kernel.attempt", "sum": 14.0, "min": 7.0, "max": 7.0},
        {"id": "kernel.fenced", "sum": 2.0, "min": 0.0, "max": 2.0},
    ]
    server.answer("GET", f"/jobs/{JOB}", (200, {"vertices": vertices}))
    server.answer("GET", base, (200, [{"id": each} for each in ids]))
    question = f"{base}?get=kernel.attempt,kernel.fenced&agg=sum,min,max"
    server.answer("GET", question, (200, told))
    wanted: dict[str, How] = {"attempt": "max", "fenced": "sum", "recovered": "min"}
    assert flink.metrics(JOB, "kernel", wanted) == {"attempt": 7.0, "fenced": 2.0}
    assert len(server.asked) == 3
    assert flink.metrics("b" * 32, "kernel", wanted) == {}


def test_the_root_exception_is_one_line(server: Server, flink: FlinkRest) -> None:
    """The innermost cause; a job that never failed has none."""
    history = {"exceptionHistory": {"entries": [{"stacktrace": STACKTRACE}]}}
    server.answer("GET", f"/jobs/{JOB}/exceptions", (200, history))
    cause = "io.featureplatform.kernel.store.ClaimRefusedException: fenced by deployment b"
    assert flink.root_exception(JOB) == cause
    assert flink.root_exception("b" * 32) == ""


@pytest.mark.parametrize(
    ("line", "restoring"),
    [
        ("Caused by: io.featureplatform.kernel.store.ClaimRefusedException: dead", True),
        ("Caused by: java.io.IOException: Could not restore keyed state backend for x", True),
        ("Caused by: io.featureplatform.kernel.store.StoreDownException: no host", False),
    ],
)
def test_a_failure_to_restore_is_told_apart(
    server: Server, flink: FlinkRest, line: str, *, restoring: bool
) -> None:
    """Only then is the store what is left."""
    history = {"exceptionHistory": {"entries": [{"stacktrace": f"java.lang.Error: x\n{line}"}]}}
    server.answer("GET", f"/jobs/{JOB}/exceptions", (200, history))
    assert flink.failed_to_restore(JOB) is restoring
    assert flink.failed_to_restore("b" * 32) is False


@pytest.mark.parametrize(
    ("trace", "cause"), [("java.lang.Error: x\n\tat y", "java.lang.Error: x"), ("", "")]
)
def test_a_trace_without_a_cause_is_its_own(trace: str, cause: str) -> None:
    """Its first line."""
    assert root_cause(trace) == cause


def test_a_cluster_that_is_down_says_what_to_do(server: Server) -> None:
    """Nothing listens there any more."""
    client = FlinkRest(server.url)
    server.close()
    with pytest.raises(ServerError, match=r"does not respond.*fp status"):
        client.jobs()


def test_an_answer_that_is_no_json_is_a_server_error(server: Server, flink: FlinkRest) -> None:
    """Something else listens on that port."""
    server.answer("GET", "/jobs/overview", (200, b"<html>"))
    with pytest.raises(ServerError, match="does not respond"):
        flink.jobs()


def test_an_unexpected_refusal_is_a_server_error(server: Server, flink: FlinkRest) -> None:
    """With the status."""
    server.answer("GET", "/jobs/overview", (500, b"oops"))
    server.answer("GET", f"/jobs/{JOB}/checkpoints", (503, {"errors": ["not ready"]}))
    with pytest.raises(ServerError, match="HTTP 500"):
        flink.jobs()
    with pytest.raises(ServerError, match="not ready"):
        flink.last_checkpoint(JOB)
