"""Settings of a project: `feature_platform.toml` and the environment over it; all have defaults.

`load_settings` is the only function that reads the file and the environment. A value `store.port`
is overridden by `FP_STORE__PORT`. Passwords come from the environment alone, or from `.fp/secrets`
of the embedded store.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from feature_platform.changelog_settings import ChangelogSettings
from feature_platform.errors import SettingsError
from feature_platform.feature_log_settings import FeatureLogSettings
from feature_platform.paths import PARTS, file_uri, packed_kernel
from feature_platform.service_settings import ServiceSettings
from feature_platform.settings_input import Names, describe, override, resolve_files
from feature_platform.transport import KafkaSecurity, Section, StoreTls, is_loopback

SETTINGS_FILE = "feature_platform.toml"

Role = Literal["superuser", "admin", "job", "service", "test"]
"""Roles of the store; all but the superuser are called `fp_<role>` there."""


KAFKA_PASSWORD = "FP_KAFKA_PASSWORD"  # noqa: S105 - the variable's name
"""Environment variable with the password of `kafka.security.user`."""

OWN_PROPERTIES = re.compile(
    r"security\.|sasl\.|ssl\.|enable\.(ssl|sasl)\.|config\.providers|bootstrap\.servers$"
    r"|metadata\.broker\.list$"
)
"""Properties of Kafka's clients that other settings say, under each client's own names."""


class KafkaSettings(Section):
    """Where the events are."""

    host: str = "127.0.0.1"
    port: int = Field(default=9092, ge=1, le=65_535)
    controller_port: int = Field(default=9093, ge=1, le=65_535)
    partitions: int = Field(default=4, ge=1, le=1024)
    """Partitions of topics that the platform creates."""
    properties: dict[str, str] = Field(default_factory=dict)
    """Of all clients, by names that librdkafka and Java's client both know."""
    security: KafkaSecurity = KafkaSecurity()

    @model_validator(mode="after")
    def _say_it_once(self) -> Self:
        for name in self.properties:
            if OWN_PROPERTIES.match(name):
                msg = (
                    f"kafka.properties has {name}, which clients name differently: use kafka.host, "
                    "kafka.port and [kafka.security] instead"
                )
                raise ValueError(msg)
        return self

    @property
    def bootstrap(self) -> str:
        """The address clients are given."""
        return f"{self.host}:{self.port}"


class StoreSettings(Section):
    """Cassandra or ScyllaDB."""

    host: str = Field(default="127.0.0.1", pattern=r"^[^\s,]+(\s*,\s*[^\s,]+)*$")
    """One node, or some, separated by commas: the first that answers knows all the others."""
    port: int = Field(default=9042, ge=1, le=65_535)
    storage_port: int = Field(default=7000, ge=1, le=65_535)
    local_dc: str = "datacenter1"
    keyspace: str = Field(default="fp", pattern=r"^[a-z][a-z0-9_]{0,40}$")
    replication: int = Field(default=1, ge=1, le=9)
    reads_in_flight_max: int = Field(default=512, ge=1)
    reads_in_flight_min: int = Field(default=32, ge=1)
    """How many reads a job's task may always have under way, however slow the store is."""
    read_latency_target_ms: int = Field(default=20, ge=0)
    """Above it a job's reads step back, where the store has no service levels; 0: never."""
    writes_in_flight_max: int = Field(default=512, ge=1)
    retry_ms: int = Field(default=600_000, ge=0)
    """How long a job retries against a store that is down before its task fails and restarts."""
    undo_ttl_ms: int = Field(default=43_200_000, ge=1)
    """How long undo rows are kept: an outage, or a way back, that is longer asks a person."""
    zombie_grace_ms: int = Field(default=90_000, ge=0)
    """How long a task of a failed job may still write: heartbeat, write timeout and hints."""
    commitlog_sync: Literal["periodic", "group"] = "periodic"
    """Of the embedded node: `group` acknowledges a write only once its disk has it. A single node
    that is killed may else forget its last moments; of three replicas two remember."""
    tls: StoreTls = StoreTls()

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine's loopback alone, as the embedded one is."""
        return all(is_loopback(host) for host in self.hosts)

    @property
    def hosts(self) -> list[str]:
        """Nodes that are asked for the others."""
        return [host.strip() for host in self.host.split(",")]

    @property
    def contact_points(self) -> list[str]:
        """The same, as `host:port` each."""
        return [f"{host}:{self.port}" for host in self.hosts]


