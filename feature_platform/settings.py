"""Settings of a project: `feature_platform.toml` and the environment over it; all have defaults.

`load_settings` is the only function that reads the file and the environment. A value `store.port`
is overridden by `FP_STORE__PORT`. Passwords come from the environment alone, or from `.fp/secrets`
of the embedded stack.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from feature_platform.errors import SettingsError
from feature_platform.paths import file_uri

SETTINGS_FILE = "feature_platform.toml"

REPOSITORY = Path(__file__).resolve().parent.parent
"""The clone: `kernel/`, `streaming/`, `dagster_home/` and `definitions.py` stand in it."""

Role = Literal["superuser", "admin", "job", "service", "test"]
"""Roles of the store; all but the superuser are called `fp_<role>` there."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class KafkaSettings(_Section):
    """Where the events are."""

    host: str = "127.0.0.1"
    port: int = Field(default=9092, ge=1, le=65_535)
    controller_port: int = Field(default=9093, ge=1, le=65_535)
    partitions: int = Field(default=4, ge=1, le=1024)
    """Partitions of topics that the platform creates."""
    properties: dict[str, str] = {}

    @property
    def bootstrap(self) -> str:
        """The address clients are given."""
        return f"{self.host}:{self.port}"


class StoreSettings(_Section):
    """Cassandra or ScyllaDB."""

    host: str = Field(default="127.0.0.1", pattern=r"^[^\s,]+(\s*,\s*[^\s,]+)*$")
    """One node, or some, separated by commas: the first that answers tells of all the others."""
    port: int = Field(default=9042, ge=1, le=65_535)
    storage_port: int = Field(default=7000, ge=1, le=65_535)
    local_dc: str = "datacenter1"
    keyspace: str = Field(default="fp", pattern=r"^[a-z][a-z0-9_]{0,40}$")
    replication: int = Field(default=1, ge=1, le=9)
    reads_in_flight_max: int = Field(default=512, ge=1)
    reads_in_flight_min: int = Field(default=32, ge=1)
    """So many reads a job's task may always have under way, however slow the store is."""
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

    @property
    def hosts(self) -> list[str]:
        """Nodes that are asked for the others."""
        return [host.strip() for host in self.host.split(",")]

    @property
    def contact_points(self) -> list[str]:
        """The same, as `host:port` each."""
        return [f"{host}:{self.port}" for host in self.hosts]


class FlinkSettings(_Section):
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
    options: dict[str, str] = {}
    """Options of the embedded cluster's own configuration, over what the platform sets."""

    @property
    def rest_url(self) -> str:
        """Base address of the REST interface and web page."""
        return f"http://{self.host}:{self.port}"


class SparkSettings(_Section):
    """How the processes that archive and backfill are run."""

    master: str = "local[2]"
    driver_memory: str = "2g"
    """Heap of the driver; of a local master it does all the work."""
    rows_per_second_max: int = Field(default=0, ge=0)
    """Of each core, into the store; 0: as fast as it takes them."""
    options: dict[str, str] = {}
    """Options of Spark's own, over what the platform sets: credentials of s3a://, for one."""


class EventLogSettings(_Section):
    """The archive of all records."""

    folder: str = ""
    """A path, or any address that Hadoop knows (s3a://bucket/log); default `.fp/event_log`."""
    commit_records_max: int = Field(default=2_000_000, ge=1)
    """How many records are read and committed at a time."""
    cron: str = "7 * * * *"
    """When the schedule `event_log` archives every source."""


class ChecksSettings(_Section):
    """What the schedule `checks` does; `fp check` has options of its own."""

    cron: str = "37 3 * * *"
    """When it runs; a run that was missed, because the machine was off, is made up for once."""
    sample_entities: int = Field(default=2_000, ge=1)
    """About so many entities of a feature set are compared in a run."""


class DagsterSettings(_Section):
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


class GitSettings(_Section):
    """The branch whose pushes deploy."""

    repository: str = ""
    """A bare or working repository, as a path; empty: pushes deploy nothing."""
    branch: str = "main"
    folder: str = ""
    """The folder in it that holds `featuresets/`; empty: its root."""


class Settings(_Section):
    """All settings of one project."""

    project: Path
    cache: Path = Path("~/.cache/feature-platform")
    """Downloaded jars, shared by all projects of a user."""
    kafka: KafkaSettings = KafkaSettings()
    store: StoreSettings = StoreSettings()
    flink: FlinkSettings = FlinkSettings()
    spark: SparkSettings = SparkSettings()
    event_log: EventLogSettings = EventLogSettings()
    checks: ChecksSettings = ChecksSettings()
    dagster: DagsterSettings = DagsterSettings()
    git: GitSettings = GitSettings()

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
        """The Java part, built from `kernel/`."""
        return REPOSITORY / "kernel" / "target" / "fp-kernel.jar"

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
    _override(data, environment)
    try:
        return Settings.model_validate({**data, "project": project.resolve()})
    except ValidationError as error:
        raise SettingsError(_describe(path, error)) from error


def password_variable(role: Role) -> str:
    """Name of the environment variable that hands a role's password to a process."""
    return f"FP_{role.upper()}_PASSWORD"


def password(settings: Settings, role: Role, environment: Mapping[str, str] | None = None) -> str:
    """Return a role's password: the environment's, else the embedded stack's own.

    Raises:
        SettingsError: Neither knows it.
    """
    environment = os.environ if environment is None else environment
    name = password_variable(role)
    found = environment.get(name) or read_secrets(settings.secrets_file).get(name)
    if not found:
        msg = (
            f"no password for the store's role fp_{role}: set {name}, "
            f"or run `fp up`, which generates one in {settings.secrets_file}"
        )
        raise SettingsError(msg)
    return found


def read_secrets(path: Path) -> dict[str, str]:
    """Read the `NAME=value` lines of a secrets file; a missing file holds none."""
    if not path.exists():
        return {}
    pairs = (line.partition("=") for line in path.read_text().splitlines())
    return {name: value for name, separator, value in pairs if separator}


def _override(data: dict[str, object], environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        section, separator, key = name.removeprefix("FP_").lower().partition("__")
        if name.startswith("FP_") and separator:
            table = data.setdefault(section, {})
            if isinstance(table, dict):
                table[key] = value


def _describe(path: Path, error: ValidationError) -> str:
    lines = [
        f"{path}: {'.'.join(str(part) for part in item['loc'])} = {item['input']!r}: {item['msg']}"
        for item in error.errors()
    ]
    return "\n".join(lines)
