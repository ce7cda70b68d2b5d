"""Running `flink run`: its arguments and its answers, with a small script in place of Java."""

import json
from pathlib import Path

import pytest

from feature_platform.deploy import submit
from feature_platform.deploy.submit import FlinkCommand
from feature_platform.errors import JobFailedError, RestoreFailedError, ServerError
from feature_platform.local import flink_client
from feature_platform.local.jars import STAMP, pinned_by_pom
from feature_platform.settings import Settings, load_settings

JOB = "a" * 32

SCRIPT = """\
#!/bin/sh
printf '%s\\n' "$@" > {folder}/arguments
env > {folder}/environment
for last; do :; done
cp "$last" {folder}/spec.json
{ending}
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


def install(folder: Path, ending: str) -> None:
    """Put the script in the place of `java`."""
    path = folder / "bin" / "java"
    path.write_text(SCRIPT.format(folder=folder, ending=ending))
    path.chmod(0o700)


def submit_to(settings: Settings, restore_path: str = "") -> list[str]:
    """Submit a job and return the arguments that the client was given."""
    arguments = run_java(settings, restore_path)
    return arguments[arguments.index(flink_client.MAIN) + 1 :]


def run_java(settings: Settings, restore_path: str = "") -> list[str]:
    """Submit a job and return all arguments of `java`."""
    FlinkCommand(settings).submit({"featureset": "posts"}, JOB, restore_path)
    return (settings.project / "arguments").read_text().splitlines()


def test_a_job_is_submitted_under_the_id_given(settings: Settings) -> None:
    """With the kernel, the connector and the spec; the cluster is the one of the settings."""
    install(settings.project, f"echo Job has been submitted with JobID {JOB}")
    arguments = submit_to(settings)
    assert arguments[:2] == ["run", "--detached"]
    assert f"-D$internal.pipeline.job-id={JOB}" in arguments
    assert "-Drest.port=8081" in arguments
    assert str(settings.kernel_jar) in arguments
    assert (settings.connector_jars / "connector.jar").as_uri() in arguments
    assert "-s" not in arguments
    assert json.loads((settings.project / "spec.json").read_text()) == {"featureset": "posts"}
    environment = (settings.project / "environment").read_text().splitlines()
    assert f"FLINK_CONF_DIR={settings.flink_conf}" in environment


def test_a_restored_job_names_its_savepoint(settings: Settings) -> None:
    """State of operators that are gone is left behind."""
    install(settings.project, f"echo Job has been submitted with JobID {JOB}")
    arguments = submit_to(settings, "file:/s/1")
    at = arguments.index("-s")
    assert arguments[at : at + 3] == ["-s", "file:/s/1", "-n"]


def test_a_refusal_is_told_by_its_causes(settings: Settings) -> None:
    """A Java trace is long; its causes are not."""
    install(
        settings.project,
        "echo '\\tat x.y.Z'; echo 'Caused by: a.B: the cause' ; echo '\\tat q'; exit 1",
    )
    with pytest.raises(JobFailedError, match=r"refused the job: Caused by: a\.B: the cause$"):
        submit_to(settings)


def test_a_checkpoint_that_cannot_be_read_is_told_apart(settings: Settings) -> None:
    """By a line of the trace that is not among its causes."""
    install(
        settings.project,
        "echo 'Caused by: java.io.EOFException'; echo 'at org.apache.flink.runtime.checkpoint."
        "Checkpoints.loadCheckpointMetadata(Checkpoints.java:1)'; exit 1",
    )
    with pytest.raises(RestoreFailedError, match="EOFException"):
        submit_to(settings, "file:/s/1")


def test_an_answer_without_the_job_is_a_failure(settings: Settings) -> None:
    """The end of the output is told."""
    install(settings.project, "echo something else")
    with pytest.raises(JobFailedError, match=f"accepted no job {JOB}: something else"):
        submit_to(settings)


def test_a_submission_that_hangs_is_given_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says how long it was waited for."""
    monkeypatch.setattr(submit, "SUBMIT_TIMEOUT_S", 0.2)
    install(settings.project, "exec sleep 5")
    with pytest.raises(JobFailedError, match="did not end within 0 s"):
        submit_to(settings)


def test_the_planner_stands_on_the_class_path(settings: Settings) -> None:
    """In place of the jar that unpacks it; with the options of the cluster's configuration."""
    install(settings.project, f"echo Job has been submitted with JobID {JOB}")
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
        f'for a; do case "$a" in {record}*) echo classes > "${{a#{record}}}";; esac; done\n'
        f"echo Job has been submitted with JobID {JOB}",
    )
    assert any(argument.startswith(record) for argument in run_java(settings))
    (archive,) = archives.glob("*.jsa")
    assert f"-XX:SharedArchiveFile={archive}" in run_java(settings)
    for size in range(1, 6):
        (settings.project / "lib" / "flink-dist-2.jar").write_text("x" * size)
        run_java(settings)
    assert not archive.exists()
    assert len([*archives.glob("*.jsa")]) == flink_client.ARCHIVES_MAX


def test_a_run_that_recorded_nothing_leaves_the_next_to_do_it(settings: Settings) -> None:
    """Killed, or on a full disk: there is no archive, and none half written."""
    install(settings.project, f"echo Job has been submitted with JobID {JOB}")
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
