"""The job spec: what the definition, the settings and the start put into it."""

import json
import os
from pathlib import Path

from feature_platform.engines.job_spec import (
    JobLimits,
    JobSpec,
    KafkaAccess,
    StartFields,
    StoreAccess,
    job_spec,
)
from tests.unit.engines.spec import SPEC
from tests.unit.stage import Stage

GOLDEN = Path(__file__).parents[2] / "golden" / "job_spec.json"
START = StartFields(start="earliest", end_offsets={})
EDIT = ("action = 'view'", "action = 'play'")


def test_a_spec_is_the_one_that_the_kernel_reads() -> None:
    """The kernel's `JobSpecTest` reads the same file; GOLDEN_WRITE=1 renews it."""
    text = json.dumps(SPEC.to_json(), indent=1, sort_keys=True) + "\n"
    if os.environ.get("GOLDEN_WRITE") == "1":
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_a_spec_comes_back_as_it_was_written() -> None:
    """The client of Flink and Spark's child read what the deployer wrote."""
    assert JobSpec.parse(SPEC.text()) == SPEC


def test_a_spec_says_what_the_snapshot_and_the_settings_say(stage: Stage) -> None:
    """And no more: it is no trial, and of all entities."""
    snapshot = stage.apply().snapshot
    assert snapshot is not None
    spec = job_spec(snapshot, stage.world.settings, START)
    assert spec == JobSpec(
        job=snapshot.job,
        generation=1,
        deployment=snapshot.deployment,
        limits=JobLimits.of(stage.world.settings),
        kafka=KafkaAccess.of(stage.world.settings.kafka),
        store=StoreAccess(
            contact_points=("127.0.0.1:9042",),
            local_dc="datacenter1",
            keyspace="fp",
            table="tiles_posts_g1",
            user="fp_job",
            password_env="FP_JOB_PASSWORD",
            tls=None,
        ),
        start=START,
        changelog_topic="changelog.posts",
    )
    assert JobSpec.parse(spec.text()) == spec


def test_the_sqls_state_lives_as_long_as_it_means_the_same(stage: Stage) -> None:
    """Another parallelism restores it; a query, an id or a level that begins anew does not."""
    first = stage.apply().snapshot
    again = stage.apply(("features:", "settings: {parallelism: 2}\nfeatures:")).snapshot
    reset = stage.apply(reset=["views"]).snapshot
    wider = stage.apply(("[2h]", "[2h, 7d]")).snapshot
    edited = stage.apply(EDIT).snapshot
    assert first and again and reset and wider and edited  # noqa: PT018 (for mypy)
    keys = [item.job.sql_state_key for item in (first, again, reset, wider, edited)]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4


def test_no_secret_stands_in_a_spec(stage: Stage) -> None:
    """Only the name of the variable that holds the password."""
    snapshot = stage.apply().snapshot
    assert snapshot is not None
    text = job_spec(snapshot, stage.world.settings, START).text()
    assert "FP_JOB_PASSWORD" in text
    assert 'password"' not in text