class FlinkSettings(Section):
    """The session cluster."""

    host: str = "127.0.0.1"
    port: int = Field(default=8081, ge=1, le=65_535)
    rpc_port: int = Field(default=6123, ge=1, le=65_535)
    slots: int = Field(default=8, ge=1)
    task_manager_memory: str = "2200m"
    state_backend: Literal["rocksdb", "hashmap"] = "rocksdb"
    """The heap is faster, but a replay of old events may not fit into it."""
    rocksdb_memory: str = "256m"
    """Write buffers and block cache of all jobs of a task manager together; the rest is on disk."""
    job_manager_memory: str = "900m"
    max_parallelism: int = Field(default=128, ge=1, le=32_768)
    """Fixed for the life of all state; never change it."""
    mini_batch_ms: int = Field(default=1_000, ge=0)
    mini_batch_size: int = Field(default=20_000, ge=1)
    flush_changes_max: int = Field(default=100_000, ge=1)
    store_starts_max: int = Field(default=3, ge=0)
    """How often a job that cannot restore is started from the store before a person is asked."""
    prometheus_port: int = Field(default=0, ge=0, le=65_534)
    """Of the metrics of the process that starts first; the other's is the next port. 0: none."""
    options: dict[str, str] = Field(default_factory=dict)
    """Options of the embedded cluster's own configuration, over what the platform sets."""

    @property
    def rest_url(self) -> str:
        """Base address of the REST interface and web page."""
        return f"http://{self.host}:{self.port}"


class SparkSettings(Section):
    """How the processes that archive and backfill are run."""

    master: str = "local[2]"
    driver_memory: str = "2g"
    """Heap of the driver; of a local master it does all the work."""
    rows_per_second_max: int = Field(default=0, ge=0)
    """Of each core, into the store; 0: as fast as it takes them."""
    options: dict[str, str] = Field(default_factory=dict)
    """Options of Spark's own, over what the platform sets: credentials of s3a://, for one."""
    environment: Names = Field(default_factory=list)
    """Variables that Spark gets of our environment, beside Java's, Hadoop's and object stores'."""


class EventLogSettings(Section):
    """The archive of all records."""

    folder: str = ""
    """A path, or any address that Hadoop knows (s3a://bucket/log); default `.fp/event_log`."""
    commit_records_max: int = Field(default=2_000_000, ge=1)
    """How many records are read and committed at a time."""
    cron: str = "7 * * * *"
    """When the schedule `event_log` archives every source."""


class ChecksSettings(Section):
    """What the schedule `checks` does; `fp check` has options of its own."""

    cron: str = "37 3 * * *"
    """When it runs; a run that was missed, because the machine was off, is made up for once."""
    sample_entities: int = Field(default=2_000, ge=1)
    """About how many entities of a feature set are compared in a run."""
    match_answers: int = Field(default=20_000, ge=1)
    """How many rows of the feature log of a list are compared in a run."""
    match_hours: int = Field(default=24, ge=1)
    """How long ago rows that are compared may have been served."""
    match_edge: str = ""
    """The `edge` that rankers prepare lists with, such as `5m`."""


class DagsterSettings(Section):
    """The web server and its code server."""

    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=1, le=65_535)
    code_port: int = Field(default=4266, ge=1, le=65_535)
    schedules: bool = True
    """Whether the schedules `event_log` and `checks` run unless switched off in the UI."""

    @property
    def url(self) -> str:
        """Base address of the UI."""
        return f"http://{self.host}:{self.port}"


class GitSettings(Section):
    """The branch whose pushes deploy."""

    repository: str = ""
    """A bare or working repository, as a path; empty: pushes deploy nothing."""
    branch: str = "main"
    folder: str = ""
    """The folder in it that holds `featuresets/`; empty: its root."""
    status_command: str = ""
    """Run with FP_COMMIT, FP_STATE (pending, success, failure) and FP_DESCRIPTION in its
    environment whenever it is known what becomes of a commit; empty: nothing is run."""


class EmbeddedSettings(Section):
    """What the servers of `fp up` show to clients that ask for TLS."""

    certificate_file: str = ""
    """PEM: the certificate of Kafka and Cassandra, with its chain."""
    key_file: str = ""
    """PEM: its private key (PKCS #8, no passphrase); empty: it is in `certificate_file`."""


