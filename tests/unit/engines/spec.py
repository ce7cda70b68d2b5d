"""A job spec in which nothing is as by default: the one of `tests/golden/job_spec.json`."""

from feature_platform.engines.job_spec import (
    JobLimits,
    JobSpec,
    KafkaAccess,
    StartFields,
    StoreAccess,
    TlsFiles,
)
from feature_platform.plan.job import JobDefinition, JobSettings
from feature_platform.plan.job_source import JobSource, SourceColumn
from feature_platform.plan.snapshot import EarlierSource
from feature_platform.settings import KafkaSettings
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import Layout, LayoutColumn

SOURCE = JobSource(
    name="events",
    topic="post_events",
    format="json",
    event_time="ts",
    event_time_unit="us",
    max_future_ms=300_000,
    max_past_ms=86_400_000,
    columns=(
        SourceColumn(name="post_id", type="BIGINT"),
        SourceColumn(name="price", type="DECIMAL", precision=10, scale=2),
        SourceColumn(name="ts", type="BIGINT"),
    ),
    sum_scales={"price": 2},
)

LAYOUT = Layout(
    grid=Grid(levels_ms=(60_000, 300_000), depth=(3, 1)),
    retention_ms=(3_600_000, 7_200_000),
    columns=(
        LayoutColumn(
            id=0, name="_events", kind="count", carrier="int", n=0, levels=(0, 1), lifetime=True
        ),
        LayoutColumn(
            id=4, name="prices", kind="last_n", carrier="real", n=7, levels=(), lifetime=True
        ),
    ),
)

SPEC = JobSpec(
    job=JobDefinition(
        featureset="posts",
        entity="post_id",
        sql="SELECT 1",
        spark_sql="SELECT 2",
        sql_fingerprint="0123",
        data_fingerprint="4567",
        source=SOURCE,
        dead_letter_topic="post_events.dead_letters",
        layout=LAYOUT,
        settings=JobSettings(
            flush_interval_ms=1_001,
            state_ttl_ms=7_200_001,
            sql_state_ttl_ms=600_001,
            checkpoint_interval_ms=30_001,
            parallelism=2,
        ),
    ),
    generation=3,
    changelog_topic="changelog.posts",
    deployment="d" * 32,
    limits=JobLimits(
        flush_changes_max=100_001,
        max_parallelism=129,
        mini_batch_ms=1_002,
        mini_batch_size=20_001,
        reads_in_flight_max=513,
        reads_in_flight_min=33,
        read_latency_target_ms=21,
        writes_in_flight_max=514,
        store_retry_ms=600_002,
        undo_ttl_ms=43_200_001,
    ),
    kafka=KafkaAccess(
        bootstrap="kafka:9094",
        properties={"security.protocol": "PLAINTEXT"},
        settings=KafkaSettings(host="kafka", port=9094),
    ),
    store=StoreAccess(
        contact_points=("one:9043", "two:9043"),
        local_dc="dc1",
        keyspace="fp2",
        table="tiles_posts_g3",
        user="fp_job",
        password_env="FP_JOB_PASSWORD",
        tls=TlsFiles(
            ca_file="/ca.pem",
            certificate_file="/certificate.pem",
            key_file="/key.pem",
            check_host_name=True,
        ),
    ),
    start=StartFields(
        start="store",
        end_offsets={"post_events/0": 9},
        offsets={"post_events/0": 5},
        restore_point=(4, 17),
        restored=(2, 16),
        dirty_since_ms=1_700_000_000_001,
        clean=True,
        accepted_ms=1_700_000_000_002,
        letters={"not_json": 6},
    ),
    earlier_sources=(EarlierSource(source=SOURCE, until={"post_events/0": 1}),),
    trial=True,
    sample="028f5c29",
    bench_without_undo=True,
)
