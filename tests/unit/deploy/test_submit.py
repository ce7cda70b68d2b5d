"""Running `flink run`: its arguments and its answers, with a small script in its place."""

import json
from pathlib import Path

import pytest

from feature_platform.deploy import submit
from feature_platform.deploy.submit import FlinkCommand
from feature_platform.errors import JobFailedError, RestoreFailedError
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
    """Settings whose Flink distribution is a folder of the test."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(submit, "_flink_home", lambda: tmp_path)
    monkeypatch.delenv("FLINK_CONF_DIR", raising=False)
    jars = tmp_path / "cache" / "jars" / "flink"
    jars.mkdir(parents=True)
    (jars / "connector.jar").touch()
    return load_settings(tmp_path, {}).model_copy(update={"cache": tmp_path / "cache"})


def install(folder: Path, ending: str) -> None:
    """Put the script in the place of `flink`."""
    path = folder / "bin" / "flink"
    path.write_text(SCRIPT.format(folder=folder, ending=ending))
    path.chmod(0o700)


def submit_to(settings: Settings, restore_path: str = "") -> list[str]:
    """Submit a job and return the arguments that `flink` was given."""
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