class Settings(Section):
    """All settings of one project."""

    project: Path
    cache: Path = Path("~/.cache/feature-platform")
    """Downloaded jars, shared by all projects of a user."""
    kafka: KafkaSettings = KafkaSettings()
    store: StoreSettings = StoreSettings()
    flink: FlinkSettings = FlinkSettings()
    spark: SparkSettings = SparkSettings()
    event_log: EventLogSettings = EventLogSettings()
    feature_log: FeatureLogSettings = FeatureLogSettings()
    changelog: ChangelogSettings = ChangelogSettings()
    checks: ChecksSettings = ChecksSettings()
    dagster: DagsterSettings = DagsterSettings()
    service: ServiceSettings = ServiceSettings()
    git: GitSettings = GitSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()

    @property
    def data(self) -> Path:
        """Folder of the embedded stack's data, logs, secrets."""
        return self.project / ".fp"

    @property
    def secrets_file(self) -> Path:
        """The embedded stack's passwords, one `NAME=value` a line, readable by the owner alone."""
        return self.data / "secrets"

    @property
    def flink_conf(self) -> Path:
        """Configuration folder (FLINK_CONF_DIR) of the embedded cluster and of its clients."""
        return self.data / "flink" / "conf"

    @property
    def connector_jars(self) -> Path:
        """Folder of the jars that a Flink job needs beside the kernel's."""
        return self.cache.expanduser() / "jars" / "flink"

    @property
    def event_log_folder(self) -> str:
        """Where the event log lies, as Hadoop writes it; a path is relative to the project."""
        folder = self.event_log.folder or str(self.data / "event_log")
        return folder if "://" in folder else file_uri((self.project / folder).resolve())

    @property
    def kernel_jar(self) -> Path:
        """The Java part: built in the clone, or unpacked from the wheel into the cache."""
        packed = packed_kernel()
        if packed is None:
            return PARTS / "kernel" / "target" / "fp-kernel.jar"
        return self.cache.expanduser() / "kernel" / packed.stem

    @property
    def featuresets(self) -> Path:
        """Folder of the definitions."""
        return self.project / "featuresets"


def load_settings(project: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read a project's settings.

    Args:
        project: The folder with `featuresets/` and `feature_platform.toml` (which may be missing).
        environment: Read instead of the process's own, for tests.

    Raises:
        SettingsError: The file is not TOML, or a setting is unknown or out of range.
    """
    environment = os.environ if environment is None else environment
    path = project / SETTINGS_FILE
    try:
        data = tomllib.loads(path.read_text()) if path.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path}: not TOML: {error}"
        raise SettingsError(msg) from error
    override(data, environment)
    resolve_files(data, project.resolve())
    try:
        return Settings.model_validate({**data, "project": project.resolve()})
    except ValidationError as error:
        raise SettingsError(describe(path, error)) from error


def password_variable(role: Role) -> str:
    """Name of the environment variable that hands a role's password to a process."""
    return f"FP_{role.upper()}_PASSWORD"


def password(settings: Settings, role: Role, environment: Mapping[str, str] | None = None) -> str:
    """Return a role's password: the environment's, else that of the embedded store.

    Raises:
        SettingsError: Neither knows it.
    """
    environment = os.environ if environment is None else environment
    name = password_variable(role)
    local = settings.store.is_local
    found = environment.get(name) or (embedded_passwords(settings).get(name) if local else None)
    if not found:
        way = (
            f"or run `fp up`, which generates one in {settings.secrets_file}"
            if local
            else f"which the operators of the store at {settings.store.host} can give you"
        )
        msg = f"no password for the store's role fp_{role}: set {name}, {way}"
        raise SettingsError(msg)
    return found


def server_password(settings: Settings, role: Role) -> str:
    """Return the password that a server of `fp up` is started with.

    Where the embedded store is, its own: what is exported may be another store's.

    Raises:
        SettingsError: Nobody knows it.
    """
    has_store = settings.store.is_local and (settings.data / "cassandra").is_dir()
    own = embedded_passwords(settings).get(password_variable(role)) if has_store else None
    return own or password(settings, role)


def embedded_passwords(settings: Settings) -> dict[str, str]:
    """Return the passwords of the embedded store, by the names of their variables."""
    return read_secrets(settings.secrets_file)


def kafka_password(
    security: KafkaSecurity, environment: Mapping[str, str] | None = None
) -> str | None:
    """Return the password that clients of Kafka log in with; None where none is asked for.

    Raises:
        SettingsError: It is not in the environment.
    """
    if not security.sasl:
        return None
    found = (os.environ if environment is None else environment).get(KAFKA_PASSWORD)
    if not found:
        msg = f"no password for Kafka's user {security.user}: set {KAFKA_PASSWORD}"
        raise SettingsError(msg)
    return found


def read_secrets(path: Path) -> dict[str, str]:
    """Read the `NAME=value` lines of a secrets file; a missing file holds none."""
    if not path.exists():
        return {}
    pairs = (line.partition("=") for line in path.read_text().splitlines())
    return {name: value for name, separator, value in pairs if separator}
