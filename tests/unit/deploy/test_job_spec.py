"""The job spec: what the definition, the settings and the start put into it."""

from typing import TYPE_CHECKING

from feature_platform.deploy.job_spec import job_spec

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Stage
else:
    Stage = object


def test_a_spec_has_all_that_the_job_reads(stage: Stage) -> None:
    """Every key of the contract with the kernel."""
    snapshot = stage.apply().snapshot
    assert snapshot is not None
    spec = job_spec(snapshot, stage.world.settings, start="earliest", end_offsets={"t/0": 3})
    assert set(spec) == {
        *("featureset", "generation", "deployment", "data_fingerprint", "sql_fingerprint"),
        *("entity", "sql", "source", "dead_letter_topic", "layout", "settings"),
        *("kafka", "store", "start"),
    }
    assert set(spec["settings"]) == {
        *("flush_interval_ms", "flush_changes_max", "state_ttl_ms", "sql_state_ttl_ms"),
        *("checkpoint_interval_ms", "parallelism", "max_parallelism"),
        *("mini_batch_ms", "mini_batch_size"),
        *("reads_in_flight_max", "writes_in_flight_max", "store_retry_ms"),
    }
    assert spec["deployment"] == snapshot.deployment
    assert spec["source"]["columns"][0] == {"name": "post_id", "type": "BIGINT"}
    assert spec["layout"] == snapshot.layout.to_json()
    assert spec["store"] == {
        "contact_points": ["127.0.0.1:9042"],
        "local_dc": "datacenter1",
        "keyspace": "fp",
        "table": "tiles_posts_g1",
        "user": "fp_job",
        "password_env": "FP_JOB_PASSWORD",
    }
    assert spec["start"] == {
        "from": "earliest",
        "offsets": {},
        "r_attempt": 0,
        "r_label": 0,
        "end_offsets": {"t/0": 3},
    }


def test_the_sqls_uids_hold_what_its_state_means(stage: Stage) -> None:
    """A wider window alone restores the SQL's state, too."""
    snapshot = stage.apply().snapshot
    assert snapshot is not None
    spec = job_spec(snapshot, stage.world.settings, start="checkpoint", end_offsets={})
    assert spec["data_fingerprint"] == snapshot.job["sql_fingerprint"]
    assert spec["start"]["from"] == "savepoint"


def test_no_secret_stands_in_a_spec(stage: Stage) -> None:
    """Only the name of the variable that holds the password."""
    snapshot = stage.apply().snapshot
    assert snapshot is not None
    text = str(job_spec(snapshot, stage.world.settings, start="earliest", end_offsets={}))
    assert "FP_JOB_PASSWORD" in text
    assert "password'" not in text
