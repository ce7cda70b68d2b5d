"""The session cluster: a job manager and a task manager from the PyPI wheel."""

import json
import shutil
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from feature_platform.local.environment import FLINK, OBJECT_STORES, chosen, kafka_secret
from feature_platform.local.flink_home import find_flink_home
from feature_platform.local.jars import fetch_jars
from feature_platform.local.java import java_environment
from feature_platform.local.process import Command
from feature_platform.local.project import plain_path
from feature_platform.local.server import Port, accepts
from feature_platform.paths import file_uri
from feature_platform.settings import Settings, password_variable, server_password

REQUEST_TIMEOUT_S = 5
LIB = "lib"
COPIED = ("log4j-cli.properties", "log4j-session.properties", "log4j-console.properties")


class Flink:
    """The session cluster of the embedded stack."""

    name = "flink"
    start_timeout_s = 240.0
    process_names: tuple[str, ...] = ("flink-jobmanager", "flink-taskmanager")
    alone: tuple[str, ...] = ("flink-taskmanager",)

    def __init__(self, settings: Settings) -> None:
        """Keep checkpoints and savepoints in `flink/` of the stack's folder."""
        self._settings = settings
        self._folder = settings.data / "flink"

    @property
    def address(self) -> str:
        """The web page, which is the REST interface, too."""
        return self._settings.flink.rest_url

    @property
    def ports(self) -> tuple[Port, ...]:
        """The REST port, the job manager's own, and those of the metrics if there are any."""
        flink = self._settings.flink
        return (
            Port(number=flink.port, setting="flink.port"),
            Port(number=flink.rpc_port, setting="flink.rpc_port"),
            *(Port(number=port, setting="flink.prometheus_port") for port in self._metrics_ports),
        )

    @property
    def _metrics_ports(self) -> range:
        """One for each process; who starts first takes the first."""
        first = self._settings.flink.prometheus_port
        return range(first, first + len(self.process_names) if first else 0)

    def prepare(self, java_home: Path) -> tuple[Command, ...]:
        """Fetch the jars; write the configuration, with the opened packages of the wheel's."""
        import yaml

        connectors = fetch_jars(self._settings, "flink", java_home)
        fetch_jars(self._settings, "planner", java_home)
        home = find_flink_home()
        conf = self._settings.flink_conf
        conf.mkdir(parents=True, exist_ok=True)
        shipped = home / "conf"
        for name in COPIED:
            (conf / name).write_text((shipped / name).read_text())
        opens = yaml.safe_load((shipped / "config.yaml").read_text())["env"]["java"]["opts"]["all"]
        (conf / "config.yaml").write_text(
            yaml.safe_dump(
                {
                    **self._configuration(),
                    "env.java.opts.all": opens,
                    "env.java.home": str(java_home),  # For the client, too.
                }
            )
        )
        self._lib([*home.glob("lib/*.jar"), *connectors.glob("*.jar")])
        # Flink's scripts want paths without blanks.
        home, folder = plain_path(self._settings, home), plain_path(self._settings, self._folder)
        environment = {
            **self._environment(java_home),
            "FLINK_HOME": str(home),
            "FLINK_CONF_DIR": str(folder / conf.name),
            "FLINK_LIB_DIR": str(folder / LIB),
            "FLINK_LOG_DIR": str(plain_path(self._settings, self._settings.data) / "logs"),
            "FLINK_PID_DIR": str(folder / "tmp"),
        }
        return (
            Command(
                name="flink-jobmanager",
                arguments=(str(home / "bin" / "jobmanager.sh"), "start-foreground"),
                environment=environment,
            ),
            Command(
                name="flink-taskmanager",
                arguments=(str(home / "bin" / "taskmanager.sh"), "start-foreground"),
                environment=environment,
            ),
        )

    def _lib(self, jars: list[Path]) -> None:
        """Fill a folder with jars, whose classes are loaded once and not by each job again.

        A copy of the kernel's is among them, for the driver in it: it may be rebuilt meanwhile.
        One of the two processes may run while the other is started again: what is right is kept.
        """
        lib, kernel = self._folder / LIB, self._settings.kernel_jar
        lib.mkdir(parents=True, exist_ok=True)
        for name in {path.name for path in lib.iterdir()} - {jar.name for jar in (*jars, kernel)}:
            (lib / name).unlink()
        for jar in jars:
            link = lib / jar.name
            if not link.is_symlink() or link.readlink() != jar:
                link.unlink(missing_ok=True)
                link.symlink_to(jar)
        copy = lib / kernel.name
        if not copy.exists() or copy.stat().st_mtime != kernel.stat().st_mtime:
            copy.unlink(missing_ok=True)
            shutil.copy2(kernel, copy)

    def answers(self) -> bool:
        """Ask for the overview: the job manager answers, the task manager has brought its slots."""
        if not accepts(self._settings.flink.port):
            return False
        try:
            with urlopen(f"{self.address}/overview", timeout=REQUEST_TIMEOUT_S) as response:
                overview = json.load(response)
        except (URLError, OSError, ValueError):
            return False
        return bool(
            overview["taskmanagers"] >= 1 and overview["slots-total"] >= self._settings.flink.slots
        )

    def _configuration(self) -> dict[str, object]:
        flink = self._settings.flink
        return self._metrics() | {
            "jobmanager.rpc.address": flink.host,
            "jobmanager.rpc.port": flink.rpc_port,
            "jobmanager.bind-host": flink.host,
            "jobmanager.memory.process.size": flink.job_manager_memory,
            "jobmanager.execution.failover-strategy": "full",
            "rest.address": flink.host,
            "rest.bind-address": flink.host,
            "rest.port": flink.port,
            "rest.bind-port": flink.port,
            "rest.flamegraph.enabled": True,
            "web.submit.enable": False,
            # Else a page of any site that a person looks at may read it.
            "web.access-control-allow-origin": self.address,
            # Else what is asked of a job is up to 3 s old, and a deployment waits for it.
            "web.refresh-interval": "250 ms",
            "web.upload.dir": str(self._folder / "upload"),
            "taskmanager.host": flink.host,
            "taskmanager.bind-host": flink.host,
            "taskmanager.numberOfTaskSlots": flink.slots,
            "taskmanager.memory.process.size": flink.task_manager_memory,
            "taskmanager.memory.jvm-metaspace.size": "512m",
            # RocksDB's memory is one pool for all slots, outside of what Flink divides among them.
            "taskmanager.memory.managed.size": "16m",
            "taskmanager.memory.task.off-heap.size": flink.rocksdb_memory,
            "state.backend.rocksdb.memory.managed": False,  # else the next line counts for nothing
            "state.backend.rocksdb.memory.fixed-per-tm": flink.rocksdb_memory,
            # A write buffer takes an eighth of its size at once, in every state of every job.
            "state.backend.rocksdb.writebuffer.size": "16m",
            # Most keys that are looked up are new: a group is a minute of an entity.
            "state.backend.rocksdb.use-bloom-filter": True,
            # Else a lookup reads a file's whole index and filter, once all of them are larger than
            # their cache: jobs of five million entities stood still for a minute now and then.
            "state.backend.rocksdb.memory.partitioned-index-filters": True,
            "execution.checkpointing.incremental": True,
            # The driver of the store is the cluster's; the kernel itself is each job's own.
            "classloader.parent-first-patterns.additional": "com.datastax.;com.typesafe.config.",
            "taskmanager.memory.network.min": "96m",
            "taskmanager.memory.network.max": "96m",
            "io.tmp.dirs": str(self._folder / "tmp"),
            "state.backend.type": flink.state_backend,
            "execution.checkpointing.dir": file_uri(self._folder / "checkpoints"),
            "execution.checkpointing.savepoint-dir": file_uri(self._folder / "savepoints"),
            "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
            "execution.checkpointing.num-retained": 2,
            "restart-strategy.type": "exponential-delay",
            "restart-strategy.exponential-delay.initial-backoff": "1 s",
            "restart-strategy.exponential-delay.max-backoff": "30 s",
            "restart-strategy.exponential-delay.reset-backoff-threshold": "10 min",
            "restart-strategy.exponential-delay.attempts-before-reset-backoff": 20,
            "env.java.opts.jobmanager": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
            # A deployer's client plans SQL in a JVM of its own, which does little else.
            "env.java.opts.client": "-Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
            **flink.options,
        }

    def _metrics(self) -> dict[str, object]:
        """Configure the reporter that the wheel brings in `plugins/metrics-prometheus`."""
        ports = self._metrics_ports
        if not ports:
            return {}
        reporter = "org.apache.flink.metrics.prometheus.PrometheusReporterFactory"
        return {
            "metrics.reporter.prom.factory.class": reporter,
            "metrics.reporter.prom.port": f"{ports[0]}-{ports[-1]}",
        }

    def _environment(self, java_home: Path) -> dict[str, str]:
        (self._folder / "tmp").mkdir(parents=True, exist_ok=True)
        (self._settings.data / "logs").mkdir(parents=True, exist_ok=True)
        return {
            **chosen((*FLINK, *OBJECT_STORES)),
            **java_environment(java_home),
            **kafka_secret(self._settings),
            password_variable("job"): server_password(self._settings, "job"),
        }
