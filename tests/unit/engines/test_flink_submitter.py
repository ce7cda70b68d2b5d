"""Flink's client: its arguments and its answers, with a small script in place of Java."""

import json
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from feature_platform.engines import flink_client as client
from feature_platform.engines.flink_submitter import FlinkSubmitter
from feature_platform.engines.job_spec import JobSpec
from feature_platform.errors import JobFailedError, RestoreFailedError, ServerError, SettingsError
from feature_platform.local import flink_client
from feature_platform.local.class_archive import ARCHIVES_MAX
from feature_platform.local.jars import STAMP, pinned_by_pom
from feature_platform.settings import Settings, load_settings
from tests.unit.engines.spec import SPEC

JOB = "a" * 32

SCRIPT = """\
#!{python}
import json, os, socket, sys, time
from dataclasses import asdict
from pathlib import Path

folder = Path("{folder}")
with (folder / "started").open("a") as started:
    print(os.getpid(), file=started)
(folder / "arguments").write_text("\\n".join(sys.argv[1:]))
(folder / "environment").write_text("\\n".join(f"{{k}}={{v}}" for k, v in os.environ.items()))
with (folder / "requests").open("a") as requests:
    {start}
    from feature_platform.engines.flink_frames import Answer, Channel, Request
    with socket.socket(socket.AF_UNIX) as connected:
        connected.connect(sys.argv[-1])
        deployer = Channel(connected)
        while True:
            try:
                request = asdict(deployer.receive(Request))
            except EOFError:
                break
            print(json.dumps(request), file=requests, flush=True)
            job_id, error, kind = request["job_id"], "", ""
            {answer}
            deployer.send(Answer(job_id=job_id, error=error, kind=kind))
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose Flink distribution, JDK and jars are folders of the test."""
    for folder in ("bin", "lib", "cache/jars/flink", "cache/jars/planner"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "lib" / "flink-dist-2.jar").touch()
    (tmp_path / "lib" / "flink-table-planner-loader-2.jar").touch()
    (tmp_path / "cache" / "jars" / "flink" / "connector.jar").touch()
    planner = tmp_path / "cache" / "jars" / "planner"
    (planner / "planner.jar").touch()
    (planner / STAMP).write_text(pinned_by_pom("planner"))
    monkeypatch.setattr(flink_client, "find_flink_home", lambda: tmp_path)
    monkeypatch.delenv("FLINK_CONF_DIR", raising=False)
    settings = load_settings(tmp_path, {}).model_copy(update={"cache": tmp_path / "cache"})
    settings.flink_conf.mkdir(parents=True)
    (settings.flink_conf / "config.yaml").write_text(
        f"env.java.home: {tmp_path}\nenv: {{java: {{opts: {{all: -Xss1m -Dall}}}}}}\n"
    )
    return settings


def install(folder: Path, *, start: str = "", answer: str = "") -> None:
    """Put the script in the place of `java`.

    Args:
        folder: Of the test.
        start: Done before it connects.
        answer: Done for each request; may set `job_id`, `error` and `kind`.
    """
    path = folder / "bin" / "java"
    path.write_text(
        SCRIPT.format(
            python=sys.executable, folder=folder, start=start or "pass", answer=answer or "pass"
        )
    )
    path.chmod(0o700)


def submit_to(settings: Settings, restore_path: str = "") -> dict[str, str]:
    """Submit a job and return what the client was asked."""
    run_java(settings, restore_path)
    return requests(settings)[-1]


def run_java(settings: Settings, restore_path: str = "") -> list[str]:
    """Submit a job and return all arguments of `java`."""
    with closing(FlinkSubmitter(settings)) as submitter:
        submitter.submit(SPEC, JOB, restore_path)
    return (settings.project / "arguments").read_text().splitlines()


def requests(settings: Settings) -> list[dict[str, str]]:
    """Return all that clients were asked."""
    lines = (settings.project / "requests").read_text().splitlines()
    return [json.loads(line) for line in lines]


def started(settings: Settings) -> list[int]:
    """Return the processes that were started, by pid."""
    return [int(pid) for pid in (settings.project / "started").read_text().split()]


def test_a_job_is_submitted_under_the_id_given(settings: Settings) -> None:
    """With the kernel, the connector and the spec; the cluster is the one of the settings."""
    install(settings.project)
    request = submit_to(settings)
    assert request["job_id"] == JOB
    assert request["restore_path"] == ""
    assert JobSpec.parse(request["spec"]) == SPEC
    arguments = (settings.project / "arguments").read_text().splitlines()
    arguments = arguments[arguments.index(flink_client.MAIN) + 1 :]
    assert arguments[:2] == ["run", "--detached"]
    assert "-Drest.port=8081" in arguments
    assert str(settings.kernel_jar) in arguments
    assert (settings.connector_jars / "connector.jar").as_uri() in arguments
    environment = (settings.project / "environment").read_text().splitlines()
    assert f"FLINK_CONF_DIR={settings.flink_conf}" in environment


def test_a_restored_job_names_its_savepoint(settings: Settings) -> None:
    """Flink is told by the graph's configuration."""
    install(settings.project)
    assert submit_to(settings, "file:/s/1")["restore_path"] == "file:/s/1"


def test_one_client_serves_until_it_is_closed(settings: Settings) -> None:
    """A graph that is built early, its submission, and another; then its process ends."""
    install(settings.project)
    submitter = FlinkSubmitter(settings)
    submitter.prepare(SPEC)
    submitter.submit(SPEC, JOB, "")
    submitter.submit(replace(SPEC, generation=4), "b" * 32, "")
    assert [item["job_id"] for item in requests(settings)] == ["", JOB, "b" * 32]
    (client,) = started(settings)
    assert psutil.pid_exists(client)
    submitter.close()
    assert not psutil.pid_exists(client)
    submitter.close()


