"""The job spec: what the definition, the settings and the start put into it."""

from dataclasses import replace

from feature_platform.engines.job_spec import StartFields, job_spec, sql_state_key
from tests.unit.stage import Stage

START = StartFields(start="earliest", end_offsets={})
EDIT = ("action = 'view'", "action = 'play'")


def test_a_spec_has_all_that_the_job_reads(stage: Stage) -> None:
    """Every key of the contract with the kernel."""
    snapshot = stage.apply().snapshot
    assert snapshot is not None
    spec = job_spec(
        snapshot, stage.world.settings, StartFields(start="earliest", end_offsets={"t/0": 3})
    )
    assert set(spec) == {
        *("featureset", "generation", "deployment", "data_fingerprint", "sql_fingerprint"),
        *("entity", "sql", "spark_sql", "source", "dead_letter_topic", "layout", "settings"),
        *("kafka", "store", "start"),
    }
    assert set(spec["settings"]) == {
        *("flush_interval_ms", "flush_changes_max", "state_ttl_ms", "sql_state_ttl_ms"),
        *("checkpoint_interval_ms", "parallelism", "max_parallelism"),
        *("mini_batch_ms", "mini_batch_size"),
        *("reads_in_flight_max", "reads_in_flight_min", "read_latency_target_ms"),
        *("writes_in_flight_max", "store_retry_ms"),
        "undo_ttl_ms",
    }
    assert spec["deployment"] == snapshot.deployment
    assert spec["source"]["columns"][0] == {"name": "action", "type": "STRING"}
    assert spec["layout"] == snapshot.layout.to_json()
    assert spec["store"] == {
        "contact_points": ["127.0.0.1:9042"],
        "local_dc": "datacenter1",
        "keyspace": "fp",
        "table": "tiles_posts_g1",
        "user": "fp_job",
        "password_env": "FP_JOB_PASSWORD",
        "tls": None,
    }
    assert spec["start"] == {
        "from": "earliest",
        "offsets": {},
        "r_attempt": 0,
        "r_label": 0,
        "restored_attempt": 0,
        "restored_label": 0,
        "dirty_since_ms": 0,
        "end_offsets": {"t/0": 3},
        "clean": False,
        "accepted_ms": 0,
        "letters": {},
    }


def test_a_start_says_all_that_the_kernel_asks_for(stage: Stage) -> None:
    """R, and the savepoint that it stands for."""
    snapshot = stage.apply().snapshot
    assert snapshot is not None
    start = replace(START, start="store", r=(3, 1), restored=(2, 7), offsets={"t/0": 1})
    assert job_spec(snapshot, stage.world.settings, start)["start"] == {
        **job_spec(snapshot, stage.world.settings, START)["start"],
        "from": "store",
        "offsets": {"t/0": 1},
        "r_attempt": 3,
        "r_label": 1,
        "restored_attempt": 2,
        "restored_label": 7,
    }


def test_the_sqls_state_lives_as_long_as_it_means_the_same(stage: Stage) -> None:
    """Another parallelism restores it; a query, an id or a level that begins anew does not."""
    first = stage.apply().snapshot
    again = stage.apply(("features:", "settings: {parallelism: 2}\nfeatures:")).snapshot
    reset = stage.apply(reset=["views"]).snapshot
    wider = stage.apply(("[2h]", "[2h, 7d]")).snapshot
    edited = stage.apply(EDIT).snapshot
    assert first and again and reset and wider and edited  # noqa: PT018 (for mypy)
    keys = [sql_state_key(item.job) for item in (first, again, reset, wider, edited)]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4
    spec = job_spec(first, stage.world.settings, START)
    assert spec["data_fingerprint"] == keys[0]


def test_no_secret_stands_in_a_spec(stage: Stage) -> None:
    """Only the name of the variable that holds the password."""
    snapshot = stage.apply().snapshot
    assert snapshot is not None
    text = str(job_spec(snapshot, stage.world.settings, START))
    assert "FP_JOB_PASSWORD" in text
    assert "password'" not in text