def test_a_refusal_is_told_by_its_causes(settings: Settings) -> None:
    """A Java trace is long; its causes are not. The client goes on."""
    trace = "\tat x.y.Z\nCaused by: a.B: the cause\n\tat q"
    install(settings.project, answer=f"error = {trace!r} if request['job_id'] else ''")
    with closing(FlinkSubmitter(settings)) as submitter:
        with pytest.raises(JobFailedError, match=r"refused the job: Caused by: a\.B: the cause$"):
            submitter.submit(SPEC, JOB, "")
        submitter.prepare(SPEC)
    assert len(started(settings)) == 1


def test_a_checkpoint_that_cannot_be_read_is_told_apart(settings: Settings) -> None:
    """By a line of the trace that is not among its causes."""
    trace = (
        "Caused by: java.io.EOFException\nat org.apache.flink.runtime.checkpoint."
        "Checkpoints.loadCheckpointMetadata(Checkpoints.java:1)"
    )
    install(settings.project, answer=f"error = {trace!r}")
    with pytest.raises(RestoreFailedError, match="EOFException"):
        submit_to(settings, "file:/s/1")


def test_an_answer_without_the_job_is_a_failure(settings: Settings) -> None:
    """Nobody could find it again."""
    install(settings.project, answer="job_id = 'c'")
    with pytest.raises(JobFailedError, match=f"accepted posts as job c, not as {JOB}"):
        submit_to(settings)


@pytest.mark.parametrize("when", ["start", "answer"])
def test_a_client_that_ends_is_told_by_what_it_printed(settings: Settings, when: str) -> None:
    """Before it connects, or while it is asked; the next request starts another."""
    end = "print('Caused by: no memory', flush=True); sys.exit(1)"
    install(settings.project, **{when: end})
    with closing(FlinkSubmitter(settings)) as submitter:
        with pytest.raises(JobFailedError, match="Caused by: no memory"):
            submitter.submit(SPEC, JOB, "")
        install(settings.project)
        submitter.submit(SPEC, JOB, "")
    assert len(started(settings)) == 2


@pytest.mark.parametrize("when", ["start", "answer"])
def test_a_client_that_hangs_is_given_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """The message says how long it was waited for; its process is killed."""
    monkeypatch.setattr(client, "ANSWER_TIMEOUT_S", 4.0)
    install(settings.project, **{when: "time.sleep(60)"})
    with pytest.raises(JobFailedError, match="did not respond within"):
        submit_to(settings)
    assert not any(psutil.pid_exists(pid) for pid in started(settings))


def test_the_planner_stands_on_the_class_path(settings: Settings) -> None:
    """In place of the jar that unpacks it; with the options of the cluster's configuration."""
    install(settings.project)
    arguments = run_java(settings)
    path = arguments[arguments.index("-classpath") + 1].split(":")
    assert {Path(entry).name for entry in path} == {"flink-dist-2.jar", "planner.jar", "conf"}
    assert arguments[:2] == ["-Xss1m", "-Dall"]


def test_the_first_run_archives_its_classes(settings: Settings) -> None:
    """The next one maps the archive; one of other jars is made anew, and few are kept."""
    archives = settings.cache / "flink-client"
    record = "-XX:ArchiveClassesAtExit="
    install(
        settings.project,
        start=f"[Path(a.removeprefix('{record}')).touch() for a in sys.argv if '{record}' in a]",
    )
    assert any(argument.startswith(record) for argument in run_java(settings))
    (archive,) = archives.glob("*.jsa")
    assert f"-XX:SharedArchiveFile={archive}" in run_java(settings)
    for size in range(1, 6):
        (settings.project / "lib" / "flink-dist-2.jar").write_text("x" * size)
        run_java(settings)
    assert not archive.exists()
    assert len([*archives.glob("*.jsa")]) == ARCHIVES_MAX


def test_a_run_that_recorded_nothing_leaves_the_next_to_do_it(settings: Settings) -> None:
    """Killed, or on a full disk: there is no archive, and none half written."""
    install(settings.project)
    (settings.cache / "flink-client").mkdir()
    left = settings.cache / "flink-client" / "0.1.part"
    left.write_text("half")
    for _ in range(2):
        assert any("ArchiveClassesAtExit" in argument for argument in run_java(settings))
    assert not left.exists()


def test_a_cluster_without_configuration_is_told(settings: Settings) -> None:
    """With its path and what to do."""
    (settings.flink_conf / "config.yaml").unlink()
    with pytest.raises(ServerError, match=r"config\.yaml: run `fp up`"):
        run_java(settings)


def test_an_error_of_the_platform_keeps_its_class(settings: Settings) -> None:
    """And its words: a person is told the same as without a client."""
    install(settings.project, answer="error, kind = 'no such file', 'SettingsError'")
    with pytest.raises(SettingsError, match=r"^no such file$"):
        submit_to(settings)


def test_a_client_that_speaks_another_language_is_told(settings: Settings) -> None:
    """And ended: nobody knows what it would answer next."""
    install(settings.project, answer="connected.sendall(b'\\xff' * 8)")
    with pytest.raises(
        JobFailedError, match=r"unexpected answer from Flink's client: frame of 4,294,967,295 bytes"
    ):
        submit_to(settings)
    assert not any(psutil.pid_exists(pid) for pid in started(settings))


def test_a_long_folder_for_temporary_files_is_passed_by(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path of a socket is short; TMPDIR may be anything."""
    long = settings.project / ("t" * 120)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    install(settings.project)
    assert submit_to(settings)["job_id"] == JOB
    monkeypatch.setattr(client, "USUAL_FOLDERS", ())
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(ServerError, match="set TMPDIR to a folder with a shorter path"):
        submit_to(settings)
